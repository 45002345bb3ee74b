"""Made-up programs whose mistake is known beforehand, written down in many ways.

A program is an activation, a loss, and a dozen choices of how to say it, none of which changes
what it does. What a loss thinks of an activation is in a table of its own here.
"""

from __future__ import annotations

import ast
import random
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from rewriting import reordered, spread

from torchlosslint.config import Settings
from torchlosslint.engine import lint
from torchlosslint.finding import Report

# What each loss says to what each activation gives; nothing where the pair is right.
TRUTH: dict[str, dict[str, str]] = {
    "cross_entropy": {
        "softmax": "TLL101",
        "log_softmax": "TLL102",
        "sigmoid": "TLL103",
        "relu": "TLL106",
        "tanh": "TLL106",
    },
    "bce_with_logits": {
        "softmax": "TLL105",
        "sigmoid": "TLL104",
        "relu": "TLL106",
        "tanh": "TLL106",
    },
    "bce": {
        "none": "TLL107",
        "softmax": "TLL108",
        "log_softmax": "TLL107",
        "sigmoid": "TLL109",
        "relu": "TLL107",
        "tanh": "TLL107",
    },
    "nll": {
        "none": "TLL110",
        "softmax": "TLL110",
        "sigmoid": "TLL110",
        "relu": "TLL110",
        "tanh": "TLL110",
    },
    "mse": {},
}
ACTIVATIONS = ("none", "softmax", "log_softmax", "sigmoid", "relu", "tanh")

# layer, method of a tensor, function
SPELLINGS = {
    "softmax": ("nn.Softmax(dim=1)", "{}.softmax(dim=1)", "F.softmax({}, dim=1)", "torch.softmax({}, 1)"),
    "log_softmax": (
        "nn.LogSoftmax(dim=1)",
        "{}.log_softmax(dim=-1)",
        "F.log_softmax({}, dim=1)",
        "torch.log_softmax({}, 1)",
    ),
    "sigmoid": ("nn.Sigmoid()", "{}.sigmoid()", "F.sigmoid({})", "torch.sigmoid({})"),
    "relu": ("nn.ReLU()", "{}.relu()", "F.relu({})", "torch.relu({})"),
    "tanh": ("nn.Tanh()", "{}.tanh()", "F.tanh({})", "torch.tanh({})"),
    "none": ("nn.Identity()", "{}", "{}", "{}"),
}
LOSSES = {
    "cross_entropy": ("nn.CrossEntropyLoss", "F.cross_entropy"),
    "bce_with_logits": ("nn.BCEWithLogitsLoss", "F.binary_cross_entropy_with_logits"),
    "bce": ("nn.BCELoss", "F.binary_cross_entropy"),
    "nll": ("nn.NLLLoss", "F.nll_loss"),
    "mse": ("nn.MSELoss", "F.mse_loss"),
}
CARRIERS = (
    "Net()",
    "nn.DataParallel(Net())",
    "torch.compile(Net().to('cpu'))",
    "Net().cuda()",
    "nn.parallel.DistributedDataParallel(Net())",
)
WRAPS = (
    "{}",
    "{}.contiguous()",
    "{}.view({}.size(0), -1)",
    "{}.reshape(-1, 4)",
    "{}.float()",
    "torch.cat([{}, {}], dim=0)",
    "{}[:4].clone()",
    "{}.squeeze().cpu()",
)


@dataclass(frozen=True)
class Case:
    """One program. All fields but the first two are ways of saying the same."""

    activation: str
    loss: str
    model: str = "class"
    spelling: int = 2  # of the activation
    criterion: str = "variable"
    loop: str = "function"
    output: str = "tensor"  # or the tensor in a "tuple" or "dict"
    wrap: int = 0  # what changes no number
    carrier: int = 0  # what the model is put into
    keywords: bool = False  # the loss is given input= and target=
    files: int = 1
    seed: int = 0  # of new names and of the order of methods
    renamed: bool = False

    @property
    def code(self) -> str | None:
        return TRUTH[self.loss].get(self.activation)


