"""What flow/ops must know (not only not get wrong): spellings of softmax, events, identities, gradients."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from torchlosslint.flow import ops
from torchlosslint.flow.domain import (
    BOUNDED,
    DATA,
    INDICES,
    LOGPROBS,
    LOGUNIT,
    NUMBER,
    ONEHOT,
    POSITIVE,
    PROBS,
    SCORES,
    UNIT,
    UNKNOWN,
    Domain,
)
from torchlosslint.flow.ops.call import OpCall
from torchlosslint.flow.values import (
    DOTS,
    NONE,
    Const,
    External,
    ExtObj,
    ListV,
    Place,
    StarV,
    SymInt,
    Tensor,
    TupleV,
    Unknown,
    Value,
)

PLACE = Place("t.py", 1)


class Program:
    """Runs operations and records the events."""

    def __init__(self) -> None:
        self.events: list[tuple[str, Tensor]] = []

    def call(
        self, args: list[Any], kwargs: dict[str, Any] | None = None, layer: ExtObj | None = None, **more: Any
    ) -> OpCall:
        lifted = {k: lift(v) for k, v in (kwargs or {}).items()}
        emit = lambda kind, tensor, place, **data: self.events.append((kind, tensor))  # noqa: E731
        return OpCall([lift(a) for a in args], lifted, PLACE, layer, emit=emit, **more)

    def f(self, name: str, *args: Any, **kwargs: Any) -> Any:
        name = name if "." in name else f"torch.{name}"
        return ops.FUNCTIONS[ops.normalise(name.replace("F.", "torch.nn.functional."))](
            self.call(list(args), kwargs)
        )

    def m(self, x: Any, name: str, *args: Any, **kwargs: Any) -> Any:
        return ops.METHODS[name](self.call([x, *args], kwargs))

    def layer(self, name: str, x: Any, *args: Any, **kwargs: Any) -> Any:
        made = ExtObj(
            f"torch.nn.{name}", tuple(lift(a) for a in args), {k: lift(v) for k, v in kwargs.items()}, PLACE
        )
        return ops.LAYERS[f"torch.nn.{name}"](self.call([x], layer=made))

    def b(self, op: str, left: Any, right: Any) -> Any:
        return ops.binary(op, lift(left), lift(right), self.call([]))

    def i(self, x: Any, *items: Any) -> Any:
        return ops.index(x, [lift(v) for v in items], self.call([]))


def lift(value: Any) -> Value:
    if isinstance(value, Value):
        return value
    if isinstance(value, (tuple, list)):
        return TupleV(tuple(lift(v) for v in value))
    if isinstance(value, slice):
        return ops.SliceV(lift(value.start), lift(value.stop), lift(value.step))
    return ops.ELLIPSIS if value is ... else Const(value)


@pytest.fixture
def p() -> Program:
    return Program()


@pytest.fixture
def x() -> Tensor:
    """Class scores of a batch."""
    return Tensor(Domain(SCORES, "nn.Linear"), "float32", (None, 10), grad=True, role="model")


NOTHING = Unknown("a parameter")


# Spellings

SOFTMAXES = {
    "softmax(1)": lambda p, x: p.m(x, "softmax", 1),
    "F.softmax": lambda p, x: p.f("F.softmax", x, dim=1),
    "torch.softmax": lambda p, x: p.f("torch.softmax", x, -1),
    "nn.Softmax": lambda p, x: p.layer("Softmax", x, 1),
    "nn.Softmax()": lambda p, x: p.layer("Softmax", x),
    "softmin": lambda p, x: p.f("F.softmin", x, dim=1),
    "gumbel": lambda p, x: p.f("F.gumbel_softmax", x),
    "sparsemax": lambda p, x: p.f("entmax.sparsemax", x, 1),
    "exp of log": lambda p, x: p.m(p.m(x, "log_softmax", 1), "exp"),
    "by hand": lambda p, x: p.b("/", p.m(x, "exp"), p.m(p.m(x, "exp"), "sum", 1, keepdim=True)),
    "by hand, one exp": lambda p, x: once(p, p.m(x, "exp")),
    "by hand, unsqueezed": lambda p, x: p.b(
        "/", p.f("exp", x), p.m(p.f("sum", p.f("torch.exp", x), dim=1), "unsqueeze", 1)
    ),
    "by hand, + eps": lambda p, x: p.b(
        "/", p.m(x, "exp"), p.b("+", p.m(p.m(x, "exp"), "sum", 1, keepdim=True), 1e-8)
    ),
    "by hand, - max": lambda p, x: once(p, p.m(p.b("-", x, p.i_pair(p.m(x, "max", 1, keepdim=True))), "exp")),
    "relu normalised": lambda p, x: once(p, p.m(x, "relu")),
    "mean of an ensemble": lambda p, x: p.m(
        p.f("stack", [p.m(x, "softmax", 1), p.m(x, "softmax", 1)]), "mean", 0
    ),
    "half the sum": lambda p, x: p.b("/", p.b("+", p.m(x, "softmax", 1), p.m(x, "softmax", 1)), 2),
    "sum over a count": lambda p, x: p.b(
        "/", p.b("+", p.m(x, "softmax", 1), p.m(x, "softmax", 1)), SymInt("n")
    ),
    "masked and normalised": lambda p, x: once(p, p.b("*", p.m(x, "exp"), p.m(p.b(">", x, 0), "float"))),
    "masked softmax": lambda p, x: once(p, p.b("*", p.m(x, "softmax", 1), p.b(">", x, 0))),
    "clamped": lambda p, x: p.m(p.m(x, "softmax", 1), "clamp", 1e-7, 1 - 1e-7),
    "detached": lambda p, x: p.m(p.m(x, "softmax", 1), "detach"),
    "dropped out": lambda p, x: p.layer("Dropout", p.m(x, "softmax", 1), 0.5),
}


def once(p: Program, e: Tensor) -> Any:
    return p.b("/", e, p.m(e, "sum", 1, keepdim=True))


Program.i_pair = lambda self, pair: pair.items[0]  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", SOFTMAXES)
def test_softmax_spellings(name: str, p: Program, x: Tensor) -> None:
    made = SOFTMAXES[name](p, x)
    assert made.dom.kind == PROBS, made
    assert made.dom.how


UNKNOWN_TOO = [
    "F.softmax",
    "torch.softmax",
    "nn.Softmax",
    "nn.Softmax()",
    "softmin",
    "gumbel",
    "sparsemax",
    "by hand, unsqueezed",
]


@pytest.mark.parametrize("name", UNKNOWN_TOO)
def test_softmax_of_the_unknown(name: str, p: Program) -> None:
    assert SOFTMAXES[name](p, NOTHING).dom.kind == PROBS


LOG_SOFTMAXES = {
    "F.log_softmax": lambda p, x: p.f("F.log_softmax", x, 1),
    "log of softmax": lambda p, x: p.m(p.m(x, "softmax", 1), "log"),
    "log of softmax + eps": lambda p, x: p.f("log", p.b("+", p.m(x, "softmax", 1), 1e-8)),
    "- logsumexp": lambda p, x: p.b("-", x, p.m(x, "logsumexp", 1, True)),
    "- logsumexp[:, None]": lambda p, x: p.b("-", x, p.i(p.f("logsumexp", x, dim=1), slice(None), None)),
    "the tutorial's": lambda p, x: p.b(
        "-", x, p.m(p.m(p.m(p.m(x, "exp"), "sum", -1), "log"), "unsqueeze", -1)
    ),
}


@pytest.mark.parametrize("name", LOG_SOFTMAXES)
@pytest.mark.parametrize("known", [True, False])
def test_log_softmax_spellings(name: str, known: bool, p: Program, x: Tensor) -> None:
    made = LOG_SOFTMAXES[name](p, x if known else Tensor())
    assert made.dom.kind == LOGPROBS
    assert ("log_after" in made.dom.flags) == name.startswith("log of")


SIGMOIDS = {
    "sigmoid": lambda p, x: p.m(x, "sigmoid"),
    "sigmoid_": lambda p, x: p.m(x, "sigmoid_"),
    "expit": lambda p, x: p.f("torch.special.expit", x),
    "nn.Sigmoid": lambda p, x: p.layer("Sigmoid", x),
    "1 - sigmoid": lambda p, x: p.b("-", 1, p.m(x, "sigmoid")),
    "by hand": lambda p, x: p.b("/", 1, p.b("+", 1, p.f("exp", ops.unary("-", x, p.call([]))))),
    "by hand, of exp": lambda p, x: p.b("/", p.f("exp", x), p.b("+", p.f("exp", x), 1)),
    "(tanh + 1) / 2": lambda p, x: p.b("/", p.b("+", p.m(x, "tanh"), 1), 2),
    "one of a softmax": lambda p, x: p.i(p.m(x, "softmax", 1), slice(None), 1),
    "gathered": lambda p, x: p.m(
        p.m(x, "softmax", 1), "gather", 1, Tensor(Domain(INDICES), "int64", (None, 1))
    ),
    "masked and summed": lambda p, x: p.m(p.b("*", p.m(x, "softmax", 1), Tensor(Domain(ONEHOT))), "sum", 1),
    "max of a softmax": lambda p, x: p.m(p.m(x, "softmax", 1), "max", 1).items[0],
}


@pytest.mark.parametrize("name", SIGMOIDS)
def test_sigmoid_spellings(name: str, p: Program, x: Tensor) -> None:
    assert SIGMOIDS[name](p, x).dom.kind == UNIT


DOMAINS: dict[str, tuple[str, str, Any]] = {
    "relu": (POSITIVE, "relu", lambda p, x: p.m(x, "relu")),
    "relu6": (BOUNDED, "relu6", lambda p, x: p.layer("ReLU6", x)),
    "softplus": (POSITIVE, "softplus", lambda p, x: p.f("F.softplus", x)),
    "exp": (POSITIVE, "exp", lambda p, x: p.m(x, "exp")),
    "softplus + eps": (POSITIVE, "softplus", lambda p, x: p.b("+", p.f("F.softplus", x), 1e-6)),
    "tanh": (BOUNDED, "tanh", lambda p, x: p.m(x, "tanh")),
    "10 * tanh": (BOUNDED, "tanh", lambda p, x: p.b("*", 10, p.m(x, "tanh"))),
    "scale * tanh": (SCORES, "", lambda p, x: p.b("*", p.m(x, "tanh"), NOTHING)),
    "leaky": (SCORES, "leaky_relu", lambda p, x: p.f("F.leaky_relu", x)),
    "temperature": (SCORES, "", lambda p, x: p.b("/", x, 0.07)),
    "unknown temperature": (SCORES, "", lambda p, x: p.b("/", x, NOTHING)),
    "residual": (SCORES, "", lambda p, x: p.b("+", x, NOTHING)),
    "clamp": (BOUNDED, "clamp", lambda p, x: p.m(x, "clamp", -1, 1)),
    "wide clamp": (SCORES, "nn.Linear", lambda p, x: p.m(x, "clamp", -100, 100)),
    "clamp(min=0)": (POSITIVE, "clamp", lambda p, x: p.m(x, "clamp", min=0)),
    "batch norm": (SCORES, "batch_norm", lambda p, x: p.layer("BatchNorm1d", p.m(x, "relu"), 10)),
    "lstm": (BOUNDED, "nn.LSTM", lambda p, x: p.layer("LSTM", x, 10, 3).items[0]),
    "lstm c": (SCORES, "nn.LSTM", lambda p, x: p.layer("LSTM", x, 10, 3).items[1].items[1]),
    "rnn relu": (POSITIVE, "nn.RNN", lambda p, x: p.layer("RNN", x, 10, 3, nonlinearity="relu").items[0]),
    "cosine": (
        BOUNDED,
        "cosine",
        lambda p, x: p.b("@", p.f("F.normalize", x), p.m(p.f("F.normalize", x), "t")),
    ),
    "cosine, summed": (
        BOUNDED,
        "cosine",
        lambda p, x: p.m(p.b("*", p.f("F.normalize", x), p.f("F.normalize", x)), "sum", -1),
    ),
    "cosine, linear": (
        BOUNDED,
        "cosine",
        lambda p, x: p.f("F.linear", p.f("F.normalize", x), p.f("F.normalize", Tensor(Domain(SCORES)))),
    ),
    "s * cosine": (
        SCORES,
        "",
        lambda p, x: p.b("*", NOTHING, p.f("F.cosine_similarity", x, x)),
    ),
    "-log_softmax": (
        POSITIVE,
        "-log_softmax",
        lambda p, x: ops.unary("-", p.m(x, "log_softmax", 1), p.call([])),
    ),
    "logsigmoid": (LOGUNIT, "logsigmoid", lambda p, x: p.f("F.logsigmoid", x)),
    "-softplus": (LOGUNIT, "-softplus", lambda p, x: ops.unary("-", p.f("F.softplus", x), p.call([]))),
    "log-odds": (
        SCORES,
        "",
        lambda p, x: p.m(p.b("/", p.m(x, "sigmoid"), p.b("-", 1, p.m(x, "sigmoid"))), "log"),
    ),
    "masked": (SCORES, "", lambda p, x: p.m(x, "masked_fill", NOTHING, -1e9)),
    "weighted probs": (UNKNOWN, "*", lambda p, x: p.b("*", p.m(x, "softmax", 1), NOTHING)),
    "weighted log-probs": (UNKNOWN, "*", lambda p, x: p.b("*", p.m(x, "log_softmax", 1), NOTHING)),
    "gaussian": (
        UNKNOWN,
        "exp",
        lambda p, x: p.m(ops.unary("-", p.f("torch.cdist", x, x), p.call([])), "exp"),
    ),
    "min-max": (
        UNKNOWN,
        "/",
        lambda p, x: p.b("/", p.b("-", x, p.m(x, "min")), p.b("-", p.m(x, "max"), p.m(x, "min"))),
    ),
    "mixture of experts": (
        UNKNOWN,
        "sum",
        lambda p, x: p.m(p.b("*", p.m(x, "softmax", 1), p.m(x, "sigmoid")), "sum", 1),
    ),
    "one_hot": (ONEHOT, "one_hot", lambda p, x: p.f("F.one_hot", p.m(x, "argmax", 1), 10)),
    "scattered": (
        ONEHOT,
        "scatter",
        lambda p, x: p.m(p.f("zeros", 4, 10), "scatter_", 1, Tensor(Domain(INDICES), "int64"), 1.0),
    ),
    "smoothed": (
        UNIT,
        "one_hot",
        lambda p, x: p.b("+", p.b("*", p.f("F.one_hot", p.m(x, "argmax", 1), 10), 0.9), 0.01),
    ),
    "noisy data": (DATA, "", lambda p, x: p.b("+", Tensor(Domain(DATA)), p.f("randn", 3))),
    "zeros": (NUMBER, "", lambda p, x: p.f("zeros", 3, 4)),
    "parameter": (SCORES, "nn.Parameter", lambda p, x: p.f("torch.nn.Parameter", p.f("ones", 1))),
}


@pytest.mark.parametrize("name", DOMAINS)
def test_domains(name: str, p: Program, x: Tensor) -> None:
    kind, how, run = DOMAINS[name]
    made = run(p, x)
    assert (made.dom.kind, made.dom.how) == (kind, how)


# The class axis

MOVES: dict[str, tuple[int, Callable[[Program, Tensor], Any]]] = {
    "view(-1, 10)": (-1, lambda p, x: p.m(x, "view", -1, 10)),
    "view(size(0), -1, 10)": (-1, lambda p, x: p.m(x, "view", p.m(x, "size", 0), -1, 10)),
    "transpose": (1, lambda p, x: p.m(x, "transpose", 1, 2)),
    "permute": (0, lambda p, x: p.m(x, "permute", 2, 0, 1)),
    "unsqueeze": (3, lambda p, x: p.m(x, "unsqueeze", 0)),
    "x[0]": (1, lambda p, x: p.i(x, 0)),
    "x[:, -1]": (1, lambda p, x: p.i(x, slice(None), -1)),
    "x[mask]": (1, lambda p, x: p.i(x, Tensor(dtype="bool", shape=(None, None)))),
    "cat": (-1, lambda p, x: p.f("cat", [x, x], dim=1)),
    "flatten(0, 1)": (1, lambda p, x: p.m(x, "flatten", 0, 1)),
    "stack": (3, lambda p, x: p.f("stack", [x, x])),
    "chunk": (-1, lambda p, x: p.m(x, "chunk", 2, dim=1).items[0]),
}


@pytest.mark.parametrize("name", MOVES)
def test_class_axis_follows(name: str, p: Program) -> None:
    probs = Tensor(Domain(PROBS, "softmax", dim=-1), "float32", (None, None, 10))
    want, run = MOVES[name]
    made = run(p, probs)
    assert made.dom.kind == PROBS
    assert made.dom.dim in (want, want - len(made.shape)), made


def test_implicit_dim(p: Program, x: Tensor) -> None:
    made = p.f("F.softmax", x)
    assert (made.dom.implicit, made.dom.dim) == (True, 1)
    assert p.f("F.softmax", Tensor(shape=(2, 3, 4))).dom.dim == 0
    assert p.f("F.softmax", Tensor()).dom.dim is None


# Events, identity, gradient

LOGGED: dict[str, Callable[[Program, Tensor], Any]] = {
    "softmax": lambda p, x: p.m(x, "softmax", 1),
    "sigmoid": lambda p, x: p.m(x, "sigmoid"),
    "1 - sigmoid": lambda p, x: p.b("-", 1, p.m(x, "sigmoid")),
    "+ eps": lambda p, x: p.b("+", p.m(x, "softmax", 1), 1e-12),
    "clamp": lambda p, x: p.m(p.m(x, "sigmoid"), "clamp", min=1e-6),
    "gather": lambda p, x: p.m(p.m(x, "softmax", 1), "gather", 1, NOTHING),
    "[:, 1]": lambda p, x: p.i(p.m(x, "softmax", 1), slice(None), 1),
    "by hand": lambda p, x: once(p, p.m(x, "exp")),
}
NOT_LOGGED: dict[str, Callable[[Program, Tensor], Any]] = {
    "ensemble": lambda p, x: p.m(p.f("stack", [p.m(x, "softmax", 1), p.m(x, "softmax", 1)]), "mean", 0),
    "sum": lambda p, x: p.b("/", p.b("+", p.m(x, "softmax", 1), p.m(x, "softmax", 1)), 2),
    "sparsemax": lambda p, x: p.f("entmax.sparsemax", x, 1),
    "rand": lambda p, x: p.f("rand", 3, 4),
    "scores": lambda p, x: x,
    "product": lambda p, x: p.b("*", p.m(x, "sigmoid"), p.m(x, "sigmoid")),
}


@pytest.mark.parametrize("name", [*LOGGED, *NOT_LOGGED])
def test_log_events(name: str, p: Program, x: Tensor) -> None:
    p.f("log", {**LOGGED, **NOT_LOGGED}[name](p, x))
    assert len(p.events) == (name in LOGGED)


def test_identity(p: Program, x: Tensor) -> None:
    assert p.m(x, "view", -1).uid == x.uid
    assert p.m(x, "exp").uid == p.f("exp", x).uid != x.uid
    assert p.b("-", x, 1).uid == p.b("-", x, 1).uid != p.b("-", x, 2).uid
    assert p.m(x, "softmax", 1).uid != x.uid


CUTS = {
    "detach()": lambda p, x: p.m(x, "detach"),
    ".data": lambda p, x: p.m(x, "data"),
    "item()": lambda p, x: p.m(x, "item"),
    "numpy()": lambda p, x: p.m(x, "numpy"),
    "argmax()": lambda p, x: p.m(x, "argmax", 1),
    "max()": lambda p, x: p.m(x, "max", 1).items[1],
    "comparison": lambda p, x: p.b(">", x, 0),
    "round()": lambda p, x: p.m(x, "round"),
    "cast to int64": lambda p, x: p.m(x, "long"),
    "torch.tensor()": lambda p, x: p.f("torch.tensor", x),
}


@pytest.mark.parametrize("what", CUTS)
def test_cuts(what: str, p: Program, x: Tensor) -> None:
    made = CUTS[what](p, x)
    assert (made.grad, made.cut) == (False, what)
    assert made.trail is not None
    assert p.b("+", p.m(made, "float"), 1).cut == what
    assert p.b("+", x, made).grad is True


def test_no_grad(p: Program, x: Tensor) -> None:
    made = ops.METHODS["relu"](p.call([x], no_grad=True))
    assert isinstance(made, Tensor)
    assert (made.grad, made.cut) == (False, "no_grad")
    assert p.layer("Linear", Tensor(Domain(DATA)), 3, 4).grad is True


def test_dropout(p: Program, x: Tensor) -> None:
    dropped = p.layer("Dropout", x, 0.5)
    assert (dropped.dom.kind, dropped.dom.flags) == (SCORES, {"dropout"})
    assert not p.b("*", dropped, 2.0).dom.flags
    assert "dropout" in p.m(dropped, "squeeze", 1).dom.flags
    layer = ExtObj("torch.nn.Dropout", (), {}, PLACE)
    assert ops.LAYERS["torch.nn.Dropout"](p.call([x], layer=layer, training=False)) is x


def test_base(p: Program, x: Tensor) -> None:
    made = p.f("F.log_softmax", p.m(p.m(x, "relu"), "softmax", 1), 1)
    assert made.dom.base.kind == PROBS
    assert p.m(p.m(x, "relu"), "softmax", 1).dom.base.how == "relu"
    for _ in range(10):
        made = p.m(made, "softmax", 1)
    depth = 0
    dom: Domain | None = made.dom
    while dom is not None:
        depth, dom = depth + 1, dom.base
    assert depth <= 4


def test_shapes(p: Program) -> None:
    image = Tensor(Domain(DATA), "float32", (None, 3, 32, 32))
    x = p.layer("Conv2d", image, 3, 8, 3, padding=1)
    assert x.shape == (None, 8, 32, 32)
    x = p.layer("MaxPool2d", x, 2)
    assert x.shape == (None, 8, 16, 16)
    assert p.layer("Flatten", x).shape == (None, 2048)
    assert p.layer("Linear", p.layer("Flatten", x), 2048, 10).shape == (None, 10)
    assert p.layer("Linear", NOTHING, 2048, 10).shape == (DOTS, 10)
    assert p.m(p.layer("Linear", NOTHING, 5, 1), "squeeze", -1).shape == (DOTS,)
    sequence = Tensor(Domain(INDICES), "int64", (None, 20))
    embedded = p.layer("Embedding", sequence, 100, 16)
    assert embedded.shape == (None, 20, 16)
    assert p.layer("LSTM", embedded, 16, 4, batch_first=True).items[0].shape == (None, 20, 4)
    assert p.m(image, "view", p.m(image, "size", 0), -1).shape == (None, None)
    assert p.f("zeros", SymInt("n"), 3).shape == ("n", 3)


def test_dtypes(p: Program, x: Tensor) -> None:
    assert p.f("full", (2,), 1).dtype == "int64"
    assert p.f("full", (2,), 1.0).dtype == "float32"
    assert p.f("zeros", 2, dtype=External("torch.float64")).dtype == "float64"
    assert p.f("torch.tensor", [1, 2]).dtype == "int64"
    assert p.f("torch.tensor", [1.0, 2]).dtype == "float32"
    assert p.f("torch.LongTensor", [1, 2]).dtype == "int64"
    assert p.f("F.one_hot", Tensor(Domain(INDICES)), 3).dtype == "int64"
    assert p.m(x, "type", External("torch.LongTensor")).dtype == "int64"
    assert p.m(x, "to", Const("cuda:0")).dtype == "float32"
    assert p.m(x, "type_as", Tensor(dtype="float64")).dtype == "float64"
    assert p.b(">", x, 0.5).dtype == "bool"
    array = p.f("numpy.zeros", (3, 4))
    assert array.dtype == "float64"
    assert "numpy" in array.dom.flags
    assert "numpy" in p.f("numpy.exp", array).dom.flags
    assert "numpy" not in p.f("torch.from_numpy", array).dom.flags


def test_names() -> None:
    for given, want in (
        ("torch.nn.modules.activation.Softmax", "torch.nn.Softmax"),
        ("torch.nn.modules.Linear", "torch.nn.Linear"),
        ("torch.functional.F.softmax", "torch.nn.functional.softmax"),
        ("torch.nn.functional.torch.exp", "torch.exp"),
        ("torch.special.expit", "torch.sigmoid"),
        ("torch.nn.parameter.Parameter", "torch.nn.Parameter"),
        ("torch.autograd.variable.Variable", "torch.autograd.Variable"),
        ("torch.cuda.FloatTensor", "torch.cuda.FloatTensor"),  # made elsewhere
        ("torch.cuda.amp.autocast", "torch.cuda.amp.autocast"),
        ("torchvision.models.resnet18", "torchvision.models.resnet18"),
        ("mypackage.torch.exp", "mypackage.torch.exp"),
        ("torch.nn.functional.softmax", "torch.nn.functional.softmax"),
    ):
        assert ops.normalise(given) == want
        assert ops.normalise(want) == want


def test_sequences_of_unknown_length(p: Program) -> None:
    probs = Tensor(Domain(PROBS, "softmax", dim=-1), "float32", (None, 10))
    many = ListV(PLACE)
    many.attrs["items"] = TupleV((StarV((probs,)),))
    assert p.f("cat", many).dom.kind == PROBS
    assert p.f("stack", many).dom.kind == PROBS
    (rest,) = p.m(probs, "unbind", 0).items
    assert isinstance(rest, StarV)


def test_foreign_softmax_is_unknown(p: Program) -> None:
    assert isinstance(p.f("scipy.special.softmax", Tensor(Domain(SCORES)), 1), Unknown)


# Odd arguments

ODD: list[Value] = [
    NONE,
    Const("softmax"),
    Const(3),
    Const(0.0),
    Const(True),
    Const(float("inf")),
    Const(float("-inf")),
    Const(float("nan")),
    Const(10**400),
    NOTHING,
    External("torch.float32"),
    TupleV(()),
    TupleV((Const(1), NONE)),
    TupleV((Tensor(), Tensor(Domain(PROBS, "softmax", dim=-1)))),
    ListV(PLACE),
    SymInt("n"),
    Tensor(),
    Tensor(Domain(PROBS, "softmax", dim=5), "int64", ()),
    Tensor(Domain(LOGPROBS, "x", dim=-3), None, (DOTS, 2)),
    Tensor(Domain(BOUNDED, "b"), "float32", (None, 0, 4)),
    Tensor(Domain(NUMBER, low=2.0), "int64", (3,)),
    Tensor(Domain(INDICES), "int64", ("n",)),
]


@pytest.mark.parametrize("name", sorted(ops.FUNCTIONS))
def test_functions_never_raise(name: str, p: Program) -> None:
    run_odd(lambda args: ops.FUNCTIONS[name](p.call(args)))


@pytest.mark.parametrize("name", sorted(ops.LAYERS))
def test_layers_never_raise(name: str, p: Program) -> None:
    for made in ((), (NONE,), (Const(3), Const(2)), (Const("a"), NOTHING, TupleV(())), (Const(0),) * 8):
        layer = ExtObj(name, made, {}, PLACE)
        run_odd(lambda args, layer=layer: ops.LAYERS[name](p.call(args, layer=layer)))


def run_odd(run: Any) -> None:
    assert isinstance(run([]), Value)
    for first in ODD:
        assert isinstance(run([first]), Value)
    for pair in itertools.product(ODD, ODD):
        assert isinstance(run(list(pair)), Value)
    for first, rest in itertools.product(ODD[-4:], ODD):
        assert isinstance(run([first, rest, rest, rest, rest]), Value)


def test_operators_never_raise(p: Program) -> None:
    for op, left, right in itertools.product("+ - * / // % ** @ < == & |".split(), ODD, ODD):
        assert isinstance(p.b(op, left, right), Value)
    for op, value in itertools.product("-+~", ODD):
        assert isinstance(ops.unary(op, value, p.call([])), Value)
    tensors = [v for v in ODD if isinstance(v, Tensor)]
    items: list[Any] = [*ODD, ops.ELLIPSIS, ops.SliceV(), ops.SliceV(NOTHING, Const(-1), Const(2))]
    for tensor, first, second in itertools.product(tensors, items, items):
        assert isinstance(ops.index(tensor, [first], p.call([])), Value)
        assert isinstance(ops.index(tensor, [first, second], p.call([])), Value)


@pytest.mark.parametrize(
    ("layer", "size", "shape"),
    [
        ("Linear", (7, 3), (2, 5)),
        ("Bilinear", (7, 5, 3), (2, 5)),
        ("Conv2d", (7, 3, 1), (2, 5, 4, 4)),
        ("Conv2d", (7, 3, 1), (5, 4, 4)),
        ("Conv2d", (5, 3, 1), (2, 5)),
        ("BatchNorm1d", (7,), (2, 5)),
        ("LayerNorm", (7,), (2, 5)),
        ("GroupNorm", (1, 7), (2, 5)),
    ],
)
def test_a_layer_that_refuses_the_size_gives_no_shape(layer: str, size: tuple[int, ...], shape: Any) -> None:
    x = Tensor(Domain(DATA), "float32", shape)
    made = Program().layer(layer, x, *size)
    assert isinstance(made, Tensor)
    assert made.shape is None


@pytest.mark.parametrize("layer", ["RNN", "GRU", "LSTM", "RNNCell", "GRUCell", "LSTMCell"])
def test_a_recurrent_layer_that_refuses_the_size_gives_nothing(layer: str) -> None:
    made = Program().layer(layer, Tensor(Domain(DATA), "float32", (2, 5)), 7, 3)
    parts = made.items if isinstance(made, TupleV) else (made,)
    assert isinstance(parts[0], Unknown)
