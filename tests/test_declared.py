"""Contracts that a configuration declares, through the command line."""

from __future__ import annotations

import pytest
from adoption import Project, project_

from torchlosslint.config.keys import BY_NAME
from torchlosslint.contracts.declared import INPUTS, OUTPUTS

__all__ = ["project_"]
FOCAL = '[losses."pkg.Focal"]\ninput = "logits"\n'
USE = """\
import torch
from torch import nn
from pkg import Focal
layer = nn.Linear(4, 3)
def step(x, y):
    return Focal()(torch.softmax(layer(x), 1), y)
"""


def test_a_loss_that_is_not_in_sight(project: Project) -> None:
    project.write(train=USE)
    assert project.found() == []
    project.put("torchlosslint.toml", FOCAL)
    outcome = project.json()
    assert outcome.found == ["train.py:6 TLL115"]
    assert (
        "activation itself (so the configuration declares), and gets probabilities from softmax"
        in (outcome.findings[0]["message"])
    )
    project.put("torchlosslint.toml", FOCAL.replace("logits", "probabilities"))
    assert project.found() == []
    project.write(train=USE.replace("torch.softmax(layer(x), 1)", "layer(x)"))
    assert project.found() == ["train.py:6 TLL115"]
    flags = ('losses."pkg.Focal".arguments=["input", "y"]', 'losses."pkg.Focal".input=probabilities')
    for given in (flags, flags[::-1]):  # in any order
        config = [word for flag in given for word in ("--config", flag)]
        assert project.found("--isolated", *config) == ["train.py:6 TLL115"]


@pytest.mark.parametrize(
    ("wanted", "given", "wrong"),
    [
        ("logits", "layer(x)", False),
        ("logits", "layer(x).sigmoid()", True),
        ("logits", "unknown(x)", False),
        ("probabilities", "layer(x)", True),
        ("probabilities", "layer(x).log_softmax(1)", True),
        ("probabilities", "layer(x).sigmoid()", False),
        ("log-probabilities", "layer(x).log_softmax(1)", False),
        ("log-probabilities", "layer(x)", True),
        ("log-probabilities", "layer(x).softmax(1)", True),
        ("non-negative", "layer(x).relu()", False),
        ("non-negative", "layer(x)", True),
        ("any", "layer(x)", False),
    ],
)
def test_what_a_loss_wants(project: Project, wanted: str, given: str, wrong: bool) -> None:
    project.write(
        train=USE.replace("torch.softmax(layer(x), 1)", given).replace(
            "import torch\n", "import torch\nfrom more import unknown\n"
        )
    )
    project.put("torchlosslint.toml", FOCAL.replace("logits", wanted))
    assert project.found() == (["train.py:7 TLL115"] if wrong else [])


@pytest.mark.parametrize(
    "package",
    [
        {"pkg/__init__.py": "from .losses import Focal\n", "pkg/losses.py": "{}"},
        {"pkg/__init__.py": "{}"},
        {"pkg.py": "{}"},
    ],
)
@pytest.mark.parametrize(
    "source",
    [
        # Looked into, it would be judged by what is inside: nothing that is wrong.
        "import torch\nclass Focal(torch.nn.Module):\n    def forward(self, scores, y):\n"
        "        return (scores * y).mean()\n",
        "def Focal():\n    return lambda scores, y: (scores * y).mean()\n",
    ],
)
def test_a_loss_of_the_program(project: Project, package: dict[str, str], source: str) -> None:
    for path, text in package.items():
        project.put(path, text.replace("{}", source))
    project.write(train=USE)
    assert project.found() == []
    project.put("torchlosslint.toml", FOCAL)
    is_class = "class" in source
    assert project.found() == (["train.py:6 TLL115"] if is_class else [])
    if is_class:
        name = "pkg.losses.Focal" if "pkg/losses.py" in package else "pkg.Focal"
        project.put("torchlosslint.toml", FOCAL.replace("pkg.Focal", name))
        assert project.found() == ["train.py:6 TLL115"]


