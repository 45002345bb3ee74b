"""Import names to files: where Python would look, in the order in which it would."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from torchlosslint.program.program import Program
from torchlosslint.program.resolve import Resolver
from torchlosslint.sources.screen import ImportEdge
from torchlosslint.syntax import ir


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def touch(*paths: str) -> None:
    for path in paths:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).touch()


def absolute(dotted: str, script_folder: str = "", *roots: str) -> str | None:
    hit = Resolver(roots or ("",)).absolute(dotted, script_folder)
    return hit[0].replace(os.sep, "/") if hit is not None else None


def relative(module: str, level: int, folder: str) -> str | None:
    hit = Resolver([""]).relative(module, level, folder)
    return hit[0].replace(os.sep, "/") if hit is not None else None


# ---- where absolute imports are looked for ---------------------------------------------


def test_the_folder_of_the_script_comes_first() -> None:
    touch("model.py", "a/model.py", "b/train.py")
    assert absolute("model", "a") == "a/model.py"
    assert absolute("model", "b") == "model.py"
    assert absolute("model") == "model.py"


def test_then_the_argument_then_its_src_then_further_roots() -> None:
    touch("src/losses.py", "src/model.py", "model.py", "lib/losses.py", "lib/only.py")
    assert absolute("model", "scripts") == "model.py"
    assert absolute("losses", "scripts") == "src/losses.py"
    assert absolute("losses", "scripts", "", "lib") == "src/losses.py"
    assert absolute("only", "scripts", "", "lib") == "lib/only.py"
    assert absolute("only", "scripts") is None


def test_src_of_a_folder_on_the_command_line() -> None:
    touch("project/src/pkg/__init__.py", "project/src/pkg/model.py", "project/tests/check.py")
    assert absolute("pkg.model", "project/tests", "project") == "project/src/pkg/model.py"


def test_an_argument_inside_a_package() -> None:
    touch("repo/pkg/__init__.py", "repo/pkg/models/__init__.py", "repo/pkg/models/net.py", "repo/setup.py")
    for inside in ("repo/pkg/models", "repo/pkg"):
        assert absolute("pkg.models.net", inside, inside) == "repo/pkg/models/net.py"


def test_an_argument_that_is_a_package_in_the_working_directory() -> None:
    touch("pkg/__init__.py", "pkg/net.py")
    assert absolute("pkg.net", "pkg", "pkg") == "pkg/net.py"


def test_the_working_directory_is_inside_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    touch("pkg/__init__.py", "pkg/net.py", "pkg/train.py")
    monkeypatch.chdir("pkg")
    found = absolute("pkg.net", "", ".")
    assert found is not None
    assert Path(found).samefile("net.py")


def test_absolute_paths(project: Path) -> None:
    touch("repo/pkg/__init__.py", "repo/pkg/net.py")
    root = str(project / "repo" / "pkg")
    assert absolute("pkg.net", root, root) == (project / "repo/pkg/net.py").as_posix()


def test_what_is_not_there() -> None:
    touch("model.py", "pkg/__init__.py")
    assert absolute("missing") is None
    assert absolute("model.net") is None
    assert absolute("pkg.net") is None
    assert absolute("model", "no/such/folder", "no/such/root") is None


# ---- what a name stands for ------------------------------------------------------------


def test_a_package_wins_over_a_file_and_a_file_over_a_plain_folder() -> None:
    touch("both/__init__.py", "both.py", "plain/part.py", "plain.py")
    resolver = Resolver([""])
    assert resolver.absolute("both", "") == ("both", True)
    assert resolver.absolute("plain", "") == ("plain.py", False)


def test_a_namespace_folder() -> None:
    touch("space/deep/net.py", "empty/readme.txt")
    assert absolute("space.deep.net") == "space/deep/net.py"
    assert Resolver([""]).absolute("space", "") == ("space", True)
    assert absolute("empty") is None


@pytest.mark.parametrize("library", ["torch", "torchvision", "numpy", "transformers", "timm"])
def test_a_folder_of_data_is_not_the_library(library: str) -> None:
    touch(f"{library}/convert.py", f"{library}/nn/readme.py")
    assert absolute(library) is None
    assert absolute(f"{library}.nn") is None
    touch(f"{library}/__init__.py")
    assert absolute(library) == library, "a package of that name does shadow it"


def test_a_nearer_module_hides_a_package_of_the_same_name() -> None:
    touch("scripts/utils.py", "utils/__init__.py", "utils/losses.py")
    assert absolute("utils", "scripts") == "scripts/utils.py"


def test_a_nearer_folder_without_the_module_does_not_hide_the_package() -> None:
    touch("scripts/utils/plot.py", "utils/__init__.py", "utils/losses.py")
    assert absolute("utils.losses", "scripts") == "utils/losses.py"


def test_names_are_told_apart_by_case() -> None:
    touch("Model.py")
    assert absolute("model") is None
    assert absolute("Model") == "Model.py"


def test_a_folder_that_ends_in_py() -> None:
    Path("model.py").mkdir()
    resolver = Resolver([""])
    program = Program(resolver, lambda path: None)
    hit = resolver.absolute("model", "")
    assert hit is None or program.at(hit).body == []


# ---- relative imports ------------------------------------------------------------------


@pytest.fixture
def package() -> None:
    touch(
        *("pkg/__init__.py", "pkg/net.py", "pkg/a/__init__.py", "pkg/a/net.py"),
        *("pkg/a/b/__init__.py", "pkg/a/b/net.py", "net.py"),
    )


@pytest.mark.usefixtures("package")
@pytest.mark.parametrize(
    ("module", "level", "folder", "found"),
    [
        ("net", 1, "pkg/a/b", "pkg/a/b/net.py"),
        ("net", 2, "pkg/a/b", "pkg/a/net.py"),
        ("net", 3, "pkg/a/b", "pkg/net.py"),
        ("net", 4, "pkg/a/b", "net.py"),
        ("a.b.net", 1, "pkg", "pkg/a/b/net.py"),
        ("a.net", 3, "pkg/a/b", "pkg/a/net.py"),
        ("", 1, "pkg/a", "pkg/a"),
        ("", 2, "pkg/a", "pkg"),
        ("missing", 1, "pkg", None),
        ("net.inner", 1, "pkg", None),
        ("net", 1, "", "net.py"),
        ("nothing", 9, "pkg", None),
    ],
)
def test_relative(module: str, level: int, folder: str, found: str | None) -> None:
    assert relative(module, level, folder) == found


@pytest.mark.usefixtures("package")
def test_relative_above_the_argument(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("pkg/a")
    hit = Resolver(["b"]).relative("net", 3, "b")
    assert hit is not None
    assert Path(hit[0]).samefile("../net.py")


INIT, A_INIT = "pkg/__init__.py", "pkg/a/__init__.py"

# ---- the files of an import -------------------------------------------------------------


@pytest.mark.usefixtures("package")
@pytest.mark.parametrize(
    ("edge", "path", "files"),
    [
        (ImportEdge("pkg.a.net", 0, ()), "x.py", {INIT, A_INIT, "pkg/a/net.py"}),
        (ImportEdge("pkg.a", 0, ("net", "Net")), "x.py", {INIT, A_INIT, "pkg/a/net.py"}),
        (ImportEdge("pkg", 0, ("*",)), "x.py", {INIT}),
        (ImportEdge("net", 1, ("Net",)), "pkg/a/x.py", {"pkg/a/net.py"}),
        (ImportEdge("", 1, ("net",)), "pkg/a/x.py", {A_INIT, "pkg/a/net.py"}),
        (ImportEdge("", 2, ("net", "a")), "pkg/a/x.py", {INIT, "pkg/net.py", A_INIT}),
        (ImportEdge("torch.nn", 0, ("Linear",)), "x.py", set()),
        (ImportEdge("pkg.missing", 0, ()), "x.py", {INIT}),
    ],
)
def test_files_of_an_edge(edge: ImportEdge, path: str, files: set[str]) -> None:
    assert {p.replace(os.sep, "/") for p in Resolver([""]).files_of(edge, path)} == files


# ---- modules are made once ---------------------------------------------------------------


def program(*roots: str) -> tuple[Program, list[str]]:
    parsed: list[str] = []

    def parse(path: str) -> ir.Module | None:
        parsed.append(path.replace(os.sep, "/"))
        return None

    return Program(Resolver(roots or ("",)), parse), parsed


@pytest.mark.usefixtures("package")
def test_one_module_however_it_is_reached() -> None:
    made, parsed = program()
    script = made.file("train.py")
    direct = made.find("pkg.a.net", script)
    top = made.find("pkg", script)
    assert direct is not None
    assert top is not None
    inner = made.submodule(top, "a")
    assert inner is not None
    assert made.submodule(inner, "net") is direct
    assert made.find_relative("net", 1, inner) is direct
    assert made.file(direct.path) is direct
    assert sorted(parsed) == sorted(set(parsed))


@pytest.mark.usefixtures("package")
def test_what_modules_know_of_themselves() -> None:
    made, _ = program()
    script = made.file("train.py")
    package = made.find("pkg.a", script)
    assert package is not None
    assert (package.name, package.is_package, package.folder) == ("a", True, os.path.join("pkg", "a"))
    net = made.find("pkg.a.net", script)
    assert net is not None
    assert (net.name, net.is_package) == ("net", False)
    assert made.submodule(net, "anything") is None
    assert made.find("missing", script) is None
    assert made.find_relative("missing", 2, net) is None


def test_a_namespace_folder_is_a_module_without_a_file() -> None:
    touch("space/net.py")
    made, parsed = program()
    space = made.find("space", made.file("train.py"))
    assert space is not None
    assert (space.path, space.state, space.is_package) == ("", "done", True)
    assert made.find("space", made.file("train.py")) is space
    net = made.submodule(space, "net")
    assert net is not None
    assert parsed == ["train.py", "space/net.py"]


def test_what_was_asked_is_found_again() -> None:
    """Also the empty names of what only looks like an import."""
    touch("a/__init__.py", "a/b.py", "c/d.py")
    resolver = Resolver([""]).recording()
    for name in ("a", "a.b", "a.x", "c.d", "", "a."):
        resolver.absolute(name, "")
    resolver.is_package("c")
    assert resolver.asked is not None
    assert resolver.asked["a", "b"] == "f"
    assert {key: Resolver([""]).kind(*key) for key in resolver.asked} == resolver.asked