def model_of(case: Case) -> str:
    layer, method, function, torch_function = SPELLINGS[case.activation]
    applied = (method, method, function, torch_function)[case.spelling]
    scores = {"tensor": "{}", "tuple": "{}, scores", "dict": '{{"out": {}, "scores": scores}}'}[case.output]

    def forward(expression: str) -> str:
        return (
            "    def forward(self, x):\n"
            "        scores = self.body(x)\n"
            f"        result = {expression.format('scores')}\n"
            f"        return {scores.format('result')}\n"
        )

    def init(last: str) -> str:
        return (
            "    def __init__(self, hidden=16):\n"
            "        super().__init__()\n"
            "        self.body = nn.Sequential(\n"
            "            nn.Linear(8, hidden), nn.ReLU(), nn.Dropout(0.5), nn.Linear(hidden, 4)\n"
            "        )\n"
            f"        self.last = {last}\n"
        )

    body = "nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4)"
    if case.model == "class":
        methods = [init("None"), forward(applied)]
    elif case.model == "attribute":
        methods = [init(layer), forward("self.last({})")]
    elif case.model == "helper":
        helper = f"    def squash(self, values):\n        return {applied.format('values')}\n"
        methods = [init("None"), forward("self.squash({})"), helper]
    elif case.model == "inherited":
        base = (
            "class Base(nn.Module):\n"
            + init("self.make_last()")
            + "\n    def make_last(self):\n        return None\n\n"
            + forward("self.last({})")
        )
        return f"{base}\n\nclass Net(Base):\n    def make_last(self):\n        return {layer}\n"
    elif case.model == "sequential":
        return f"def Net():\n    return nn.Sequential({body}, {layer})\n"
    elif case.model == "ordered":
        return (
            "def Net():\n    layers = OrderedDict()\n"
            '    layers["body"] = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 4))\n'
            f'    layers["last"] = {layer}\n    return nn.Sequential(layers)\n'
        )
    else:
        assert case.model == "appended"
        return (
            "def Net(widths=(8, 16, 4)):\n    layers = []\n"
            "    for i in range(len(widths) - 1):\n"
            "        layers += [nn.Linear(widths[i], widths[i + 1])]\n"
            "        if i < len(widths) - 2:\n"
            "            layers.append(nn.Sigmoid())\n"
            f"    layers.append({layer})\n    return nn.Sequential(*layers)\n"
        )
    order = random.Random(case.seed).sample(methods, len(methods)) if case.seed else methods
    return "class Net(nn.Module):\n" + "\n".join(order)


def criterion_of(case: Case) -> tuple[str, str]:
    """Definitions, and the expression that is called with output and target."""
    made, function = LOSSES[case.loss]
    if case.criterion == "variable":
        return f"criterion = {made}()\n", "criterion"
    if case.criterion == "attribute":
        holder = f"class Holder:\n    def __init__(self):\n        self.criterion = {made}(reduction='sum')\n"
        return f"{holder}\n\nholder = Holder()\n", "holder.criterion"
    if case.criterion == "dict":
        return f'table = {{"other": nn.L1Loss(), "main": {made}()}}\n', 'table["main"]'
    if case.criterion == "inline":
        return "", f"{made}()"
    if case.criterion == "functional":
        return "", function
    if case.criterion == "partial":
        return f"criterion = functools.partial({function}, reduction='mean')\n", "criterion"
    if case.criterion == "own":
        return (
            "class Criterion(nn.Module):\n    def __init__(self, scale=1.0):\n        super().__init__()\n"
            f"        self.scale = scale\n        self.inner = {made}()\n\n"
            "    def forward(self, input, target):\n"
            "        return self.scale * self.inner(input, target)\n\n\ncriterion = Criterion(0.5)\n"
        ), "criterion"
    assert case.criterion == "factory"
    return (
        "def make_criterion(kind):\n"
        f'    if kind == "main":\n        return {made}()\n'
        '    if kind == "other":\n        return nn.L1Loss()\n'
        '    raise ValueError(kind)\n\n\ncriterion = make_criterion("main")\n'
    ), "criterion"


