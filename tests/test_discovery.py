"""Which files are looked at."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from torchlosslint.finding import Skipped
from torchlosslint.sources.discovery import Discovery, DiscoveryError, Root, discover

posix = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX files")


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory; paths in these tests are relative to it."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def make(*paths: str) -> None:
    for path in paths:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).touch()


def test_a_folder(tree: Path) -> None:
    make("p/b.py", "p/a/z.py", "p/a.py", "p/c.txt", "p/d.ipynb", "p/sub/deep/e.py", "q.py")
    assert discover(["p"]).roots == [
        Root("p", ("p/a.py", "p/a/z.py", "p/b.py", "p/d.ipynb", "p/sub/deep/e.py"))
    ]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (".", ["p/a.py"]),
        ("p", ["p/a.py"]),
        ("p/", ["p/a.py"]),
        ("./p", ["./p/a.py"]),
        ("p/../p", ["p/../p/a.py"]),
        ("p/a.py", ["p/a.py"]),
    ],
)
def test_paths_are_as_given_and_joined(tree: Path, given: str, expected: list[str]) -> None:
    make("p/a.py")
    assert discover([given]).files == expected
    assert discover([tree / "p"]).files == [f"{tree.as_posix()}/p/a.py"]


def test_folders_that_are_not_the_users_code(tree: Path) -> None:
    make(
        "a.py",
        ".hidden.py",
        "._a.py",
        ".git/hooks/x.py",
        ".tox/x.py",
        "__pycache__/x.py",
        "node_modules/m/x.py",
        "env/pyvenv.cfg",
        "env/lib/x.py",
        "conda/conda-meta/history",
        "conda/x.py",
        "build/lib/x.py",
        "dist/x.py",
        "old/site-packages/m/x.py",
        "pkg/dist/__init__.py",
        "pkg/dist/x.py",
        "x.py/inner.py",
    )
    found = discover(["."])
    assert found.files == ["a.py", "pkg/dist/__init__.py", "pkg/dist/x.py", "x.py/inner.py"]
    assert found.skipped == [
        Skipped("build", "build output"),
        Skipped("conda", "virtual environment"),
        Skipped("dist", "build output"),
        Skipped("env", "virtual environment"),
        Skipped("old/site-packages", "installed packages"),
    ]


@pytest.mark.parametrize("folder", [".hidden", "build", "env", "lib/site-packages", "node_modules"])
def test_what_is_named_is_looked_at(tree: Path, folder: str) -> None:
    make(f"{folder}/x.py", "env/pyvenv.cfg")
    assert discover([folder]).files == [f"{folder}/x.py"]


def test_named_files(tree: Path) -> None:
    make("script", "a.py", "nb.ipynb", "notes.txt", "d/b.py")
    found = discover(["script", "a.py", "nb.ipynb", "notes.txt", "d/b.py"])
    assert found.roots == [Root(".", ("script", "a.py", "nb.ipynb")), Root("d", ("d/b.py",))]
    assert found.named == {"script", "a.py", "nb.ipynb", "d/b.py"}
    assert found.skipped == [
        Skipped("notes.txt", "not a Python file"),
    ]


def test_overlapping_paths_give_each_file_once(tree: Path) -> None:
    make("p/a.py", "p/q/b.py")
    found = discover(["p/q", "p", "p/a.py", "./p"])
    assert found.roots == [Root("p/q", ("p/q/b.py",)), Root("p", ("p/a.py",))]
    assert found.named == {"p/a.py"}


def test_missing_paths(tree: Path) -> None:
    make("a.py")
    with pytest.raises(DiscoveryError, match=r"no such file or folder: b\.py; no such file or folder: c"):
        discover(["a.py", "b.py", "c"])


def test_an_empty_folder(tree: Path) -> None:
    make("p/readme.md")
    assert discover(["p"]) == Discovery(skipped=[Skipped("p", "no Python files in this folder")])


@posix
def test_links(tree: Path) -> None:
    make("p/real.py", "p/sub/b.py", "other/c.py")
    os.symlink("..", "p/sub/loop")
    os.symlink("self", "p/self")
    os.symlink("../other", "p/elsewhere")
    os.symlink("real.py", "p/again.py")
    os.symlink("../other/c.py", "p/linked.py")
    os.symlink("gone.py", "p/dangling.py")
    found = discover(["p"])
    assert found.files == ["p/linked.py", "p/real.py", "p/sub/b.py"]
    assert found.skipped == [Skipped("p/dangling.py", "a link to a file that does not exist")]
    assert discover(["p/elsewhere"]).files == ["p/elsewhere/c.py"]


@posix
def test_things_that_are_not_files(tree: Path) -> None:
    make("p/a.py")
    os.mkfifo("p/pipe.py")
    assert discover(["p"]).files == ["p/a.py"]
    with pytest.raises(DiscoveryError, match="neither a file nor a folder"):
        discover(["p/pipe.py"])


def test_a_folder_that_cannot_be_read_is_an_error_of_its_own(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make("p/a.py", "p/closed/b.py", "p/gone/c.py")
    real = os.scandir

    def scandir(path: str) -> object:
        if path == "p/closed":
            raise PermissionError(13, "Permission denied")
        if path == "p/gone":
            raise FileNotFoundError(2, "No such file or directory")
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    found = discover(["p"])
    assert found.files == ["p/a.py"]
    assert [(e.path, e.message) for e in found.errors] == [
        ("p/closed", "cannot read the folder: no permission")
    ]
