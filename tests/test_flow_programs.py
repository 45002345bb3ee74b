"""What the interpreter follows, by small programs: each `# TLLnnn` is a finding, and there are no others."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from torchlosslint.config import Settings
from torchlosslint.engine import lint
from torchlosslint.finding import Confidence, Report

HEAD = """
import torch
import torch.nn as nn
import torch.nn.functional as F


class Soft(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(8, 4)

    def forward(self, x):
        return F.softmax(self.fc(x), dim=1)


class Raw(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(8, 4)

    def forward(self, x):
        return self.fc(x)


x, y = torch.randn(2, 8), torch.randint(4, (2,))
"""
COMMENT = re.compile(r"# ((?:TLL\d{3} ?)+)$")

LintText = Callable[..., Report]
Check = Callable[..., Report]


def linted(folder: Path, *, confidence: Confidence = "likely", **files: str) -> Report:
    """Write `main="..."` to main.py, `pkg__model="..."` to pkg/model.py, and lint the folder."""
    for name, text in files.items():
        path = folder / (name.replace("__", "/") + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    # Activations alone: the sound alternatives here may be wrong for the task or the target.
    chosen = Settings(no_cache=True, verbose=True, confidence=confidence, select=("TLL0", "TLL1"))
    return lint([folder], chosen)


def wanted(text: str) -> list[tuple[int, str]]:
    """(line, code) of each comment."""
    return [
        (number, code)
        for number, line in enumerate(text.splitlines(), 1)
        if (match := COMMENT.search(line))
        for code in match[1].split()
    ]


def checked(folder: Path, body: str, confidence: Confidence = "likely") -> Report:
    """Lint one program (after HEAD): the findings are those of its comments."""
    text = HEAD + dedent(body)
    report = linted(folder, main=text, confidence=confidence)
    assert [(f.location.line, f.code) for f in report.findings] == wanted(text)
    return report


@pytest.fixture
def lint_text(tmp_path: Path) -> LintText:
    return partial(linted, tmp_path)


@pytest.fixture
def check(tmp_path: Path) -> Check:
    return partial(checked, tmp_path)


def programs(**bodies: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("body", [pytest.param(body, id=name) for name, body in bodies.items()])


def case(what: str, body: str) -> Any:
    """A program, and what it is about."""
    return pytest.param(body, id=what)


def not_yet(reason: str, body: str) -> Any:
    """A program that is judged wrongly so far."""
    return pytest.param(body, marks=pytest.mark.xfail(strict=True, reason=reason))


# ---- loops -------------------------------------------------------------------------


@programs(
    activation_between_known_sizes="""
        layers, sizes = [], [8, 16, 4]
        for i in range(len(sizes) - 1):
            layers.append(nn.Linear(sizes[i], sizes[i + 1]))
            if i < len(sizes) - 2:
                layers.append(nn.ReLU())
        F.cross_entropy(nn.Sequential(*layers)(x), y)
        """,
    activation_after_each_of_known_sizes="""
        layers, sizes = [], [8, 16, 4]
        for i in range(len(sizes) - 1):
            layers.append(nn.Linear(sizes[i], sizes[i + 1]))
            layers.append(nn.ReLU())
        F.cross_entropy(nn.Sequential(*layers)(x), y)  # TLL106
        """,
    activation_between_unknown_sizes="""
        def build(sizes):
            layers = []
            for i in range(len(sizes) - 1):
                layers.append(nn.Linear(sizes[i], sizes[i + 1]))
                if i < len(sizes) - 2:
                    layers.append(nn.ReLU())
            return nn.Sequential(*layers)

        def step(sizes):
            return F.cross_entropy(build(sizes)(x), y)
        """,
    activation_only_after_the_last_of_unknown_sizes="""
        def build(sizes):
            layers = []
            for i in range(len(sizes) - 1):
                layers.append(nn.Linear(sizes[i], sizes[i + 1]))
                layers.append(nn.ReLU() if i < len(sizes) - 2 else nn.Softmax(dim=1))
            return nn.Sequential(*layers)

        def step(sizes):
            return F.cross_entropy(build(sizes)(x), y)  # TLL101
        """,
    last_by_enumerate="""
        class Net(nn.Module):
            def __init__(self, widths):
                super().__init__()
                self.layers = nn.ModuleList([nn.Linear(w, w) for w in widths])

            def forward(self, x):
                for i, layer in enumerate(self.layers):
                    x = layer(x)
                    if i != len(self.layers) - 1:
                        x = F.relu(x)
                return x

        def step(widths):
            return F.cross_entropy(Net(widths)(x), y)
        """,
    every_layer_activated="""
        class Net(nn.Module):
            def __init__(self, widths):
                super().__init__()
                self.layers = nn.ModuleList([nn.Linear(w, w) for w in widths])

            def forward(self, x):
                for i, layer in enumerate(self.layers):
                    x = layer(x)
                    x = F.relu(x)
                return x

        def step(widths):
            return F.cross_entropy(Net(widths)(x), y)  # TLL106
        """,
    layers_but_the_last_by_slice="""
        class Net(nn.Module):
            def __init__(self, depth):
                super().__init__()
                self.layers = nn.ModuleList([nn.Linear(8, 8) for _ in range(depth)])

            def forward(self, x):
                for layer in self.layers[:-1]:
                    x = torch.sigmoid(layer(x))
                return self.layers[-1](x)

        def step(depth):
            return F.cross_entropy(Net(depth)(x), y)
        """,
    loss_in_a_loop_of_unknown_length="""
        def train(loader, net=Soft()):
            for epoch in range(100):
                for i, (images, labels) in enumerate(loader):
                    F.cross_entropy(net(images), labels)  # TLL101
        """,
    loss_after_continue="""
        def train(loader):
            net = Soft()
            for images, labels in loader:
                if len(images) < 2:
                    continue
                F.cross_entropy(net(images), labels)  # TLL101
        """,
    loss_every_so_many_batches="""
        from torch.utils.data import DataLoader, TensorDataset

        net, step = Soft(), 0
        for images, labels in DataLoader(TensorDataset(x, y)):
            step += 1
            if step % 100 == 0:
                F.cross_entropy(net(images), labels)  # TLL101
        """,
    loss_every_so_many_steps="""
        def train(loader, net=Soft(), step=0):
            for images, labels in loader:
                step = step + 1
                if step == 100:
                    F.cross_entropy(net(images), labels)  # TLL101
        """,
    loss_in_the_depth_of_loops="""
        net = Raw()
        for a in range(3):
            for b in range(3):
                for c in range(8):
                    for d in range(2):
                        for e in range(3):
                            net = Soft() if e == 2 else net
                            F.cross_entropy(net(x), y)  # TLL101
        """,
    loss_in_while="""
        net, n = Soft(), 0
        while n < 1000:
            F.cross_entropy(net(x), y)  # TLL101
            n += 1
        """,
    while_true_with_break="""
        net, n = Soft(), 0
        while True:
            F.cross_entropy(net(x), y)  # TLL101
            n += 1
            if n == 10:
                break
        F.cross_entropy(net(x), y)  # TLL101
        """,
    replaced_in_the_loop="""
        def train(loader):
            net = Raw()
            for images, labels in loader:
                F.cross_entropy(net(images), labels)  # TLL101
                net = Soft()
        """,
    else_of_a_loop="""
        for _ in range(3):
            out = Raw()(x)
        else:
            out = Soft()(x)
        F.cross_entropy(out, y)  # TLL101
        """,
    over_pairs="""
        losses = {"a": nn.CrossEntropyLoss(), "b": nn.NLLLoss()}
        nets = {"a": Soft(), "b": nn.Sequential(nn.Linear(8, 4), nn.LogSoftmax(dim=1))}
        for name, loss in losses.items():
            loss(nets[name](x), y)  # TLL101
        """,
    zipped="""
        for net, loss in zip([Raw(), Soft()], [F.cross_entropy, F.nll_loss]):
            loss(net(x), y)  # TLL110
        """,
    reversed_layers="""
        out = x
        for layer in reversed([nn.Softmax(dim=1), nn.Linear(8, 4)]):
            out = layer(out)
        F.cross_entropy(out, y)  # TLL101
        """,
    nothing_to_loop_over="""
        out = Raw()(x)
        for _ in []:
            out = out.softmax(1)
        F.cross_entropy(out, y)
        """,
)
def test_loops(check: Check, body: str) -> None:
    check(body)


@programs(
    length_asked_before_it_grows="""
        rows, net = [], Soft()
        for row in open("rows.txt"):
            if len(rows) == 8:
                F.cross_entropy(net(torch.stack(rows)), y)  # TLL101
                rows.clear()
            rows.append(x[0])
        """,
    length_asked_after_it_grew="""
        rows, net = [], Soft()
        for row in open("rows.txt"):
            rows += [x[0]]
            if len(rows) < 8:
                continue
            F.cross_entropy(net(torch.stack(rows)), y)  # TLL101
            rows = []
        """,
    rows_by_addition="""
        rows, net = [], Soft()
        while True:
            rows = rows + [x[0]]
            if len(rows) >= 8:
                F.cross_entropy(net(torch.stack(rows)), y)  # TLL101
                rows = rows[8:]
        """,
    emptied_from_the_front="""
        from collections import deque

        def main(env):
            seen, net = deque(), Soft()
            while not env.done():
                seen.append(env.step())
                if len(seen) > 100:
                    seen.popleft()
                if len(seen) == 100:
                    F.cross_entropy(net(torch.stack(list(seen))), y)  # TLL101
        """,
    truth_of_what_grows="""
        def main(env):
            seen, net = [], Soft()
            while env.running():
                if seen:
                    F.cross_entropy(net(torch.stack(seen)), y)  # TLL101
                if env.restart():
                    seen.append(env.row())
        """,
    memory_of_an_agent_that_nothing_runs="""
        class Agent:
            def __init__(self):
                self.memory = []
                self.steps = 0
                self.net = Soft()

            def remember(self, row):
                self.memory.append(row)
                self.steps += 1

            def learn(self, y):
                if len(self.memory) < 32:
                    return
                F.cross_entropy(self.net(torch.stack(self.memory)), y)  # TLL101

            def learn_now_and_then(self, x, y):
                if self.steps % 10 == 9:
                    F.cross_entropy(self.net(x), y)  # TLL101
        """,
    loop_over_what_others_gather="""
        class Agent:
            def __init__(self):
                self.batches = []
                self.net = Soft()

            def gather(self, batch):
                self.batches.append(batch)

            def learn(self, y):
                for batch in self.batches:
                    F.cross_entropy(self.net(batch), y)  # TLL101
        """,
    length_of_a_list_that_does_not_grow="""
        def main(loader):
            sizes, net = [8, 4], Raw()
            for x, y in loader:
                if len(sizes) > 2:
                    net = Soft()
                F.cross_entropy(net(x), y)
        """,
    list_of_each_pass="""
        def main(loader):
            for x, y in loader:
                parts, net = [], Raw()
                for i in range(2):
                    parts.append(x)
                if len(parts) == 3:
                    net = Soft()
                F.cross_entropy(net(torch.cat(parts)), y)
        """,
    number_of_classes_that_does_not_change="""
        class Task:
            def __init__(self):
                self.classes = 4
                self.net = Soft()

            def step(self, x, y):
                if self.classes == 1:
                    return F.cross_entropy(self.net(x), y)
                return F.nll_loss(self.net(x).log(), y)  # TLL116
        """,
)
def test_lengths_and_counts(check: Check, body: str) -> None:
    check(body)


# ---- ways out of a function ----------------------------------------------------------


@programs(
    early_return_by_a_known_argument="""
        def activate(scores, kind=None):
            if kind == "softmax":
                return scores.softmax(dim=1)
            if kind == "log":
                return scores.log_softmax(dim=1)
            return scores

        F.cross_entropy(activate(Raw()(x)), y)
        F.cross_entropy(activate(Raw()(x), "softmax"), y)  # TLL101
        F.nll_loss(activate(Raw()(x), kind="log"), y)
        """,
    what_follows_a_return_is_dead="""
        def activate(scores):
            return scores
            return scores.softmax(1)

        F.cross_entropy(activate(Raw()(x)), y)
        """,
    return_out_of_a_loop="""
        def first(nets):
            for net in nets:
                return net(x)

        F.cross_entropy(first([Soft(), Raw()]), y)  # TLL101
        F.cross_entropy(first([Raw(), Soft()]), y)
        """,
    raising_branches_do_not_go_on="""
        def make(name):
            if name == "raw":
                return Raw()
            raise ValueError(name)

        def step(name):
            return F.cross_entropy(make(name)(x), y)
        """,
    not_implemented_base="""
        class Base(nn.Module):
            def head(self, x):
                raise NotImplementedError

            def forward(self, x):
                return self.head(x)

        class Net(Base):
            def head(self, x):
                return x.softmax(1)

        F.cross_entropy(Net()(x), y)  # TLL101
        """,
    both_branches_return="""
        def forward(scores, flag):
            if flag:
                return scores.softmax(1)
            else:
                return F.softmax(scores / 2, dim=1)

        def step(flag):
            return F.cross_entropy(forward(Raw()(x), flag), y)  # TLL101
        """,
    exit_ends_the_path="""
        import sys

        def step(name):
            net = Soft()
            if name == "raw":
                net = Raw()
            else:
                sys.exit("unknown")
            return F.cross_entropy(net(x), y)
        """,
    assertion_narrows="""
        def step(flag):
            net = Soft() if flag else Raw()
            assert not flag
            return F.cross_entropy(net(x), y)
        """,
    ignored_result="""
        out = Raw()(x)
        F.softmax(out, dim=1)
        F.cross_entropy(out, y)
        """,
)
def test_ways_out(check: Check, body: str) -> None:
    check(body)


@programs(
    import_that_fails="""
        try:
            from fancy_losses_of_somebody import CrossEntropy
        except ImportError:
            CrossEntropy = nn.CrossEntropyLoss
        criterion = nn.CrossEntropyLoss()
        criterion(Soft()(x), y)  # TLL101
        """,
    own_name_in_the_handler="""
        try:
            out = Soft()(x)
        except RuntimeError:
            out = None
        F.cross_entropy(out, y)  # TLL101
        """,
    body_that_raises="""
        try:
            raise ValueError
        except ValueError:
            out = Soft()(x)
        F.cross_entropy(out, y)  # TLL101
        """,
    finally_and_else="""
        try:
            net = Soft()
        except RuntimeError:
            pass
        else:
            out = net(x)
        finally:
            F.cross_entropy(out, y)  # TLL101
        """,
    with_statement="""
        with torch.autograd.set_detect_anomaly(True), open("log") as log:
            F.cross_entropy(Soft()(x), y)  # TLL101
        """,
)
def test_try_and_with(check: Check, body: str) -> None:
    check(body)


# ---- functions and names -------------------------------------------------------------


@programs(
    list_comprehension="""
        outs = [net(x) for net in (Soft(), Soft())]
        losses = [F.cross_entropy(out, y) for out in outs]  # TLL101
        """,
    comprehension_does_not_leak="""
        net = Raw()
        [net for net in [Soft()]]
        F.cross_entropy(net(x), y)
        """,
    generator_expression="""
        nets = nn.ModuleList([Soft() for _ in range(3)])
        total = sum(F.cross_entropy(net(x), y) for net in nets)  # TLL101
        """,
    dict_comprehension="""
        outs = {name: net(x) for name, net in {"a": Soft(), "b": Raw()}.items()}
        F.cross_entropy(outs["a"], y)  # TLL101
        F.cross_entropy(outs["b"], y)
        """,
    closure="""
        def make_step(net, criterion):
            def step(images, labels):
                return criterion(net(images), labels)  # TLL101
            return step

        make_step(Soft(), nn.CrossEntropyLoss())(x, y)
        make_step(Raw(), nn.CrossEntropyLoss())(x, y)
        """,
    closure_sees_what_is_bound_later="""
        def outer():
            def step():
                return F.cross_entropy(net(x), y)  # TLL101
            net = Raw()
            net = Soft()
            return step()

        outer()
        """,
    lambdas="""
        activate = lambda scores, dim=1: scores.softmax(dim)
        F.cross_entropy(activate(Raw()(x)), y)  # TLL101
        """,
    nonlocal_name="""
        def outer():
            out = Raw()(x)
            def squash():
                nonlocal out
                out = out.softmax(1)
            squash()
            return F.cross_entropy(out, y)  # TLL101

        outer()
        """,
    without_nonlocal="""
        def outer():
            out = Raw()(x)
            def squash():
                out = Soft()(x)
            squash()
            return F.cross_entropy(out, y)

        outer()
        """,
    global_name="""
        net = None

        def setup():
            global net
            net = Soft()

        def step():
            return F.cross_entropy(net(x), y)  # TLL101

        setup()
        step()
        """,
    default_is_evaluated_once="""
        criterion = nn.CrossEntropyLoss()

        def step(criterion=criterion):
            return criterion(Soft()(x), y)  # TLL101

        criterion = nn.NLLLoss()
        step()
        """,
    positional_keyword_and_star="""
        def step(net, *args, criterion, **more):
            return criterion(net(args[0]), more["target"])  # TLL101

        step(Soft(), x, criterion=nn.CrossEntropyLoss(), target=y)
        """,
    star_is_handed_on="""
        def loss_of(*args, **kwargs):
            return F.cross_entropy(*args, **kwargs)

        def own(*args, **kwargs):
            return F.cross_entropy(Soft()(args[0]), **kwargs)  # TLL101

        own(x, target=y)
        loss_of(Raw()(x), target=y, **{"reduction": "sum"})
        """,
    starred_unpacking="""
        first, *rest = [Raw()(x), Soft()(x), Raw()(x)]
        F.cross_entropy(first, y)
        F.cross_entropy(rest[0], y)  # TLL101
        F.cross_entropy(rest[-1], y)
        """,
    swap="""
        a, b = Soft()(x), Raw()(x)
        a, b = b, a
        F.cross_entropy(a, y)
        F.cross_entropy(b, y)  # TLL101
        """,
    walrus="""
        if (out := Soft()(x)) is not None:
            F.cross_entropy(out, y)  # TLL101
        while (out := Soft()(x)).sum() > 0:
            F.cross_entropy(out, y)  # TLL101
        """,
    partials="""
        from functools import partial

        soften = partial(F.softmax, dim=1)
        smooth = partial(F.cross_entropy, label_smoothing=0.1)
        make = partial(nn.CrossEntropyLoss, label_smoothing=0.1)
        smooth(soften(Raw()(x)), y)  # TLL101
        make(reduction="sum")(soften(Raw()(x)), y)  # TLL101
        partial(partial(smooth, Soft()(x)), target=y)()  # TLL101
        smooth(Raw()(x), y)
        """,
    generators="""
        def outputs(nets):
            for net in nets:
                yield net(x), y

        for out, label in outputs([Soft(), Soft()]):
            F.cross_entropy(out, label)  # TLL101
        """,
    generator_that_delegates="""
        def outputs():
            yield Soft()(x)

        def all_outputs():
            yield from outputs()

        for out in all_outputs():
            F.cross_entropy(out, y)  # TLL101
        """,
    next_of_a_generator="""
        def outputs():
            yield Soft()(x)

        F.cross_entropy(next(outputs()), y)  # TLL101
        """,
    deleted_and_bound_again="""
        out = Raw()(x)
        del out
        out = Soft()(x)
        F.cross_entropy(out, y)  # TLL101
        """,
    own_decorator="""
        import functools

        def timed(func):
            @functools.wraps(func)
            def inner(*args, **kwargs):
                return func(*args, **kwargs)
            return inner

        @timed
        def predict(images):
            return Soft()(images)

        F.cross_entropy(predict(x), y)  # TLL101
        """,
    conditional_expression="""
        F.cross_entropy(Soft()(x) if True else Raw()(x), y)  # TLL101
        F.cross_entropy(Soft()(x) if not True else Raw()(x), y)
        """,
    or_and_default="""
        def step(criterion=None):
            criterion = criterion or nn.CrossEntropyLoss()
            return criterion(Soft()(x), y)  # TLL101

        step()
        """,
    is_none_default="""
        def step(criterion=None):
            if criterion is None:
                criterion = nn.CrossEntropyLoss()
            return criterion(Soft()(x), y)  # TLL101

        step()
        """,
    getattr_by_name="""
        getattr(nn, "CrossEntropyLoss")()(getattr(F, "softmax")(Raw()(x), 1), y)  # TLL101
        """,
    map_and_star="""
        outs = list(map(Soft(), [x, x]))
        F.cross_entropy(outs[0], y)  # TLL101
        """,
    augmented="""
        total = 0
        total += F.cross_entropy(Soft()(x), y)  # TLL101
        """,
    async_function="""
        async def step(net):
            async with something() as lock:
                return F.cross_entropy(net(x), y)  # TLL101

        async def main():
            await step(Soft())
        """,
)
def test_functions_and_names(check: Check, body: str) -> None:
    check(body)


@programs(
    known_subject="""
        kind = "soft"
        match kind:
            case "raw":
                net = Raw()
            case "soft":
                net = Soft()
            case _:
                raise ValueError(kind)
        F.cross_entropy(net(x), y)  # TLL101
        """,
    known_subject_other_case="""
        kind = "raw"
        match kind:
            case "raw" | "plain":
                net = Raw()
            case _:
                net = Soft()
        F.cross_entropy(net(x), y)
        """,
    same_option_chooses_both="""
        def step(kind):
            match kind:
                case "log":
                    out, criterion = Raw()(x).log_softmax(1), nn.NLLLoss()
                case "raw":
                    out, criterion = Raw()(x), nn.CrossEntropyLoss()
            return criterion(out, y)
        """,
    no_case_is_right="""
        def step(kind):
            match kind:
                case "a":
                    net = Soft()
                case _:
                    net = nn.Sequential(nn.Linear(8, 4), nn.Softmax(dim=-1))
            return F.cross_entropy(net(x), y)  # TLL101
        """,
)
def test_match(check: Check, body: str) -> None:
    check(body)


# ---- classes -------------------------------------------------------------------------


@programs(
    property_and_cached_property="""
        import functools

        class Trainer:
            @property
            def criterion(self):
                return nn.CrossEntropyLoss()

            @functools.cached_property
            def net(self):
                return Soft()

            def step(self):
                return self.criterion(self.net(x), y)  # TLL101
        """,
    property_with_setter="""
        class Trainer:
            def __init__(self):
                self.net = Soft()

            @property
            def net(self):
                return self._net

            @net.setter
            def net(self, value):
                self._net = value

            def step(self):
                return F.cross_entropy(self.net(x), y)  # TLL101
        """,
    class_attributes="""
        class Trainer:
            criterion = nn.CrossEntropyLoss()
            net = Soft()

            def step(self):
                return self.criterion(self.net(x), y)  # TLL101

        Trainer().step()
        """,
    class_attribute_of_a_subclass="""
        class Trainer:
            make = Raw

            def step(self):
                return F.cross_entropy(self.make()(x), y)  # TLL101

        class Other(Trainer):
            make = Soft

        Other().step()
        """,
    instance_wins_over_class="""
        class Trainer:
            criterion = nn.CrossEntropyLoss()

            def __init__(self):
                self.criterion = nn.NLLLoss()

            def step(self):
                return self.criterion(Raw()(x).log_softmax(1), y)
        """,
    static_and_class_methods="""
        class Maker:
            @staticmethod
            def soften(scores):
                return scores.softmax(1)

            @classmethod
            def criterion(cls):
                return nn.CrossEntropyLoss()

        Maker.criterion()(Maker.soften(Raw()(x)), y)  # TLL101
        Maker().criterion()(Maker().soften(Raw()(x)), y)  # TLL101
        """,
    super_adds_softmax="""
        class Net(Raw):
            def forward(self, x):
                return super().forward(x).softmax(1)

        F.cross_entropy(Net()(x), y)  # TLL101
        """,
    override_drops_softmax="""
        class Net(Soft):
            def forward(self, x):
                return self.fc(x)

        F.cross_entropy(Net()(x), y)
        """,
    hook_of_the_subclass="""
        class Base(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = nn.Linear(8, 4)
                self.last = self.make_last()

            def make_last(self):
                return nn.Identity()

            def forward(self, x):
                return self.last(self.fc(x))

        class Net(Base):
            def make_last(self):
                return nn.Softmax(dim=1)

        F.cross_entropy(Base()(x), y)
        F.cross_entropy(Net()(x), y)  # TLL101
        """,
    method_resolution_order="""
        class Top:
            def activate(self, scores):
                return scores

        class Left(Top):
            def activate(self, scores):
                return super().activate(scores)

        class Right(Top):
            def activate(self, scores):
                return scores.softmax(1)

        class Both(Left, Right):
            pass

        F.cross_entropy(Left().activate(Raw()(x)), y)
        F.cross_entropy(Both().activate(Raw()(x)), y)  # TLL101
        """,
    old_style_super="""
        class Net(Raw):
            def __init__(self):
                Raw.__init__(self)
                self.last = nn.Softmax(dim=1)

            def forward(self, x):
                return self.last(Raw.forward(self, x))

        F.cross_entropy(Net()(x), y)  # TLL101
        """,
    super_with_arguments="""
        class Net(Soft):
            def __init__(self):
                super(Net, self).__init__()

            def forward(self, x):
                return super(Net, self).forward(x)

        F.cross_entropy(Net()(x), y)  # TLL101
        """,
    two_instances_are_two="""
        class Net(nn.Module):
            def __init__(self, softmax):
                super().__init__()
                self.fc = nn.Linear(8, 4)
                self.softmax = softmax

            def forward(self, x):
                x = self.fc(x)
                return x.softmax(1) if self.softmax else x

        good, bad = Net(False), Net(True)
        F.cross_entropy(good(x), y)
        F.cross_entropy(bad(x), y)  # TLL101
        good.softmax = True
        F.cross_entropy(good(x), y)  # TLL101
        """,
    call_and_getitem="""
        class Nets:
            def __init__(self):
                self.nets = [Raw(), Soft()]

            def __getitem__(self, i):
                return self.nets[i]

            def __call__(self, x):
                return self.nets[1](x)

        F.cross_entropy(Nets()[0](x), y)
        F.cross_entropy(Nets()[1](x), y)  # TLL101
        F.cross_entropy(Nets()(x), y)  # TLL101
        """,
    dataclasses="""
        import dataclasses
        from dataclasses import dataclass

        @dataclass
        class Task:
            net: nn.Module
            criterion: nn.Module = nn.CrossEntropyLoss()
            scale: float = 1.0

        @dataclasses.dataclass(frozen=True)
        class Named(Task):
            name: str = ""

        for task in (Task(Soft()), Named(net=Soft(), name="a")):
            task.criterion(task.net(x), y)  # TLL101
        right = Task(Soft(), nn.MSELoss())
        right.criterion(right.net(x), y)
        """,
    named_tuples="""
        from collections import namedtuple
        from typing import NamedTuple

        Out = namedtuple("Out", "probs logits")

        class Typed(NamedTuple):
            probs: torch.Tensor
            logits: torch.Tensor

        for kind in (Out, Typed):
            out = kind(probs=Soft()(x), logits=Raw()(x))
            F.cross_entropy(out.probs, y)  # TLL101
            F.cross_entropy(out.logits, y)
            F.cross_entropy(out[1], y)
        """,
    set_and_get_by_name="""
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                for i, last in enumerate([nn.Identity(), nn.Softmax(dim=1)]):
                    setattr(self, f"head{i}", nn.Sequential(nn.Linear(8, 4), last))

            def forward(self, x):
                return [getattr(self, f"head{i}")(x) for i in range(2)]

        a, b = Net()(x)
        F.cross_entropy(a, y)
        F.cross_entropy(b, y)  # TLL101
        """,
    enum_of_losses="""
        from enum import Enum

        class Kind(Enum):
            SOFT = "soft"
            RAW = "raw"

        def make(kind):
            return Soft() if kind == Kind.SOFT else Raw()

        F.cross_entropy(make(Kind.SOFT)(x), y)  # TLL101
        F.cross_entropy(make(Kind.RAW)(x), y)
        """,
    class_made_in_a_function="""
        def make(last):
            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.net = nn.Sequential(nn.Linear(8, 4), last)

                def forward(self, x):
                    return self.net(x)
            return Net

        F.cross_entropy(make(nn.Identity())()(x), y)
        F.cross_entropy(make(nn.Softmax(dim=1))()(x), y)  # TLL101
        """,
    deep_copies="""
        import copy

        F.cross_entropy(copy.deepcopy(Soft())(x), y)  # TLL101
        """,
)
def test_classes(check: Check, body: str) -> None:
    check(body)


# ---- the mode of a model -------------------------------------------------------------

MODAL = """
class Modal(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(8, 4)

    def forward(self, x):
        x = self.fc(x)
        if not self.training:
            x = F.softmax(x, dim=1)
        return x


class Outer(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = Modal()

    def forward(self, x):
        return self.inner(x)


"""


@programs(
    fresh="""
        F.cross_entropy(Modal()(x), y)
        """,
    evaluation="""
        net = Modal()
        net.eval()
        F.cross_entropy(net(x), y)  # TLL101
        net.train()
        F.cross_entropy(net(x), y)
        net.train(False)
        F.cross_entropy(net(x), y)  # TLL101
        """,
    chained="""
        F.cross_entropy(Modal().eval()(x), y)  # TLL101
        F.cross_entropy(Modal().eval().train()(x), y)
        """,
    submodules="""
        net = Outer()
        F.cross_entropy(net(x), y)
        net.eval()
        F.cross_entropy(net(x), y)  # TLL101
        """,
    wrapped="""
        net = nn.DataParallel(nn.Sequential(Modal()))
        net.eval()
        F.cross_entropy(net(x), y)  # TLL101
        """,
    in_functions="""
        def train(net, loader):
            net.train()
            for images, labels in loader:
                F.cross_entropy(net(images), labels)

        def validate(net, loader):
            net.eval()
            with torch.no_grad():
                for images, labels in loader:
                    F.cross_entropy(net(images), labels)  # TLL101

        def main(loader):
            net = Modal()
            for epoch in range(90):
                train(net, loader)
                validate(net, loader)
        """,
    two_models_two_modes="""
        teacher, student = Modal(), Modal()
        teacher.eval()
        F.cross_entropy(student(x), y)
        """,
)
def test_modes(check: Check, body: str) -> None:
    check(MODAL + dedent(body))


# ---- alternatives ----------------------------------------------------------------------


@programs(
    flag_chooses_model_and_criterion="""
        def main(kind):
            net = Soft() if kind == "probs" else Raw()
            criterion = nn.MSELoss() if kind == "probs" else nn.CrossEntropyLoss()
            return criterion(net(x), y)
        """,
    flag_is_negated="""
        def main(soft):
            net = Soft() if soft else Raw()
            if not soft:
                return F.cross_entropy(net(x), y)
            return F.mse_loss(net(x), y)
        """,
    flag_is_an_attribute="""
        import argparse

        class Net(nn.Module):
            def __init__(self, args):
                super().__init__()
                self.args = args
                self.fc = nn.Linear(8, 4)

            def forward(self, x):
                x = self.fc(x)
                if self.args.loss == "bce":
                    x = torch.sigmoid(x)
                return x

        def main():
            parser = argparse.ArgumentParser()
            parser.add_argument("--loss", choices=["bce", "ce"])
            args = parser.parse_args()
            net = Net(args)
            if args.loss == "ce":
                return F.cross_entropy(net(x), y)
            return F.mse_loss(net(x), y)

        main()
        """,
    wrong_way_round="""
        def main(kind):
            net = Soft() if kind == "ce" else Raw()
            criterion = nn.CrossEntropyLoss() if kind == "ce" else nn.MSELoss()
            return criterion(net(x), y)  # TLL101
        """,
    two_flags_do_not_contradict="""
        def main(soft, ce):
            net = Soft() if soft else Raw()
            criterion = nn.CrossEntropyLoss() if ce else nn.MSELoss()
            return criterion(net(x), y)  # TLL101
        """,
    neither_of_two_names="""
        def main(kind):
            if kind == "a" or kind == "b":
                net = Soft()
            else:
                net = Raw()
            if kind != "a" and kind != "b":
                return F.cross_entropy(net(x), y)
        """,
    one_of_a_tuple="""
        def main(kind):
            net = Soft() if kind in ("a", "b") else Raw()
            if kind not in ("a", "b"):
                return F.cross_entropy(net(x), y)
        """,
    default_argument_decides="""
        def make(softmax=True):
            return nn.Sequential(nn.Linear(8, 4), nn.Softmax(dim=1) if softmax else nn.Identity())

        F.cross_entropy(make()(x), y)  # TLL101
        F.cross_entropy(make(False)(x), y)
        """,
    eight_alternatives_of_which_one_is_wrong="""
        def main(kind):
            nets = {
                "a": Raw(), "b": nn.Linear(8, 4), "c": nn.Linear(8, 5), "d": nn.Linear(8, 6), "e": Soft(),
            }
            return F.cross_entropy(nets[kind](x), y)  # TLL101
        """,
    chain_of_many_names="""
        def main(kind):
            if kind == "a":
                net, criterion = Raw(), nn.CrossEntropyLoss()
            elif kind == "b":
                net, criterion = Soft(), nn.MSELoss()
            elif kind == "c":
                net, criterion = nn.Linear(8, 4), nn.CrossEntropyLoss()
            elif kind == "d":
                net, criterion = nn.Sequential(nn.Linear(8, 4), nn.LogSoftmax(dim=1)), nn.NLLLoss()
            elif kind == "e":
                net, criterion = nn.Sequential(nn.Linear(8, 4), nn.Sigmoid()), nn.MSELoss()
            else:
                raise ValueError
            return criterion(net(x), y)
        """,
    written_attribute_under_a_flag="""
        class Net(Raw):
            def __init__(self, soft):
                super().__init__()
                self.soft = soft
                if soft:
                    self.last = nn.Softmax(dim=1)

            def forward(self, x):
                x = self.fc(x)
                if self.soft:
                    x = self.last(x)
                return x

        def main(soft):
            net = Net(soft)
            return F.mse_loss(net(x), y) if soft else F.cross_entropy(net(x), y)
        """,
)
def test_alternatives(check: Check, body: str) -> None:
    check(body)


# ---- terminates ------------------------------------------------------------------------

BUSY = "\n".join(f"    for a{i} in range(30):\n        b = a{i}" for i in range(1500))
SLOW = 20.0  # seconds; each of these takes well below one on a quiet machine


def bounded(run: Callable[[], Report]) -> Report:
    start = time.monotonic()
    report = run()
    assert time.monotonic() - start < SLOW
    return report


@programs(
    itself="""
        def depth(n, out):
            if n == 0:
                return out
            return depth(n - 1, out)

        depth(5, x)
        F.cross_entropy(Soft()(x), y)  # TLL101
        """,
    one_another="""
        def even(n):
            return odd(n - 1)

        def odd(n):
            return even(n - 1)

        even(1000)
        F.cross_entropy(Soft()(x), y)  # TLL101
        """,
    through_a_property="""
        class Node:
            @property
            def parent(self):
                return self.parent

        Node().parent
        F.cross_entropy(Soft()(x), y)  # TLL101
        """,
    constructor_that_makes_its_own_class="""
        class Tree(nn.Module):
            def __init__(self, depth):
                super().__init__()
                self.fc = nn.Linear(8, 4)
                self.left = Tree(depth - 1) if depth else None

            def forward(self, x):
                return F.softmax(self.fc(x), dim=1)

        def main(depth):
            F.cross_entropy(Tree(depth)(x), y)  # TLL101
        """,
    list_that_holds_itself="""
        box = []
        box.append(box)
        everything = {"box": box}
        everything["all"] = everything
        F.cross_entropy(Soft()(x), y, box)  # TLL101
        """,
    module_that_holds_itself="""
        net = Soft()
        net.me = net
        net.eval().train().cuda()
        F.cross_entropy(net(x), y)  # TLL101
        """,
    class_that_derives_from_itself="""
        class A(object):
            pass

        class A(A):
            pass

        F.cross_entropy(Soft()(x), y)  # TLL101
        """,
    decorator_that_calls_what_it_decorates="""
        def twice(func):
            return twice(twice)(func)

        @twice
        def step():
            return step()

        F.cross_entropy(Soft()(x), y)  # TLL101
        """,
    hooks_that_call_one_another="""
        class Odd:
            def __getattr__(self, name):
                return getattr(self, name + "x")

            def __getitem__(self, i):
                return self[i + 1]

            def __iter__(self):
                return iter(self)

            def __len__(self):
                return len(self)

            def __bool__(self):
                return bool(self)

            def __eq__(self, other):
                return self == other

            def __enter__(self):
                with self as me:
                    return me

            def __call__(self, x):
                return self(x)

        odd = Odd()
        odd.a, odd[0], odd(x), odd == odd, len(odd)
        for _ in odd:
            pass
        with odd as it:
            pass
        F.cross_entropy(Soft()(x), y)  # TLL101
        """,
)
def test_recursion_ends(check: Check, body: str) -> None:
    bounded(lambda: check(body))


def test_a_long_line_of_ancestors(check: Check) -> None:
    classes = "\n".join(f"class C{i}(C{i - 1}):\n    pass\n" for i in range(1, 46))
    bounded(
        lambda: check(f"class C0(Soft):\n    pass\n\n{classes}\nF.cross_entropy(C45()(x), y)  # TLL101\n")
    )


def test_super_up_a_long_line_ends(check: Check) -> None:
    classes = "\n".join(
        f"class C{i}(C{i - 1}):\n    def forward(self, x):\n        return super().forward(x)\n"
        for i in range(1, 150)
    )
    text = f"class C0(Soft):\n    pass\n\n{classes}\nC149()(x)\nF.cross_entropy(C2()(x), y)  # TLL101\n"
    bounded(lambda: check(text))


def test_calls_that_double_end(check: Check) -> None:
    functions = "\n".join(
        f"def f{i}(x):\n    x = f{i + 1}(x)\n    return f{i + 1}(x + 1)\n" for i in range(40)
    )
    text = f"def f40(x):\n    return x\n\n{functions}\ndef busy():\n    f0(x)\n\n"
    bounded(lambda: check(text + "def step():\n    return F.cross_entropy(Soft()(x), y)  # TLL101\n"))


def test_branches_that_double_end(check: Check) -> None:
    names = ", ".join(f"a{i}" for i in range(40))
    branches = "\n".join(
        f"    if a{i}:\n        net = nn.Sequential(net, nn.Linear({i}, 4))\n    else:\n        n{i} = net"
        for i in range(40)
    )
    text = f"def main({names}):\n    net = Raw()\n{branches}\n    F.cross_entropy(net(x), y)\n\n"
    bounded(lambda: check(text + "F.cross_entropy(Soft()(x), y)  # TLL101\n"))


def test_nested_branches_end(check: Check) -> None:
    lines = [f"{'    ' * (i + 1)}if a{i}:" for i in range(18)]
    lines.append("    " * 19 + "out = out.softmax(1)")
    names = ", ".join(f"a{i}" for i in range(18))
    text = f"def main({names}):\n    out = Raw()(x)\n" + "\n".join(lines) + "\n"
    bounded(lambda: check(text + "    return F.cross_entropy(out, y)  # TLL101\n"))


def test_an_entry_that_uses_up_its_budget_does_not_starve_the_next(check: Check) -> None:
    check(f"def busy():\n{BUSY}\n\ndef step():\n    return F.cross_entropy(Soft()(x), y)  # TLL101\n")


@pytest.mark.xfail(strict=True, reason="what follows the limit of steps is not counted at all")
def test_a_loss_behind_the_limit_is_counted_as_unknown(lint_text: LintText) -> None:
    report = lint_text(main=f"{HEAD}\ndef busy():\n{BUSY}\n    return F.cross_entropy(Soft()(x), y)\n")
    assert report.loss_calls.seen == 1


def test_functions_below_a_busy_script_are_looked_at(check: Check) -> None:
    check(f"if True:\n{BUSY}\n\ndef step():\n    return F.cross_entropy(Soft()(x), y)  # TLL101\n")


# ---- what is known, and how surely -----------------------------------------------------


@pytest.mark.parametrize(
    ("test", "confidence"),
    [
        ("True", "certain"),
        ("flag", "likely"),
        ("torch.rand(1) > 0.5", "possible"),
        ("x.sum() > 0", "possible"),
    ],
)
def test_confidence_says_who_chooses(lint_text: LintText, test: str, confidence: str) -> None:
    body = f"""
def main(flag):
    if {test}:
        net = Soft()
    else:
        net = Raw()
    return F.cross_entropy(net(x), y)
"""
    report = lint_text(main=HEAD + body, confidence="possible")
    assert [(f.code, f.confidence) for f in report.findings] == [("TLL101", confidence)]


def test_the_best_context_counts(lint_text: LintText) -> None:
    body = """
def step(net):
    return F.cross_entropy(net(x), y)

def main(flag):
    step(Soft() if flag else Raw())

step(Soft())
"""
    report = lint_text(main=HEAD + body)
    assert [(f.code, f.confidence) for f in report.findings] == [("TLL101", "certain")]


def test_one_finding_for_a_place_whatever_the_contexts(check: Check) -> None:
    check(
        """
        def step(net):
            return F.cross_entropy(net(x), y)  # TLL101

        for _ in range(3):
            step(Soft())
        step(Raw())
        step(nn.DataParallel(Soft()))
        """
    )


@pytest.mark.parametrize(
    ("body", "reasons"),
    [
        ("def f(out):\n    F.cross_entropy(out, y)\n", ["parameter of a function that nothing calls"]),
        ("import missing\nF.cross_entropy(missing.net(x), y)\n", [""]),
        ("from .missing import net\nF.cross_entropy(net(x), y)\n", ["module not found: .missing"]),
        ("F.cross_entropy(nowhere, y)\n", ["name nowhere is not defined here"]),
        ("F.cross_entropy(torch.load('x.pt'), y)\n", [""]),
        ("F.cross_entropy(*everything)\n", [""]),
    ],
)
def test_what_is_not_judged_has_a_reason(lint_text: LintText, body: str, reasons: list[str]) -> None:
    text = HEAD + body
    report = lint_text(main=text)
    calls = report.loss_calls
    assert (calls.seen, calls.judged, calls.unknown) == (1, 0, 1)
    assert not report.findings
    ((path, line, reason),) = calls.reasons
    assert path.endswith("main.py")
    assert "F.cross_entropy" in text.splitlines()[line - 1]
    assert reason
    assert reason == reasons[0] or not reasons[0]


def test_a_loss_is_judged_when_one_context_knew_its_input(lint_text: LintText) -> None:
    body = """
def step(out):
    return F.cross_entropy(out, y)

def main(out, unknown):
    step(out)
    step(Raw()(x))
    F.mse_loss(unknown, y)
    F.l1_loss(Raw()(x), y)
"""
    calls = lint_text(main=HEAD + body).loss_calls
    assert (calls.seen, calls.judged, calls.unknown) == (3, 2, 1)


def test_no_loss_no_count(lint_text: LintText) -> None:
    report = lint_text(main=HEAD)
    assert (report.loss_calls.seen, report.loss_calls.reasons, report.findings) == (0, [], [])


def test_the_flow_tells_from_the_cause_to_the_loss(lint_text: LintText) -> None:
    report = lint_text(
        model=HEAD,
        train="import torch.nn.functional as F\nfrom model import Soft, x, y\n\n\ndef step(net):\n"
        "    out = net(x)\n    return F.cross_entropy(out, y)\n\n\nstep(Soft())\n",
    )
    (finding,) = report.findings
    assert (Path(finding.location.path).name, finding.location.line) == ("train.py", 7)
    steps = [(Path(s.location.path).name, s.location.line) for s in finding.flow]
    assert ("model.py", 1 + HEAD.splitlines().index("        return F.softmax(self.fc(x), dim=1)")) in steps
    assert steps.index(("train.py", 6)) > 0
    assert all(s.note for s in finding.flow)


def test_two_runs_say_the_same(lint_text: LintText) -> None:
    body = """
def main(a, b, c):
    net = Soft() if a else Raw() if b else nn.Linear(8, 4)
    criterion = {"x": nn.CrossEntropyLoss(), "y": nn.NLLLoss()}[c]
    return criterion(net(x), y)
"""
    first, second = lint_text(main=HEAD + body), lint_text(main=HEAD + body)
    assert first.findings == second.findings
    assert first.loss_calls == second.loss_calls