def loop_of(case: Case, call: str) -> str:
    out = {"tensor": "out = net(images)", "tuple": "out, _ = net(images)", "dict": 'out = net(images)["out"]'}
    plain = case.model in ("sequential", "ordered", "appended")
    wrapped = WRAPS[case.wrap].replace("{}", "out")
    given_ = f"input={wrapped}, target=labels" if case.keywords else f"{wrapped}, labels"
    use = f"loss = {call}({given_})  # here"
    net = CARRIERS[case.carrier]
    steps = [out["tensor" if plain else case.output], use, "loss.backward()"]

    def indented(depth: int) -> str:
        return "".join("    " * depth + step + "\n" for step in steps)

    if case.loop == "script":
        return (
            "loader = DataLoader(TensorDataset(torch.randn(64, 8), torch.randn(64, 4)))\n"
            f"net = {net}\nfor images, labels in loader:\n" + indented(1)
        )
    if case.loop == "function":
        return (
            "def run_epochs(net, loader, epochs):\n    net.train()\n    for epoch in range(epochs):\n"
            "        for images, labels in loader:\n" + indented(3) + "\n\n"
            f"def main(loader):\n    run_epochs({net}, loader, epochs=3)\n"
        )
    if case.loop == "method":
        return (
            "class Trainer:\n    def __init__(self, net):\n        self.net = net\n\n"
            "    def step(self, images, labels):\n        net = self.net\n" + indented(2) + "\n"
            "    def fit(self, loader):\n        for images, labels in loader:\n"
            "            self.step(images, labels)\n\n\n"
            f'if __name__ == "__main__":\n    Trainer({net}).fit(DataLoader([]))\n'
        )
    if case.loop == "lightning":  # nothing of the program calls the step
        return (
            "class Task(pl.LightningModule):\n    def __init__(self, net):\n        super().__init__()\n"
            "        self.net = net\n\n    def training_step(self, batch, batch_idx):\n"
            "        images, labels = batch\n        net = self.net\n"
            + "".join(f"        {step}\n" for step in steps[:2])
            + "        return loss\n\n\n"
            f"pl.Trainer(max_epochs=3).fit(Task({net}), DataLoader([]))\n"
        )
    assert case.loop == "closure"
    return (
        "def make_step(net):\n    def step(images, labels):\n" + indented(2) + "        return loss\n\n"
        f"    return step\n\n\nstep = make_step({net})\nstep(torch.randn(2, 8), torch.randn(2, 4))\n"
    )


IMPORTS = """\
import functools
from collections import OrderedDict

import pytorch_lightning as pl
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

"""

# Names of the programs above, none of them of Python or torch.
OWN = (
    "Net Base Holder Criterion Trainer body last scores result hidden squash values make_last layers widths "
    "holder table criterion make_criterion kind inner scale run_epochs loader epochs epoch images "
    "labels net out loss step fit main make_step"
).split()


def files_of(case: Case) -> dict[str, str]:
    definitions, call = criterion_of(case)
    parts = {"models": model_of(case), "losses": definitions, "run": loop_of(case, call)}
    names = {"models": ["Net"], "losses": re.findall(r"^(\w+) = ", definitions, re.M)}
    if case.files == 1:
        files = {"run": "\n\n".join(parts.values())}
    else:
        apart = ["models", "losses"][: case.files - 1]
        head = "".join(f"from {name} import {', '.join(names[name])}\n" for name in apart if names[name])
        files = {name: parts[name] for name in apart}
        files["run"] = head + "\n\n" + "\n\n".join(p for name, p in parts.items() if name not in apart)
    files = {f"{name}.py": IMPORTS + text for name, text in files.items()}
    if case.renamed:
        shuffled = random.Random(case.seed)
        new = {
            name: f"{shuffled.choice('pqrstuvw')}{i}_{shuffled.randrange(99)}" for i, name in enumerate(OWN)
        }
        files = {name: rename(text, new) for name, text in files.items()}
    return files


TOKEN = re.compile(r"\"[^\"\n]*\"|'[^'\n]*'|#.*|\b(?:nn|F|torch)\.\w+(?:\.\w+)*|(?P<name>\b[A-Za-z_]\w*)")


def rename(text: str, new: dict[str, str]) -> str:
    """The program with its own names changed; words of the libraries, strings and comments stay."""

    def put(match: re.Match[str]) -> str:
        return new.get(match["name"], match[0]) if match["name"] else match[0]

    return TOKEN.sub(put, text)


@contextmanager
def written(files: dict[str, str]) -> Iterator[Path]:
    with TemporaryDirectory() as folder:
        for name, text in files.items():
            Path(folder, name).write_text(text, encoding="utf-8")
        yield Path(folder)


def verdict(files: dict[str, str]) -> tuple[list[tuple[str, str, int]], Report]:
    with written(files) as folder:
        # Activations alone: the made-up targets may be wrong for the loss as well.
        report = lint([folder], Settings(no_cache=True, select=("TLL0", "TLL1")))
    found = [(f.code, Path(f.location.path).name, f.location.line) for f in report.findings]
    return found, report


def expected(case: Case, files: dict[str, str]) -> list[tuple[str, str, int]]:
    """The line with `# here`, if the pair is wrong."""
    places = [
        (name, number)
        for name, text in files.items()
        for number, line in enumerate(text.splitlines(), 1)
        if line.endswith("# here")
    ]
    assert len(places) == 1
    return [(case.code, *place) for place in places if case.code]