def test_a_loss_function(project: Project) -> None:
    use = USE.replace("Focal()(torch.softmax(layer(x), 1), y)", "focal(y, scores=torch.softmax(layer(x), 1))")
    project.write(train=use.replace("import Focal", "import focal"))
    declared = (
        '[losses."pkg.focal"]\ninput = "logits"\narguments = ["labels", "scores"]\nargument = "scores"\n'
    )
    project.put("torchlosslint.toml", declared)
    assert project.found() == ["train.py:6 TLL115"]
    project.put("pkg.py", "def focal(labels, scores):\n    return (labels * scores).mean()\n")
    assert project.found() == ["train.py:6 TLL115"]
    project.put("torchlosslint.toml", '[losses."pkg.focal"]\ninput = "logits"\nargument = "scores"\n')
    assert project.found() == ["train.py:6 TLL115"]
    project.put("torchlosslint.toml", '[losses."pkg.focal"]\ninput = "logits"\n')  # the labels, then
    assert project.found() == []


def test_subclasses(project: Project) -> None:
    own = "class Mine(Focal):\n    {}\n"
    for body, expected in (
        ("gamma = 2", ["train.py:8 TLL115"]),
        ("def forward(self, p, y):\n        return p.mean()", []),
    ):
        text = USE.replace("def step", own.format(body) + "def step").replace("Focal()(", "Mine()(")
        project.write(train=text)
        project.put("torchlosslint.toml", FOCAL)
        assert project.found() == expected


def test_a_loss_counts_where_it_is_declared(project: Project) -> None:
    project.write(a__train=USE, b__train=USE)
    project.put("a/torchlosslint.toml", FOCAL)
    assert project.found() == ["a/train.py:6 TLL115"]
    project.put("b/torchlosslint.toml", FOCAL.replace("logits", "probabilities"))
    assert project.found() == ["a/train.py:6 TLL115"]


DICE = """\
[losses."pkg.Dice"]
input = "logits"
switches = [
    { when = { from_logits = false, level = 2 }, input = "any" },
    { when = { from_logits = false }, input = "probabilities" },
    { when = { mode = "rows" }, input = "log-probabilities" },
]
"""
IN_SIGHT = """\
from torch import nn
class Base(nn.Module):
    def __init__(self, mode="cells", from_logits=False, level=1):
        super().__init__()
class Dice(Base):
    def forward(self, scores, y):
        return (scores * y).mean()
"""


@pytest.mark.parametrize(
    ("call", "wrong", "wrong_in_sight"),
    [
        ("Dice()(logits, y)", False, True),
        ("Dice()(probs, y)", True, False),
        ("Dice(from_logits=True)(probs, y)", True, True),
        ("Dice(from_logits=False)(probs, y)", False, False),
        ("Dice(from_logits=False)(logits, y)", True, True),
        ("Dice(from_logits=False, level=2)(logits, y)", False, False),
        ("Dice(from_logits=False, level=2.0)(logits, y)", True, True),
        ("Dice(mode='rows', from_logits=True)(probs, y)", True, True),
        ("Dice(mode='rows', from_logits=True)(probs.log(), y)", False, False),
        ("Dice('cells', False)(logits, y)", False, True),  # whose parameters are these?
        ("Dice('cells', True)(probs, y)", False, True),
        ("Dice(*x)(probs, y)", False, False),
        ("Dice(**x)(probs, y)", False, False),
        ("Dice(from_logits=x)(probs, y)", False, False),
        ("Mine()(probs, y)", False, False),  # what it hands on is not known
    ],
)
def test_switches_of_a_loss(project: Project, call: str, wrong: bool, wrong_in_sight: bool) -> None:
    project.write(
        train="import torch\nfrom torch import nn\nfrom pkg import Dice\nlayer = nn.Linear(4, 3)\n"
        "class Mine(Dice):\n    def __init__(self):\n        super().__init__(from_logits=False)\n"
        f"def step(x, y):\n    logits = layer(x)\n    probs = logits.softmax(1)\n    return {call}\n"
    )
    project.put("torchlosslint.toml", DICE)
    other = ("--ignore", "TLL116")
    assert project.found(*other) == (["train.py:11 TLL115"] if wrong else [])
    project.put("pkg.py", IN_SIGHT)
    assert project.found(*other) == (["train.py:11 TLL115"] if wrong_in_sight else [])


