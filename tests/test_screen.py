"""The screen: import edges, triggers, and which files are needed."""

from __future__ import annotations

import ast
import sysconfig
import time
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from torchlosslint.contracts import registry
from torchlosslint.sources.screen import ImportEdge, Screened, has_trigger, imports, needed, screen

STDLIB = Path(sysconfig.get_paths()["stdlib"])


def edge(module: str, level: int = 0, *names: str) -> ImportEdge:
    return ImportEdge(module, level, names)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import a", [edge("a")]),
        ("import a.b as c, d , e.f as g  # h", [edge("a.b"), edge("d"), edge("e.f")]),
        ("from a import b", [edge("a", 0, "b")]),
        ("from a.b import c as d, e", [edge("a.b", 0, "c", "e")]),
        ("from . import a", [edge("", 1, "a")]),
        ("from .. import a", [edge("", 2, "a")]),
        ("from ...a.b import c", [edge("a.b", 3, "c")]),
        ("from .import a", [edge("", 1, "a")]),
        ("from . a import b", [edge("a", 1, "b")]),
        ("from a import *", [edge("a", 0, "*")]),
        ("from a import(b,c)", [edge("a", 0, "b", "c")]),
        (
            "from a import (  # why (\n    b as x,  # not ), this\n    c,\n\n    # d\n)\nimport e",
            [edge("a", 0, "b", "c"), edge("e")],
        ),
        ("from a import b, \\\n    c\nimport d", [edge("a", 0, "b", "c"), edge("d")]),
        ("from a \\\n  import b", [edge("a", 0, "b")]),
        ("x = 1\r\nfrom a \\\r\n  import b", [edge("a", 0, "b")]),
        ("from a import \\\r\n  (b,\r\n c)\r\n", [edge("a", 0, "b", "c")]),
        ("import a, \\\n   b", [edge("a"), edge("b")]),
        ("x = 1; import a; from b import c; y", [edge("a"), edge("b", 0, "c")]),
        ("try: import a\nexcept ImportError: from b import c", [edge("a"), edge("b", 0, "c")]),
        ("def f():\n\tif x:\n\t\tfrom .a import b", [edge("a", 1, "b")]),
        ("import a\rimport b\r\nimport c", [edge("a"), edge("b"), edge("c")]),
        ("import a\nimport a", [edge("a")]),
        ("m = importlib.import_module('a.b')", [edge("a.b")]),
        ('m = import_module(\n    "..a", __package__)', [edge("a", 2)]),
        ("m = __import__('a')", [edge("a")]),
        ("import_module(name)", []),
        ("important = 1\nreimport a\n# import a\nx.import_ = 1\nprint('import a')", []),
        ("from é import ü", [edge("é", 0, "ü")]),
        ("\ufeffimport a", [edge("a")]),
        ("import", []),
        ("from a import (", []),
    ],
)
def test_import_edges(text: str, expected: list[ImportEdge]) -> None:
    assert list(screen(text.encode()).imports) == expected


