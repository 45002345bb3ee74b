"""What the contracts of torch.nn's losses say about numbers, held against the installed torch."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

from torchlosslint import contracts
from torchlosslint.contracts import base as b
from torchlosslint.contracts.base import LossContract, Switch, wanted

torch = pytest.importorskip("torch")
F = torch.nn.functional
D = torch.distributions

pytestmark = pytest.mark.filterwarnings("ignore")


def contract(key: str) -> LossContract:
    found = contracts.by_key(key)
    assert found is not None
    return found


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def close(left: Any, right: Any) -> bool:
    return bool(torch.allclose(left, right, atol=1e-5))


def test_softmax_inside() -> None:
    x, y = torch.randn(4, 5), torch.tensor([0, 1, 2, 3])
    for key, one, two in (
        ("cross_entropy", F.cross_entropy(x, y), F.nll_loss(x.log_softmax(1), y)),
        ("cross_entropy", F.cross_entropy(x, y), F.cross_entropy(x.log_softmax(1), y)),
    ):
        assert contract(key).activation == "softmax"
        assert close(one, two)
    assert not close(F.cross_entropy(x, y), F.cross_entropy(x.softmax(1), y))


def test_sigmoid_inside() -> None:
    x, y = torch.randn(4, 5), torch.rand(4, 5).round()
    expected = F.binary_cross_entropy(x.sigmoid(), y)
    for key, one in (
        ("bce_with_logits", F.binary_cross_entropy_with_logits(x, y)),
        ("multilabel_soft_margin", F.multilabel_soft_margin_loss(x, y)),
        ("soft_margin", F.soft_margin_loss(x, 2 * y - 1)),
    ):
        assert contract(key).activation == "sigmoid"
        assert close(one, expected)


def test_nothing_inside() -> None:
    """The others see the difference between scores and activated scores, or refuse scores."""
    x, y = torch.randn(4, 5) * 3, torch.tensor([0, 1, 2, 3])
    assert {c.key for c in contracts.ALL if c.activation} == {
        *("cross_entropy", "bce_with_logits", "multilabel_soft_margin", "soft_margin"),
        *("adaptive_log_softmax", "linear_cross_entropy"),
    }
    assert contract("nll").input == b.LOG_PROBS
    assert not close(F.nll_loss(x, y), F.nll_loss(x.log_softmax(1), y))
    assert F.nll_loss(x.softmax(1), y) < 0  # the tell-tale
    assert contract("bce").input == b.UNIT
    with pytest.raises(RuntimeError, match="between 0 and 1"):
        F.binary_cross_entropy(x, torch.rand(4, 5))
    with pytest.raises(RuntimeError, match="between 0 and 1"):
        F.binary_cross_entropy(x.sigmoid(), torch.full((4, 5), 255.0))


def test_kl_div() -> None:
    c = contract("kl_div")
    assert (c.input, c.target) == (b.LOG_PROBS, b.PROBS)
    p, q = torch.randn(4, 5).log_softmax(1), torch.randn(4, 5).log_softmax(1)
    expected = (q.exp() * (q - p)).sum() / 4
    assert close(F.kl_div(p, q.exp(), reduction="batchmean"), expected)
    assert close(F.kl_div(p, q, reduction="batchmean", log_target=True), expected)
    assert wanted(c.target, c.target_switches, {"log_target": True}) == b.LOG_PROBS
    assert wanted(c.target, c.target_switches, {"log_target": False}) == b.PROBS
    assert close(F.kl_div(p, q.exp()), expected / 5)  # "mean" divides by elements


def test_ctc() -> None:
    assert contract("ctc").input == b.LOG_PROBS
    x, lengths = torch.randn(6, 2, 4), (torch.tensor([6, 6]), torch.tensor([1, 1]))
    y = torch.ones(2, 1, dtype=torch.long)
    right = F.ctc_loss(x.log_softmax(-1), y, *lengths)
    assert right > 0
    assert not close(F.ctc_loss(x, y, *lengths), right)


def test_poisson() -> None:
    c = contract("poisson_nll")
    assert c.input == b.RATE
    x, y = torch.randn(4), torch.tensor([1.0, 2.0, 0.0, 3.0])
    assert close(F.poisson_nll_loss(x, y), F.poisson_nll_loss(x.exp(), y, log_input=False))
    assert F.poisson_nll_loss(-x.abs(), y, log_input=False).isnan()
    assert wanted(c.input, c.switches, {"log_input": True}) == b.REAL
    assert wanted(c.input, c.switches, {"log_input": False}) == b.NON_NEGATIVE
    assert wanted(c.input, c.switches, {}) == b.ANY


def test_gaussian() -> None:
    assert contract("gaussian_nll").inputs == ("input", "var")
    with pytest.raises(ValueError, match="var"):
        F.gaussian_nll_loss(torch.rand(4), torch.rand(4), torch.tensor([1.0, -1.0, 1.0, 1.0]))


def test_signs() -> None:
    """Labels 0 instead of -1 are taken without a word and count for nothing."""
    zero, one = torch.zeros(4), torch.ones(4)
    a, z = torch.randn(4, 3), torch.randn(4, 3)
    assert {c.key for c in contracts.ALL if c.target == b.SIGN} == {
        *("margin_ranking", "hinge_embedding", "cosine_embedding", "soft_margin")
    }
    assert not F.cosine_embedding_loss(a, z, zero, reduction="none").any()
    assert F.cosine_embedding_loss(a, z, one, reduction="none").any()
    assert not F.margin_ranking_loss(a, z, torch.zeros(4, 3)).any()
    assert close(F.soft_margin_loss(a[:, 0], zero), torch.tensor(2.0).log())
    assert close(F.hinge_embedding_loss(torch.full((4,), 0.25), zero), torch.tensor(1.0))


PAIRS = [
    c
    for c in contracts.ALL
    if c.target in (b.FLOAT_SAME, b.FLOAT_UNIT, b.PROBS, b.SIGN)
    and len(c.forward_params) == len(c.inputs) + 1
]


@pytest.mark.parametrize("c", PAIRS, ids=lambda c: c.key)
def test_symmetric(c: LossContract) -> None:
    """The same number and a gradient for what now stands in the place of the target."""
    module = getattr(torch.nn, c.title)(reduction="sum")
    x = torch.rand(4, 3, requires_grad=True)
    y = torch.tensor([[1.0, -1.0, 1.0]] * 4) if c.target == b.SIGN else torch.rand(4, 3)
    more = [torch.rand(4, 3).requires_grad_()] * (len(c.inputs) - 1)
    if c.key == "cosine_embedding":
        y = torch.tensor([1.0, -1.0, 1.0, -1.0])
    right = _call(c, module, x, more, y)
    try:
        swapped = _call(c, module, y, more, x)
        same = close(right, swapped) and torch.autograd.grad(swapped, x)[0].any()
    except (RuntimeError, ValueError):
        same = False
    assert bool(same) is c.symmetric


def _call(c: LossContract, module: Any, x: Any, more: list[Any], y: Any) -> Any:
    values = dict(zip(c.inputs, [x, *more], strict=True))
    values[c.target_arg] = y
    return module(*(values[name] for name in c.forward_params))


@pytest.mark.parametrize(
    "c", [c for c in contracts.ALL if len(c.inputs) > 1 and c.function], ids=lambda c: c.key
)
def test_symmetric_inputs(c: LossContract) -> None:
    f = getattr(F, c.function.rpartition(".")[2])
    a, z, rest = torch.rand(4, 3), torch.rand(4, 3), torch.rand(4, 3)
    if c.target == b.SIGN:
        rest = torch.tensor([1.0, -1.0, 1.0, -1.0])
        rest = rest if c.key == "cosine_embedding" else rest[:, None]
    values = {c.inputs[0]: a, c.inputs[1]: z}
    other = {name: rest for name in c.forward_params if name not in values}
    one = f(**values, **other)
    two = f(**{c.inputs[0]: z, c.inputs[1]: a}, **other)
    assert close(one, two) is c.symmetric_inputs


@pytest.mark.parametrize(
    "c", [c for c in contracts.ALL if c.function and not c.owns_layer], ids=lambda c: c.key
)
def test_autocast(c: LossContract) -> None:
    """The kernel that autocast of CUDA puts in front, called on CPU tensors."""
    f = getattr(F, c.function.rpartition(".")[2])
    x, args = torch.rand(4, 3), [torch.rand(4, 3) for _ in c.inputs[1:]]
    y: Any = torch.rand(4, 3)
    if c.index_dtypes:
        y = torch.tensor([[0, -1, -1]] * 4) if c.target == b.CLASS_LIST else torch.tensor([0, 1, 2, 0])
    if c.key == "cosine_embedding":
        y = torch.ones(4)
    values = dict(zip(c.inputs, [x, *args], strict=True)) | {c.target_arg: y}
    if c.key == "ctc":
        x = torch.rand(6, 4, 3).log_softmax(-1)
        values = {"log_probs": x, "targets": torch.ones(4, 2, dtype=torch.long)}
        values |= {"input_lengths": torch.full((4,), 6), "target_lengths": torch.full((4,), 2)}
    call = [values[name] for name in c.forward_params]
    f(*call)  # fine outside
    message = ""
    torch.set_autocast_enabled("cuda", True)
    try:
        with torch._C._IncludeDispatchKeyGuard(torch._C.DispatchKey.AutocastCUDA):
            f(*call)
    except RuntimeError as error:
        message = str(error)
    finally:
        torch.set_autocast_enabled("cuda", False)
    assert ("unsafe to autocast" in message) is not c.autocast_safe
    assert not message or not c.autocast_safe


def test_autocast_on_cpu_is_fine() -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        F.binary_cross_entropy(torch.rand(4), torch.rand(4))


def test_adaptive_log_softmax() -> None:
    c = contract("adaptive_log_softmax")
    module = torch.nn.AdaptiveLogSoftmaxWithLoss(8, 20, [5, 10])
    result = module(torch.randn(4, 8), torch.tensor([0, 1, 6, 19]))
    assert c.loss_attr == "loss"
    assert result.loss.dim() == 0
    assert c.owns_layer
    assert [n for n, _ in module.named_parameters()]
    assert close(result.loss, -result.output.mean())
    for name in ("int64", "int32", "uint8", "int16", "bool", "float32"):
        try:
            module(torch.randn(4, 8), torch.ones(4).to(getattr(torch, name)))
            told = True
        except RuntimeError:
            told = False
        assert told is (name in c.index_dtypes), name
    with pytest.raises(RuntimeError):
        module(torch.randn(4, 8), torch.ones(4, 1, dtype=torch.long))


@pytest.mark.skipif(not hasattr(torch.nn, "LinearCrossEntropyLoss"), reason="newer torch")
def test_linear_cross_entropy() -> None:
    c = contract("linear_cross_entropy")
    x, weight, y = torch.randn(4, 8), torch.randn(5, 8), torch.tensor([0, 1, 4, 2])
    assert c.activation == "softmax"
    assert c.owns_layer
    assert close(F.linear_cross_entropy(x, weight, y), F.cross_entropy(x @ weight.T, y))
    module = torch.nn.LinearCrossEntropyLoss(8, 5)
    assert close(module(x, y), F.cross_entropy(x @ module.linear.weight.T, y))
    module(x, torch.rand(4, 5))  # class probabilities
    for name in ("int64", "uint8", "int32", "bool", "float32"):
        try:
            module(x, y.to(getattr(torch, name)))
            told = True
        except RuntimeError:
            told = False
        assert told is (name in c.index_dtypes), name


def test_deprecated_arguments_warn() -> None:
    for c in contracts.ALL:
        for name in c.deprecated:
            with warnings.catch_warnings(record=True) as seen:
                warnings.simplefilter("always")
                getattr(torch.nn, c.title)(**{name: True})
            assert any("deprecated" in str(w.message) for w in seen), (c.key, name)


def test_input_words() -> None:
    """The word for each loss, written out once more: a change is meant."""
    words = {c.key: c.input for c in contracts.ALL}
    assert {k for k, v in words.items() if v == b.LOGITS} == {
        *("cross_entropy", "bce_with_logits", "multilabel_soft_margin")
    }
    assert {k for k, v in words.items() if v == b.LOG_PROBS} == {"nll", "kl_div", "ctc"}
    assert {k for k, v in words.items() if v == b.UNIT} == {"bce"}
    assert {k for k, v in words.items() if v == b.RATE} == {"poisson_nll"}
    assert {c.key for c in contracts.ALL if c.multi_class} == {
        *("cross_entropy", "nll", "multi_margin", "adaptive_log_softmax", "linear_cross_entropy")
    }


def test_wanted() -> None:
    switches = (Switch((("a", True), ("m", "x")), b.PROBS), Switch((("a", True),), b.UNIT))
    assert wanted(b.LOGITS, switches, {"a": False}) == b.LOGITS
    assert wanted(b.LOGITS, switches, {"a": True, "m": "x"}) == b.PROBS
    assert wanted(b.LOGITS, switches, {"a": True, "m": "y"}) == b.UNIT
    assert wanted(b.LOGITS, switches, {"a": True}) == b.UNIT_OR_PROBS
    assert wanted(b.LOGITS, switches, {"m": "y"}) == b.ANY
    assert wanted(b.LOGITS, switches, {"a": 1}) == b.LOGITS
    given = (Switch((("act", b.GIVEN),), b.ANY),)
    assert wanted(b.UNIT, given, {"act": None}) == b.UNIT
    assert wanted(b.UNIT, given, {"act": "relu"}) == b.ANY