def explained(files: dict[str, str]) -> str:
    return "\n".join(f"--- {name}\n{text}" for name, text in files.items())


cases = st.builds(
    Case,
    activation=st.sampled_from(ACTIVATIONS),
    loss=st.sampled_from(sorted(TRUTH)),
    model=st.sampled_from(["class", "attribute", "helper", "inherited", "sequential", "ordered", "appended"]),
    spelling=st.integers(0, 3),
    criterion=st.sampled_from(
        ["variable", "attribute", "dict", "inline", "functional", "partial", "own", "factory"]
    ),
    loop=st.sampled_from(["function", "script", "method", "closure", "lightning"]),
    output=st.sampled_from(["tensor", "tuple", "dict"]),
    wrap=st.integers(0, len(WRAPS) - 1),
    carrier=st.integers(0, len(CARRIERS) - 1),
    keywords=st.booleans(),
    files=st.integers(1, 3),
    seed=st.integers(0, 50),
    renamed=st.booleans(),
)


@pytest.mark.parametrize("loss", sorted(TRUTH))
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_table(activation: str, loss: str) -> None:
    case = Case(activation, loss)
    files = files_of(case)
    assert verdict(files)[0] == expected(case, files)


@given(cases)
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_program_is_judged_by_what_it_does(case: Case) -> None:
    files = files_of(case)
    for text in files.values():
        compile(text, "program", "exec")  # the program itself is in order
    found, report = verdict(files)
    assert found == expected(case, files), explained(files)
    assert report.loss_calls.judged == report.loss_calls.seen == 1, explained(files)


@given(cases, st.integers(51, 99))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_other_names_order_and_files_change_nothing(case: Case, seed: int) -> None:
    verdicts = [
        sorted(f.code for f in verdict(files_of(other))[1].findings)
        for other in (
            replace(case, renamed=False, files=1, seed=0),
            replace(case, renamed=True, files=1, seed=seed),
            replace(case, renamed=False, files=3, seed=seed),
        )
    ]
    assert verdicts[0] == verdicts[1] == verdicts[2]
    text = files_of(replace(case, files=1))["run.py"]
    for other in (spread(text, seed), ast.unparse(reordered(ast.parse(text), seed))):
        assert sorted(code for code, _, _ in verdict({"run.py": other})[0]) == verdicts[0], other


# ---- programs without sense --------------------------------------------------------------

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"
LOADED = (ast.Name, ast.Call, ast.Constant, ast.Attribute, ast.Subscript, ast.BinOp, ast.Tuple, ast.List)


def loaded(node: ast.AST) -> bool:
    return isinstance(node, LOADED) and isinstance(getattr(node, "ctx", ast.Load()), ast.Load)


class Scramble(ast.NodeTransformer):
    """Puts expressions in the place of others, and statements in another order."""

    def __init__(self, chance: random.Random, pool: list[ast.AST], rate: float) -> None:
        self.chance, self.pool, self.rate = chance, pool, rate

    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        if loaded(node) and self.chance.random() < self.rate:
            return self.chance.choice(self.pool)
        body = getattr(node, "body", None)
        if isinstance(body, list) and self.chance.random() < 0.1:
            self.chance.shuffle(body)
        return node

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        return node  # what stands in it must be pieces of text


@pytest.mark.parametrize("seed", range(4))
def test_nonsense_ends_no_run(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    paths = [p for p in sorted(FIXTURES.rglob("*.py")) if "tll001" not in p.as_posix()]
    texts = [p.read_text(encoding="utf-8") for p in chance.sample(paths, 30)]
    pool = [node for text in texts for node in ast.walk(ast.parse(text)) if loaded(node)]
    linted = 0
    for number, text in enumerate(texts):
        tree = Scramble(chance, pool, chance.choice([0.01, 0.05, 0.2])).visit(ast.parse(text))
        try:
            source = ast.unparse(ast.fix_missing_locations(tree))  # some quotes in quotes it cannot write
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                compile(source, "program", "exec")
        except (SyntaxError, ValueError):
            continue
        linted += 1
        path = tmp_path / f"program{number}.py"
        path.write_text(source, encoding="utf-8")
        report = lint([path], Settings(no_cache=True, verbose=True, confidence="possible"))
        assert report.files_parsed == 1
        assert not report.skipped
    assert linted > 10
