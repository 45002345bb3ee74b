# ruff: noqa: E501, PT018
"""Programs that nobody would write but to hurt whoever reads them.

Each ends in one loss with a mistake. It must be found, or the file named as too large to follow; the
interpreter must stay within its steps; and values that double with each statement must not be held.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from torchlosslint.cli.main import main
from torchlosslint.config import Settings
from torchlosslint.engine import lint
from torchlosslint.finding import IN_PART, Report
from torchlosslint.flow import facts
from torchlosslint.flow.entries import FURTHER_STEPS, STEPS_PER_LINE
from torchlosslint.flow.interpreter import Interpreter
from torchlosslint.flow.machine import LEAST_STEPS, MAX_STEPS
from torchlosslint.flow.values import MAX_NESTING, MAX_PARTS, Const, Guard, TupleV, Unknown, fresh_uid
from torchlosslint.sources import notebook
from torchlosslint.sources.decode import split_lines

HEAD = "import copy\nimport functools\nimport sys\nimport torch\nimport torch.nn as nn\nimport torch.nn.functional as F\n"
TAIL = "\nF.cross_entropy(torch.softmax(nn.Linear(3, 4)(torch.randn(2, 3)), 1), torch.zeros(2).long()).backward()\n"


def again(line: str, times: int = 60) -> str:
    return (line + "\n") * times


def linted(path: Path) -> Report:
    return lint([path], Settings(no_cache=True, verbose=True, confidence="possible"))


DOUBLING = {
    "list": "a = [1, 2]\n" + again("a = a + a"),
    "tuple": "a = (1, 2)\n" + again("a = a + a"),
    "spread": "a = [1]\n" + again("a = [*a, *a]"),
    "nested": "a = b = (1, 2)\n" + again("a = (a, a)\nb = (b, b)") + "c = a if sys.argv else b\n",
    "attribute": "class A(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.a = (1, 2)\n"
    + again("        self.a = (self.a, self.a)")
    + "    def forward(self, x):\n        return x\nA()(copy.deepcopy(A()))\n",
    "either": "def f(" + ", ".join(f"a{i}" for i in range(40)) + "):\n    x = 0\n"
    + "".join(f"    x = (x, 1) if a{i} else (2, x)\n" for i in range(40))
    + "    return F.cross_entropy(x, a0)\n",
    "dict": "a = {}\n" + again("a = {'x': a, 'y': a}") + "copy.deepcopy(a)\n",
    "partial": "a = functools.partial(print)\n" + again("a = functools.partial(a, a)"),
    "number": "a = 3\n" + again("a = a * a") + "b = f'{a}'\n",
    "f-string": "a = 'xy'\n" + again("a = f'{a}{a}'"),
    "format": "a = 'xy'\n" + again("a = '{0}{0}'.format(a)"),
    "replace": "a = 'xx'\n" + again("a = a.replace('x', 'xx')"),
    "unknown key": "def f(x):\n" + again("    x = x[x]") + "    return F.cross_entropy(x, 3 if x else 4)\n",
    "layers": "m = nn.Linear(3, 3)\n" + again("m = nn.Sequential(m, m)") + "m(torch.randn(2, 3))\n",
    "lambdas": "f0 = lambda x: x\n"
    + "".join(f"f{i} = lambda x: f{i - 1}(f{i - 1}(x))\n" for i in range(1, 60))
    + "f59(torch.randn(2, 3))\n",
    "properties": "class A:\n"
    + "".join(f"    @property\n    def p{i}(self): return (self.p{i + 1}, self.p{i + 1})\n" for i in range(60))
    + "    p60 = 1\nA().p0\n",
    "comprehension": "x = [1 " + " ".join(f"for a{i} in range(30)" for i in range(20)) + "]\n",
    "loops": "".join(" " * i + f"for a{i} in range(30):\n" for i in range(15)) + " " * 15 + "pass\n",
    "functions": "".join(
        f"def f{i}(x):\n    return {' + '.join(f'f{j}(x)' for j in range(8))}\n" for i in range(8)
    )
    + "f0(torch.randn(2, 3))\n",
    "generators": "def g0(): yield 1\n"
    + "".join(f"def g{i}():\n    yield from g{i - 1}()\n    yield from g{i - 1}()\n" for i in range(1, 40))
    + "list(g39())\n",
    "paths": "def f(x, " + ", ".join(f"a{i}" for i in range(40)) + "):\n"
    + "".join(f"    if a{i}: x = nn.Linear(3, {i + 1})(x)\n    else: x = F.relu(x)\n" for i in range(40))
    + "    return F.cross_entropy(x, a0)\n",
    "diamonds": "class A0: pass\nclass B0: pass\n"
    + "".join(f"class A{i}(A{i - 1}, B{i - 1}): pass\nclass B{i}(A{i - 1}, B{i - 1}): pass\n" for i in range(1, 40)),
}  # fmt: skip

LONG = {
    "attributes by statement": "def f(x):\n" + again("    x = x.next", 1000) + "    return F.cross_entropy(x, x)\n",
    "subclasses": "class A0(nn.Module): pass\n"
    + "".join(f"class A{i}(A{i - 1}):\n    def forward(s, x): return super().forward(x)\n" for i in range(1, 400))
    + "A399()(torch.randn(2, 3))\n",
    "bases": "".join(f"class A{i}: pass\n" for i in range(500))
    + f"class B({', '.join(f'A{i}' for i in range(500))}): pass\nB().x\n",
    "layers": "m = nn.Sequential()\n" + again("m.append(nn.Linear(3, 3))", 500) + again("m(torch.randn(2, 3))"),
    "range": "m = nn.Sequential(*[nn.Linear(3, 3) for _ in range(10**12)])\nm(torch.randn(2, 3))\n"
    "list(range(10**30))\nl = [nn.ReLU()] * 10**9\nnn.Sequential(*l)(torch.randn(2, 3))\n",
    "losses": "l = 0\nx = nn.Linear(3, 4)(torch.randn(2, 3))\n"
    + again("l = l + F.cross_entropy(x, x.argmax(1))", 300)
    + "l.backward()\n",
    "string": f"a = {'x' * 60_000!r}\na.split('x')\na + a\n[c for c in a]\na.replace('x', 'y' * 1000)\n",
    "name": "a" * 60_000 + " = 1\n",
    "tensor": "x = torch.randn(10**6, 10**6)\n" + again("x = x.repeat(1000, 1000).flatten()") + "x.view(-1)\n",
}  # fmt: skip

CIRCLES = {
    "list": "a = []\na.append(a)\nb = {'a': a}\nb['b'] = b\ncopy.deepcopy(b)\na + a == a\nnn.Sequential(*a)(torch.ones(2))\n"
    "sum(a)\nF.cross_entropy(a, b)\ntorch.stack(a)\nhash((a, b))\n{**b, **b}\n",
    "layer": "m = nn.Sequential(nn.Linear(3, 3))\nm.append(m)\nm(torch.ones(2, 3))\nm.eval()\nm.cuda()\nlist(m.modules())\n",
    "module": "class A(nn.Module):\n    def __init__(s):\n        super().__init__()\n        s.me = s\n        s.all = [s]\n"
    "    def forward(s, x): return s.me(x)\nm = A()\nF.cross_entropy(m(torch.ones(2, 3)), m)\nm.me.me.me = m\nm.train()\n",
    "class": "class A(A): pass\nclass B(C): pass\nclass C(B): pass\nclass M(type):\n    def __call__(cls, *a): return cls(*a)\n"
    "    def __getattr__(cls, n): return getattr(cls, n)\nclass E(metaclass=M):\n    def __getattr__(s, n): return getattr(s, n)\n"
    "    def __call__(s, *a): return s(*a)\n    def __iter__(s): return iter(s)\n    def __len__(s): return len(s)\n"
    "    def __getitem__(s, i): return s[i]\n    def __add__(s, o): return s + o\n"
    "e = E()\ne.x\ne(1)\nfor i in e: i\nlen(e)\ne[0]\ne + e\n[*e]\na, b = e\nE.__bases__ = (E,)\n",
    "decorator": "def d(f): return d(f)\n@d\ndef g(x): return g(x)\ng(1)\n@g\nclass A:\n    @d\n    @property\n    def x(s): return s.x\n"
    "A().x\n",
    "names": "def f():\n    global x, f\n    y = 1\n    x = f\n    f = x\n    def g():\n        nonlocal y\n        y = g\n        return g\n"
    "    return g()\nf()()()\nx()\ndel f, x\nf()\n",
}  # fmt: skip

ODD = {
    "fields": "'{0.foo}'.format('x')\n'{0[a]}'.format('x')\n'{!z}'.format(1)\n'{:{}}'.format(1, 99999999)\n'}{'.format(1)\n",
    "numbers": "a = 1e999\nc = a - a\nx = torch.randn(1, 2, 3, 4)\nF.interpolate(x, scale_factor=c)\n"
    "F.interpolate(x, scale_factor=a)\nint(a)\nround(c)\n5 // 0\n5 % 0\n0 ** -1\n(-8) ** 0.5\n[1][::0]\n'x'[::0]\n"
    "nn.Conv2d(0, 0, 0, stride=0)(x)\nnn.MaxPool2d(0)(x)\nx.view(0, 0)\nx.view(-1, -1)\nx.view(c, a)\nF.pad(x, (c, a))\n"
    "F.one_hot(x, -1)\nx.chunk(0)\nx.split(-1)\nnn.PixelShuffle(0)(x)\nx[c:a:0]\nx[..., ..., None]\nx.permute(9)\n"
    "str(10 ** 30)\nint('9' * 5000)\nx.expand(10**18, 10**18)\ntorch.zeros(10**18).unbind()\n",
    "steps of zero": "x = torch.randn(8, 4)\nx[0:-1:0]\nx[::0, 1]\nl = [1, 2]\nl[::0]\n'abc'[::0]\nnn.Sequential(nn.ReLU())[::0]\n",
    "digits": "m = nn.Sequential(nn.ReLU())\ngetattr(m, '\\u00b2')\nm['\\u00b2']\nm.add_module('\\u00b2', m)\n",
    "surrogates": "a = '\\ud800'\nF.cross_entropy(a, '\\udfff')\nsetattr(torch, a, a)\n",
}  # fmt: skip


@pytest.mark.parametrize(
    "program",
    [
        pytest.param(text, id=f"{kind}: {name}")
        for kind, programs in (("doubling", DOUBLING), ("long", LONG), ("circle", CIRCLES), ("odd", ODD))
        for name, text in programs.items()
    ],
)
def test_a_hostile_program_is_followed_or_named(program: str, tmp_path: Path) -> None:
    path = tmp_path / "program.py"
    path.write_text(HEAD + program + TAIL)
    report = linted(path)
    assert {s.reason for s in report.skipped} <= {IN_PART}
    line = path.read_text().count("\n")
    found = any(f.code == "TLL101" and f.location.line == line for f in report.findings)
    assert found or report.skipped


def test_a_value_has_a_bounded_number_of_parts() -> None:
    value = TupleV((Const(1), Const(2)))
    for _ in range(100):
        value = TupleV((value, value, Const(3)))
        assert value.parts <= MAX_PARTS and value.nesting <= MAX_NESTING
        assert value.items[2] == Const(3)
    assert len(TupleV(tuple(Const(i) for i in range(MAX_PARTS + 1))).items) == 1


def test_the_key_of_an_unknown_does_not_grow_for_ever() -> None:
    value = Unknown("x")
    assert value.derived("attr", "a") == value.derived("attr", "a")
    sizes = []
    for _ in range(200):
        value = value.derived("item", value)
        sizes.append(value.size)
    assert max(sizes) < 100


MANY = {
    "cases": "def f(x, a):\n  match a:\n" + "".join(f"    case {i}: x = x + {i}\n" for i in range(400)),
    "ifs": "def f(x, a):\n" + "".join(f"  if a[{i}]: x = x + {i}\n" for i in range(400)),
    "returns": "def f(x, a):\n" + "".join(f"  if a == {i}: return F.softmax(x, {i})\n" for i in range(400)),
}  # fmt: skip


@pytest.mark.parametrize("kind", MANY)
def test_what_is_known_of_a_value_stays_small(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The guards of alternatives are compared with one another: their facts must not grow with the lines."""
    compared = 0
    whole = facts._compatible

    def compatible(a: Guard, b: Guard) -> bool:
        nonlocal compared
        compared += min(len(a), len(b))
        return whole(a, b)

    monkeypatch.setattr(facts, "_compatible", compatible)
    (tmp_path / "program.py").write_text(HEAD + MANY[kind] + "  F.cross_entropy(x, a)\n" + TAIL)
    assert "TLL101" in [f.code for f in linted(tmp_path / "program.py").findings]
    assert compared < 400 * 200