def test_switches_where_the_constructor_is_told(project: Project) -> None:
    project.write(
        train=USE.replace("Focal()(", "Focal('cells', False)(").replace(
            "torch.softmax(layer(x), 1)", "layer(x)"
        )
    )
    declared = 'input = "logits"\nparameters = ["mode", "from_logits"]\n[[losses."pkg.Focal".switches]]\n'
    project.put(
        "torchlosslint.toml",
        f'[losses."pkg.Focal"]\n{declared}when.from_logits = false\ninput = "probabilities"\n',
    )
    (finding,) = project.json().findings
    assert finding["code"] == "TLL115"
    assert "(from_logits=False: so the configuration declares)" in finding["message"]
    assert "help: Apply softmax or sigmoid before it.\n" in project.run().out


@pytest.mark.parametrize(
    "source", ["", "def dice(y, scores, from_logits=True, level=0):\n    return scores.mean()\n"]
)
def test_switches_of_a_function(project: Project, source: str) -> None:
    project.put(
        "torchlosslint.toml",
        '[losses."pkg.dice"]\ninput = "logits"\narguments = ["y", "scores"]\nargument = "scores"\n'
        'switches = [{ when = { from_logits = false }, input = "probabilities" }]\n',
    )
    if source:
        project.put("pkg.py", source)
    for call, wrong in (
        ("dice(y, layer(x))", False),
        ("dice(y, layer(x), from_logits=False)", True),
        ("dice(y, scores=layer(x), from_logits=False)", True),
        ("dice(y, layer(x), False)", bool(source)),
    ):
        head = "from torch import nn\nfrom pkg import dice\nlayer = nn.Linear(4, 3)\n"
        project.write(train=f"{head}def step(x, y):\n    return {call}\n")
        assert project.found() == (["train.py:5 TLL115"] if wrong else []), call


MODEL = """\
import torch
from torch import nn
from pkg import build
net = build(3)
net = nn.DataParallel(net.to("cuda"))
net.train()
def step(x, y):
    return nn.CrossEntropyLoss()(net(x), y)
"""


@pytest.mark.parametrize(
    ("output", "code"),
    [
        ("probabilities", "TLL101"),
        ("independent-probabilities", "TLL103"),
        ("log-probabilities", "TLL102"),
        ("logits", ""),
        ("any", ""),
    ],
)
@pytest.mark.parametrize(
    "source", ["", "from torch import nn\ndef build(n):\n    return nn.Linear(4, n)\n", "class", "base"]
)
def test_what_a_model_gives(project: Project, output: str, code: str, source: str) -> None:
    project.write(train=MODEL)
    if source == "class":
        source = (
            "from torch import nn\nclass build(nn.Module):\n    def forward(self, x):\n        return x\n"
        )
    if source == "base":
        project.write(train=MODEL.replace("net = build(3)", "class Net(build):\n    pass\nnet = Net()"))
    elif source:
        project.put("pkg.py", source)
    project.put("torchlosslint.toml", f'[models."pkg.build"]\noutput = "{output}"\ndim = 1\n')
    line = 10 if source == "base" else 8
    assert project.found() == ([f"train.py:{line} {code}"] if code else [])


@pytest.mark.parametrize("kind", ["function", "class", "own function", "own class"])
def test_what_an_activation_gives(project: Project, kind: str) -> None:
    name, call = ("Sparse", "Sparse()(layer(x))") if "class" in kind else ("sparse", "sparse(layer(x))")
    project.write(
        train=USE.replace(
            "Focal()(torch.softmax(layer(x), 1), y)", f"nn.CrossEntropyLoss()({call}, y)"
        ).replace("Focal", name)
    )
    if kind == "own function":
        project.put("pkg.py", "def sparse(x):\n    return x\n")
    elif kind == "own class":
        project.put(
            "pkg.py",
            "from torch import nn\nclass Sparse(nn.Module):\n    def forward(self, x):\n        return x\n",
        )
    assert project.found() == []
    project.put("torchlosslint.toml", f'[activations."pkg.{name}"]\noutput = "probabilities"\n')
    outcome = project.json()
    assert outcome.found == ["train.py:6 TLL101"]
    assert f"probabilities from {name}" in outcome.findings[0]["message"]
    assert outcome.findings[0]["flow"][0]["note"] == f"{name} gives probabilities, as the configuration says"


def test_words_of_the_configuration_are_those_of_the_contracts() -> None:
    assert BY_NAME["losses"].fields[0].choices == tuple(INPUTS)
    assert BY_NAME["models"].fields[0].choices == BY_NAME["activations"].fields[0].choices == tuple(OUTPUTS)
