"""`torch = "1.9"`: what rules say where torch itself has changed, through the command line."""

from __future__ import annotations

import pytest
from adoption import Project, project_

__all__ = ["project_"]

HEAD = """\
import torch, torch.nn as nn, torch.nn.functional as F
from torch.distributions import Categorical
layer, x, one = nn.Linear(4, 3), torch.randn(5, 4), nn.Linear(4, 1)
"""


@pytest.mark.parametrize(
    ("program", "version", "old", "new"),
    [
        # One-hot rows, mixed rows, raw scores of a teacher: class probabilities since 1.10.
        ("F.cross_entropy(layer(x), F.one_hot(torch.arange(5)).float())", "1.9", "TLL301 before", "TLL301"),
        ("F.cross_entropy(layer(x), layer(x).softmax(1).detach())", "1.9", "TLL302 since torch 1.10", ""),
        ("F.cross_entropy(layer(x), layer(x).detach())", "1.9", "TLL302 since torch 1.10", "TLL306 weights"),
        ("F.cross_entropy(layer(x), torch.zeros(5, dtype=torch.uint8))", "1.9", "TLL302 since", ""),
        ("F.nll_loss(layer(x).log_softmax(1), torch.zeros(5))", "1.9", "TLL302 wants", "TLL302 wants"),
        # torch.full of an integer was floating; of zeros with a dtype nothing has changed, but who knows.
        ("F.binary_cross_entropy(one(x).sigmoid(), torch.full((5, 1), 1))", "1.6", "", "TLL302 gets int64"),
        ("F.binary_cross_entropy(one(x).sigmoid(), torch.randint(0, 2, (5, 1)))", "1.6", "TLL302", "TLL302"),
        # A column beside a row: taken one by one, with a warning.
        ("F.binary_cross_entropy(one(x).sigmoid(), torch.rand(5))", "1.4", "TLL304 warns", "TLL304 raises"),
        ("F.binary_cross_entropy(layer(x).sigmoid(), torch.rand(15))", "1.4", "", "TLL303 it raises"),
        ("F.binary_cross_entropy(layer(x).sigmoid(), torch.rand(5, 4))", "1.4", "TLL303", "TLL303"),
        ("F.mse_loss(one(x), torch.rand(5))", "1.4", "TLL304 torch warns", "TLL304 torch warns"),
        # Old names of the reduction, and a reduction that is not there yet.
        ("nn.MSELoss(size_average=False)(layer(x), torch.rand(5, 3))", "0.4", "", "TLL503"),
        ("F.kl_div(layer(x).log_softmax(1), layer(x).softmax(1))", "0.4", "TLL504 'sum'", "TLL504 'batch"),
        ("F.kl_div(layer(x).log_softmax(1), layer(x).log_softmax(1).detach(), reduction='batchmean')", "1.5",
         "TLL111 help: Give it the", "TLL111 help: Say log_target=True"),
        ("F.mse_loss(layer(x), torch.rand(5, 3)).data[0]", "0.3", "", "TLL509 raises"),
        ("F.mse_loss(layer(x), torch.rand(5, 3)).data[0]", "0.4", "TLL509 torch warns", "TLL509 raises"),
        ("Categorical(probs=layer(x))", "1.7", "TLL115 divides by their sum", "TLL115 ValueError"),
    ],
)  # fmt: skip
def test_what_depends_on_the_version_of_torch(
    project: Project, program: str, version: str, old: str, new: str
) -> None:
    project.write(train=HEAD + f"loss = {program}\n")
    for config, expected in ((f"torch={version}", old), ("torch=1.10", new), ("fail-on=warning", new)):
        out = " ".join(project.run("--config", config, "--ignore", "TLL109,TLL119,TLL507").out.split())
        code, _, words = expected.partition(" ")
        assert (code in out and words in out) if code else "no findings" in out, (config, out)


def test_several_labels_before_class_probabilities(project: Project) -> None:
    """One finding, and the one that says which loss to take."""
    project.write(
        train="import torch, torch.nn as nn\nlayer = nn.Linear(4, 3)\n"
        "y = torch.zeros(5, 3)\ny[0, 1] = 1\ny[0, 2] = 1\n"
        "nn.CrossEntropyLoss()(layer(torch.randn(5, 4)), y)\n"
    )
    found = project.json("--config", "torch=1.9").findings
    assert {f["code"] for f in found} <= {"TLL203", "TLL302"}
    assert len(found) == 1


def test_the_version_of_torch(project: Project) -> None:
    project.write(
        a__train="import torch, torch.nn as nn, torch.nn.functional as F\nlayer = nn.Linear(4, 3)\n"
        "y = F.one_hot(torch.randint(0, 3, (5,)), 3).float()\n"
        "nn.CrossEntropyLoss()(layer(torch.randn(5, 4)), y)\n"
    )
    for version, severity in (("1.9", "error"), ("1.10.2", "warning"), ("2.4.0+cu118", "warning")):
        project.put("a/torchlosslint.toml", f'torch = "{version}"\n')
        found = project.json().findings
        assert [(f["code"], f["severity"]) for f in found] == [("TLL301", severity)]
    assert [f["severity"] for f in project.json("--config", "torch=1.9").findings] == ["error"]
    assert "before torch 1.10" in project.run("--config", "torch=1.9").out