CALLS = {
    "back": "".join(f"def f{i}(x, y):\n    return f{max(i - 1, 0)}(x, f{max(i - 2, 0)}(x, y)) + F.cross_entropy(x, y)\n" for i in range(300)),
    "next": "".join(f"def f{i}(x, y):\n    return f{i + 1}(x, f{i + 2}(x, y)) + F.cross_entropy(x, y)\n" for i in range(300)),
    "generators": "".join(f"def f{i}(x):\n    yield from f{max(i - 1, 0)}(x)\n    yield F.cross_entropy(x, x)\n" for i in range(300)),
    "copies": "l = []\nm = nn.Linear(3, 4)\n" + again("l.append(copy.deepcopy(m))\nm.x = copy.deepcopy(l)", 300),
}  # fmt: skip


@pytest.mark.parametrize("kind", CALLS)
def test_all_that_is_done_is_linear_in_the_lines(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = Interpreter.begin_entry
    steps: list[int] = []

    def counted(self: Interpreter, limit: int = MAX_STEPS) -> None:
        steps.append(self.steps)
        begin(self, limit)

    monkeypatch.setattr(Interpreter, "begin_entry", counted)
    made = fresh_uid()
    path = tmp_path / "program.py"
    path.write_text(HEAD + CALLS[kind] + TAIL)
    report = linted(path)
    lines = path.read_text().count("\n")
    assert sum(steps) < MAX_STEPS + FURTHER_STEPS + STEPS_PER_LINE * lines + LEAST_STEPS * len(steps)
    assert fresh_uid() - made < 500_000
    assert {s.reason for s in report.skipped} <= {IN_PART}


@pytest.mark.parametrize("chain", ["a" + ".a" * 10_000, "a" + ".a()" * 10_000, "a" + "[0]" * 10_000])
def test_a_very_long_chain_is_refused_with_its_place(chain: str, tmp_path: Path) -> None:
    path = tmp_path / "program.py"
    path.write_text(HEAD + chain + TAIL)
    (finding,) = linted(path).findings
    assert (finding.code, finding.location.line) == ("TLL001", HEAD.count("\n") + 1)


def test_modules_that_shadow_libraries_and_import_one_another(tmp_path: Path) -> None:
    for name in ("torch", "typing", "numpy", "collections", "os"):
        (tmp_path / f"{name}.py").write_text(
            f"from {name} import *\nimport {name}\nimport a, b\n{name} = {name}\n"
        )
    (tmp_path / "a.py").write_text("from b import *\nimport a\nfrom a import a\n" + HEAD + TAIL)
    (tmp_path / "b.py").write_text("from a import *\nfrom . import b\nfrom .b import b\n" + HEAD + TAIL)
    (tmp_path / "x.py").mkdir()
    (tmp_path / "x.py" / "y.py").write_text("import x\n" + HEAD + TAIL)
    assert not linted(tmp_path).skipped


def test_links_and_names_of_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    outside.mkdir()
    inside.mkdir()
    (outside / "secret.py").write_text(HEAD + TAIL)
    (inside / "folder").symlink_to(outside)
    (inside / "loop").symlink_to(inside)
    (inside / "self.py").symlink_to(inside / "self.py")
    (inside / "user.py").write_text("import folder.secret\nimport loop.user\n")
    name = "new\nline\x1b[31m.py"
    (inside / name).write_text(
        HEAD + TAIL.replace("backward()", "backward()  # \x1b]0;title\x07\x9b31m\u202e")
    )
    assert main(["check", "--no-cache", str(inside)]) == 1
    output = capsys.readouterr().out
    assert "TLL101" in output and "secret" not in output
    assert not set(output) & set("\x1b\x07\x9b\u202e\r")
    assert "new\nline" not in output


def test_notebooks_that_are_huge_deep_or_broken(tmp_path: Path) -> None:
    cell = {"cell_type": "code", "source": HEAD + TAIL, "outputs": [], "metadata": {}}
    outputs = [{"output_type": "stream", "text": "x"}] * 100_000
    (tmp_path / "outputs.ipynb").write_text(json.dumps({"cells": [{**cell, "outputs": outputs}]}))
    (tmp_path / "cells.ipynb").write_text(json.dumps({"cells": [{**cell, "source": "1"}] * 3_000 + [cell]}))
    (tmp_path / "deep.ipynb").write_text('{"cells": ' + "[" * 100_000 + "]" * 100_000 + "}")
    (tmp_path / "odd.ipynb").write_text(
        json.dumps({"cells": [None, 1, [], {}, {"cell_type": "code", "source": {"a": 1}}], "metadata": []})
    )
    (tmp_path / "sheets.ipynb").write_text('{"worksheets": [null, {"cells": 3}, {"cells": null}]}')
    report = linted(tmp_path)
    assert sorted(Path(f.location.path).name for f in report.findings if f.code == "TLL101") == [
        "cells.ipynb",
        "outputs.ipynb",
    ]
    assert not any("internal" in s.reason for s in report.skipped)


def test_a_broken_notebook_is_not_split_for_each_cell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    split = 0

    def counted(text: str) -> list[str]:
        nonlocal split
        split += len(text)
        return split_lines(text)

    monkeypatch.setattr("torchlosslint.sources.notebook.split_lines", counted)
    cell = {"cell_type": "code", "source": "x = 1", "outputs": [], "metadata": {}}
    cells = [cell] * 500 + [{**cell, "source": "x = ("}, {**cell, "source": HEAD + TAIL}]
    (tmp_path / "book.ipynb").write_text(json.dumps({"cells": cells}))
    report = linted(tmp_path)
    assert sorted(f.code for f in report.findings) == ["TLL001", "TLL101"]
    assert split < 50_000


def test_what_is_far_up_the_bases_is_a_module_all_the_same(tmp_path: Path) -> None:
    bases = "class A0(nn.Module): pass\n" + "".join(f"class A{i}(A{i - 1}): pass\n" for i in range(1, 200))
    net = "class Net(A199):\n    def forward(self, x): return F.softmax(x, 1)\n"
    loss = "F.cross_entropy(Net()(nn.Linear(3, 4)(torch.randn(2, 3))), torch.zeros(2).long())\n"
    (tmp_path / "program.py").write_text(HEAD + bases + net + loss)
    assert [f.code for f in linted(tmp_path).findings] == ["TLL101"]


def benchmark() -> Any:
    """The makers of the benchmark's inputs."""
    folder = Path(__file__).resolve().parent.parent / "benchmarks"
    sys.path.insert(0, str(folder))
    try:
        return importlib.import_module("hostile")
    finally:
        sys.path.remove(str(folder))


@pytest.mark.parametrize("kind", benchmark().KINDS)
def test_the_inputs_of_the_benchmark_are_followed_or_named(kind: str, tmp_path: Path) -> None:
    made = benchmark().KINDS[kind](8_000)
    for name, text in ({"program.py": made} if isinstance(made, str) else made).items():
        (tmp_path / name).write_text(text)
    report = linted(tmp_path)
    assert not [s for s in report.skipped if "internal" in s.reason]
    assert report.findings or report.skipped


@pytest.mark.parametrize("line", ["!ls", "    %time x = 1", "x = (", "%d \\"])
def test_a_cell_of_magics_is_not_parsed_for_each(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed = 0
    whole = notebook._parses

    def parses(text: str) -> bool:
        nonlocal parsed
        parsed += len(text)
        return whole(text)

    monkeypatch.setattr(notebook, "_parses", parses)
    lines = ["!start", "if x:", "    y", *[line] * 3_000]
    assert len(notebook.plain(lines)) == len(lines)
    assert parsed < notebook.MAX_ASKED + 3 * len("\n".join(lines))


def test_a_line_of_nothing_ends_soon(tmp_path: Path) -> None:
    """Patterns that look at it twice at each place would take minutes."""
    line = " " * 90_000
    (tmp_path / "program.py").write_text(HEAD + TAIL + line + "x = 1\n")
    (tmp_path / "book.ipynb").write_text(
        json.dumps({"cells": [{"cell_type": "code", "source": HEAD + TAIL + line}]})
    )
    report = linted(tmp_path)
    assert sorted(f.code for f in report.findings) == ["TLL001", "TLL101"]


AUDIT = """
import sys
opened = []
def hook(event, args):
    if event == "open" and isinstance(args[0], str):
        opened.append((args[0], args[1], args[2]))
    if event in ("os.system", "subprocess.Popen", "os.exec", "socket.connect"):
        opened.append((event, "spawned", 0))
import torchlosslint.rule
torchlosslint.rule.load_rules()
sys.addaudithook(hook)
from torchlosslint.cli.main import main
try:
    main(["check", *sys.argv[1:]])
except SystemExit:
    pass
for path, mode, flags in opened:
    print("OPENED", mode, flags & 3, path)
"""


@pytest.mark.parametrize("cache", [False, True])
def test_only_the_given_paths_are_read_and_only_the_cache_is_written(cache: bool, tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    (outside / "other.py").write_text(HEAD + TAIL)
    (root / "link").symlink_to(outside)
    (root / "side.py").write_text("open('executed', 'w')\n" + HEAD + "net = nn.Linear(3, 4)\n")
    (root / "program.py").write_text(
        "import sys\nsys.path.insert(0, '../outside')\nimport other\nfrom side import net\n"
        "from ...outside import other\nimport link.other\nopen('executed', 'w')\n" + HEAD + TAIL
    )
    args = [sys.executable, "-c", AUDIT, *([] if cache else ["--no-cache"]), "."]
    done = subprocess.run(
        args, cwd=root, capture_output=True, text=True, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    )
    assert "TLL101" in done.stdout, done.stderr
    rows = [line.split(" ", 3)[1:] for line in done.stdout.splitlines() if line.startswith("OPENED")]
    assert any(row[2].endswith("program.py") for row in rows)
    assert not any("outside" in row[2] or row[0] == "spawned" for row in rows)
    assert not (root / "executed").exists()
    written = [row[2] for row in rows if row[1] != "0" and os.devnull not in row[2]]
    assert all(".torchlosslint_cache" in path for path in written) if cache else not written
    if not cache:
        assert sorted(p.name for p in root.iterdir()) == ["link", "program.py", "side.py"]