@pytest.mark.parametrize("folder", ["asyncio", "unittest", "json", "email", "importlib", "concurrent"])
def test_edges_of_real_files_are_those_of_ast(folder: str) -> None:
    for path in (STDLIB / folder).rglob("*.py"):
        data = path.read_bytes()
        expected = set()
        for node in ast.walk(ast.parse(data)):
            if isinstance(node, ast.Import):
                expected |= {edge(alias.name) for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                expected.add(edge(node.module or "", node.level, *(alias.name for alias in node.names)))
        assert expected <= set(imports(data)), path


def test_every_loss_of_torch_is_a_trigger() -> None:
    for contract in registry.ALL:
        for name in (contract.module, contract.function, *contract.aliases, *contract.deprecated_names):
            last = name.rpartition(".")[2]
            if last:
                assert has_trigger(f"x = nn.{last}(a, b)\n".encode()), last
                assert has_trigger(f"from torch.nn import {last} as L\n".encode()), last
                assert has_trigger(f"x = getattr(F, '{last}')\n".encode()), last


@pytest.mark.parametrize(
    "text",
    [
        "criterion = FocalLoss()",
        "from x import DiceLoss as D",
        "import monai.losses\nmonai.losses.DiceCELoss",
        "sigmoid_focal_loss(a, b)",
        "loss = criterion(a, b)",
        "return loss_fn(a, b)",
        "l.backward()",
        "accelerator.backward(l)",
        "def training_step(self, batch): ...",
        "def validation_step(self, batch): ...",
        "def compute_loss(self, model, inputs): ...",
        "losses(a, b)",
        "from torch.distributions import Categorical",
        "x = torch.log(F.softmax(x, dim=1) + 1e-8)",
        "p = torch.sigmoid(x)\nl = -(y * torch.log(p)).mean()",
        "x.softmax(-1).log()",
        "torch.log_softmax(x, 1)",
        "nn.LogSoftmax(dim=1)",
        "F.logsigmoid(x)",
        "F.kl_div(a, b)",
    ],
)
def test_triggers(text: str) -> None:
    assert has_trigger(text.encode())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "import torch\nx = torch.relu(y)",
        "class Net(nn.Module):\n    def forward(self, x):\n        return F.softmax(self.fc(x), dim=1)",
        "logging.info('across the glossary, lossless')",
        "compression = lossy",
        "w = math.log(10000.0)\nx = softmax(a)",
        "logger = logging.getLogger()\n" + "x = 1\n" * 100 + "y = sigmoid(x)",
    ],
)
def test_no_triggers(text: str) -> None:
    assert not has_trigger(text.encode())


def test_words_of_the_configuration_are_triggers() -> None:
    assert not screen(b"my_objective(a, b)").triggers
    assert screen(b"my_objective(a, b)", (b"my_objective",)).triggers


def closure(texts: dict[str, str]) -> set[str]:
    """`needed` over files that import one another by their bare names."""
    files = {name: screen(text.encode()) for name, text in texts.items()}
    return needed(files, lambda path, edge: [edge.module])


def test_needed_are_triggers_importers_and_what_they_import() -> None:
    texts = {
        "train": "import losses, model, data",
        "main": "import train, plots",
        "losses": "criterion = nn.CrossEntropyLoss()",
        "model": "import blocks",
        "blocks": "",
        "data": "",
        "plots": "",
        "tools": "import data",
        "alone": "",
    }
    assert closure(texts) == {"train", "main", "losses", "model", "blocks", "data", "plots"}


def test_nothing_is_needed_without_a_trigger() -> None:
    assert closure({"a": "import b", "b": "import a"}) == set()
    assert closure({}) == set()


def test_cycles_and_strangers() -> None:
    texts = {"a": "import b, numpy", "b": "import a, c", "c": "loss = f(x)", "d": "import e", "e": "import d"}
    assert closure(texts) == {"a", "b", "c"}


NAMES = st.sampled_from("abcdefgh")


@given(st.dictionaries(NAMES, st.tuples(st.sets(NAMES), st.booleans())))
def test_needed_is_closed(graph: dict[str, tuple[set[str], bool]]) -> None:
    files = {
        name: Screened(tuple(edge(other) for other in sorted(others)), trigger)
        for name, (others, trigger) in graph.items()
    }
    result = needed(files, lambda path, edge: [edge.module])
    assert result <= set(files)
    assert {name for name, screened in files.items() if screened.triggers} <= result
    for name in result:
        assert {e.module for e in files[name].imports} & set(files) <= result
    assert bool(result) == any(screened.triggers for screened in files.values())


@given(st.binary(max_size=200))
def test_any_bytes_are_screened(data: bytes) -> None:
    screen(data)
    screen(b"from " + data + b" import " + data)


def test_hostile_bytes_take_no_time() -> None:
    start = time.process_time()
    for data in (
        b"from " + b". " * 100_000 + b"import x",
        b"from " * 100_000 + b"import x",
        b"import " * 100_000,
        b"import a, \\\n" * 50_000,
        b"from a import (" * 20_000,
        b"softmax(log(" * 50_000,
        b"loss" * 100_000,
        b"import x\\\n" * 50_000,
    ):
        screen(data)
    assert time.process_time() - start < 5
