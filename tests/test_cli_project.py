"""Files that are named, and read together with the rest of their repository."""

from __future__ import annotations

import pytest
from adoption import Project, project_

MODEL = """\
import torch.nn as nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Sequential(nn.Linear(4, 3), nn.Softmax(dim=1))
    def forward(self, x):
        return self.head(x)
"""
TRAIN = """\
import torch, torch.nn as nn
from lib.net import Net
loss = nn.CrossEntropyLoss()(Net()(torch.randn(2, 4)), torch.tensor([0, 1]))
"""
# A mistake of its own, which has nothing to do with the model.
OTHER = """\
import torch, torch.nn as nn
loss = nn.BCEWithLogitsLoss()(torch.sigmoid(nn.Linear(4, 3)(torch.randn(2, 4))), torch.ones(2, 3))
"""
FOUND = "tools/train.py:3 TLL101"

__all__ = ["project_"]


@pytest.fixture(autouse=True)
def repository(project: Project) -> Project:
    project.write(lib__net=MODEL, tools__train=TRAIN, tools__other=OTHER)
    return project


def test_a_named_file_imports_from_the_working_directory(project: Project) -> None:
    assert project.found("tools/train.py") == [FOUND]


@pytest.mark.parametrize("name", ["tools/train.py", "lib/net.py"])
def test_the_rest_of_the_project_is_read_along(project: Project, name: str) -> None:
    """Whether the loss or its cause is in the changed file, it is found, and nothing else is."""
    assert project.found("--project", ".", name) == [FOUND]


def test_without_a_project_a_model_alone_is_fine(project: Project) -> None:
    assert project.found("lib/net.py") == []


def test_only_what_was_asked_for_is_counted(project: Project) -> None:
    out = project.run("--project", ".", "lib/net.py").out
    assert "1 error; 1 file checked" in out
    assert "without class weights" not in out  # the whole repository's, and no commit's business
    assert "without class weights: 1" in project.run(".").out
    assert project.found("--project", ".", "tools/other.py") == ["tools/other.py:2 TLL104"]


def test_two_named_files_have_one_finding(project: Project) -> None:
    assert project.found("--project", ".", "lib/net.py", "tools/train.py") == [FOUND]


def test_a_folder_inside_a_project(project: Project) -> None:
    assert project.found("--project", ".", "lib") == [FOUND]


def test_a_path_outside_of_the_project_is_a_program_of_its_own(project: Project) -> None:
    assert project.found("--project", "lib", "tools/other.py") == ["tools/other.py:2 TLL104"]


def test_paths_keep_the_spelling_they_were_given_in(project: Project) -> None:
    assert project.found("--project", ".", "./tools/train.py") == [f"./{FOUND}"]


def test_a_broken_file_elsewhere_is_not_this_commit_s_business(project: Project) -> None:
    project.put("tools/old.py", 'print "loss"\nimport torch.nn\nnn.CrossEntropyLoss()\n')
    project.put("lib/binary.py", b"\0loss = CrossEntropyLoss")
    assert project.found("--project", ".", "lib/net.py") == [FOUND]
    assert "tools/old.py:1 TLL001" in project.found("--project", ".", "tools/old.py")


def test_suppressions_elsewhere_are_obeyed_and_not_called_unused(project: Project) -> None:
    project.put("tools/train.py", TRAIN.rstrip() + "  # torchlosslint: ignore[TLL101] a recipe\n")
    project.put("tools/other.py", "x = 1  # torchlosslint: ignore[TLL101] nothing here\n")
    assert project.found("--project", ".", "lib/net.py") == []
    assert project.found("--project", ".", "tools/other.py") == []


def test_a_project_that_is_no_folder(project: Project) -> None:
    assert "no such folder: nowhere" in project.fails("--project", "nowhere", "lib/net.py")
