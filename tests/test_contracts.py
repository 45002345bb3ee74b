"""The contracts of torch.nn's losses against the installed torch: names, signatures, shapes, dtypes."""

from __future__ import annotations

import inspect
import re
from functools import partial
from typing import Any

import pytest
from test_contracts_tools import call, keyword_only, names, outcome, parameters, resolve, scores

from torchlosslint import contracts
from torchlosslint.contracts import base as b
from torchlosslint.contracts.activations import ACTIVATIONS
from torchlosslint.contracts.base import LossContract

torch = pytest.importorskip("torch")
F = torch.nn.functional

pytestmark = pytest.mark.filterwarnings("ignore")
ALL = contracts.ALL
each = pytest.mark.parametrize("c", ALL, ids=lambda c: c.key)
MODULES = [c for c in ALL if c.module]
FUNCTIONS = [c for c in ALL if c.function]
DEPRECATED = {"size_average", "reduce"}


# Completeness


def reduces(thing: Any) -> bool:
    """Whether it takes a `reduction`: then it is a loss, whatever it is called."""
    try:
        return "reduction" in inspect.signature(thing).parameters
    except (TypeError, ValueError):
        return False


def loss_classes() -> set[type]:
    """What torch.nn has: the loss module's own list, below `_Loss`, by name, and by signature."""
    loss = torch.nn.modules.loss
    found = {getattr(loss, name) for name in loss.__all__}

    def below(cls: type) -> None:
        sub: type
        for sub in cls.__subclasses__():
            if sub.__module__.startswith("torch.nn.") and not sub.__name__.startswith("_"):
                found.add(sub)
            below(sub)

    below(loss._Loss)
    classes = {k: v for k, v in vars(torch.nn).items() if inspect.isclass(v)}
    return found | {v for k, v in classes.items() if re.search(r"Loss(2d)?$", k) or reduces(v)}


def loss_functions() -> list[str]:
    """The public names of torch.nn.functional that are losses, by name and by signature."""
    pattern = re.compile(r"_loss$|cross_entropy|^kl_div$")
    public = {n: v for n, v in vars(F).items() if callable(v) and not n.startswith("_")}
    return sorted(n for n, v in public.items() if pattern.search(n) or reduces(v))


def without_contract() -> list[str]:
    classes = [f"{c.__module__}.{c.__qualname__}" for c in loss_classes()]
    functions = [f"torch.nn.functional.{n}" for n in loss_functions()]
    return [n for n in classes if contracts.by_module(n) is None] + [
        n for n in functions if contracts.by_function(n) is None
    ]


def test_every_loss_has_a_contract() -> None:
    assert without_contract() == []
    assert all(contracts.by_module(f"torch.nn.{cls.__name__}") is not None for cls in loss_classes())
    assert len(loss_classes()) >= 24
    assert len(loss_functions()) >= 21


def test_a_loss_without_a_contract_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a later torch may bring: a class, a function by its name, one by its parameter alone."""

    class FocalLoss(torch.nn.Module):  # type: ignore[misc, name-defined]
        pass

    def agreement(input: Any, target: Any, reduction: str = "mean") -> Any:
        return input - target

    monkeypatch.setattr(torch.nn, "FocalLoss", FocalLoss, raising=False)
    monkeypatch.setattr(F, "focal_loss", lambda input, target: input, raising=False)
    monkeypatch.setattr(F, "agreement", agreement, raising=False)
    names_of = {n.rpartition(".")[2] for n in without_contract()}
    assert names_of == {"FocalLoss", "focal_loss", "agreement"}


def test_every_compiled_loss_function_is_known() -> None:
    pattern = re.compile(r"_loss(2d|_nd)?$|cross_entropy|^kl_div$")
    other = ("_", "miopen_", "cudnn_")  # internal back ends
    for prefix, space in (("torch", torch), ("torch._C._nn", torch._C._nn)):
        found = [n for n in dir(space) if pattern.search(n) and not n.startswith(other)]
        assert len(found) >= 8
        assert [n for n in found if contracts.by_function(f"{prefix}.{n}") is None] == []


def test_keys_and_names_are_unique() -> None:
    assert len({c.key for c in ALL}) == len(ALL)
    everything = [
        n
        for c in ALL
        for n in (c.module, c.function, *c.aliases, *c.deprecated_names, *(r.name for r in c.raw))
        if n
    ]
    assert len(everything) == len(set(everything))


def test_lookup() -> None:
    ce = contracts.by_module("torch.nn.CrossEntropyLoss")
    assert ce is not None
    assert ce.key == "cross_entropy"
    assert contracts.by_function("torch.nn.functional.cross_entropy") is ce
    assert contracts.by_module("torch.nn.modules.loss.CrossEntropyLoss") is ce
    assert contracts.by_key("cross_entropy") is ce
    assert contracts.by_module("torch.nn.Linear") is None
    assert contracts.by_function("torch.nn.functional.relu") is None
    assert contracts.by_module("") is None
    assert contracts.by_function("") is None


# Names and signatures


@each
def test_names_resolve(c: LossContract) -> None:
    if c.module:
        cls = resolve(c.module)
        assert c.title == cls.__name__
        assert all(resolve(alias) is cls for alias in c.aliases)
        for name in c.deprecated_names:
            old = resolve(name)
            assert issubclass(old, cls)
            assert names(old.__init__) == c.module_params
            with pytest.warns(FutureWarning):
                old()
    if c.function:
        assert callable(resolve(c.function))
    assert c.doc.startswith("https://docs.pytorch.org/docs/stable/")


@pytest.mark.parametrize("c", MODULES, ids=lambda c: c.key)
def test_module_signature(c: LossContract) -> None:
    cls = resolve(c.module)
    assert names(cls.__init__) == c.module_params
    assert keyword_only(cls.__init__) == c.module_keyword_only
    assert names(cls.forward) == c.forward_params
    assert c.forward_params.index(c.input_arg) == c.input_position
    if c.target != b.NO_TARGET:
        assert c.forward_params.index(c.target_arg) == c.target_position
    assert set(c.inputs) <= set(c.forward_params)
    assert c.inputs[0] == c.input_arg


@pytest.mark.parametrize("c", FUNCTIONS, ids=lambda c: c.key)
def test_function_signature(c: LossContract) -> None:
    function = resolve(c.function)
    assert names(function) == c.function_params == c.params_of(c.function)
    assert keyword_only(function) == c.function_keyword_only
    assert c.function_params.index(c.function_input_arg or c.input_arg) == c.input_position
    if c.target != b.NO_TARGET:
        position = c.target_position if c.function_target_position is None else c.function_target_position
        assert c.function_params.index(c.function_target_arg or c.target_arg) == position


@pytest.mark.parametrize(
    ("c", "raw"), [(c, r) for c in ALL for r in c.raw], ids=lambda v: getattr(v, "name", "")
)
def test_raw_signature(c: LossContract, raw: b.RawForm) -> None:
    assert callable(resolve(raw.name))
    assert contracts.by_function(raw.name) is c
    schemas = torch._C._jit_get_schemas_for_operator("aten::" + raw.name.rpartition(".")[2])
    arguments = [
        tuple("input" if a.name == "self" else a.name for a in s.arguments)
        for s in schemas
        if "out" not in s.overload_name
    ]
    assert arguments
    assert all(a == raw.params for a in arguments)
    assert c.params_of(raw.name) == raw.params


@each
def test_defaults(c: LossContract) -> None:
    for qual in (c.module, c.function):
        if not qual:
            continue
        target = resolve(qual)
        real = {
            p.name: p.default
            for p in parameters(target.__init__ if inspect.isclass(target) else target)
            if p.default is not p.empty and p.name not in DEPRECATED
        }
        told = dict(c.defaults)
        assert {n: told.get(n, "missing") for n in real} == real
    known = {*c.module_params, *c.function_params}
    assert {n for n, _ in c.defaults} <= known
    assert set(c.deprecated) == DEPRECATED & known
    assert {p.name for p in c.parameters} <= known
    if c.reductions:
        assert c.default("reduction") == c.default_reduction


@pytest.mark.parametrize("c", [c for c in FUNCTIONS if c.key != "linear_cross_entropy"], ids=lambda c: c.key)
def test_reductions(c: LossContract) -> None:
    config: dict[str, Any] = {}
    x, y = scores(4, 3), scores(4, 3)
    if c.index_dtypes:
        y = torch.tensor([[0, -1, -1]] * 4) if c.target == b.CLASS_LIST else torch.tensor([0, 1, 2, 0])
    if c.key == "cosine_embedding":
        y = torch.ones(4)
    if c.key == "ctc":
        x, y = scores(6, 4, 3).log_softmax(-1), torch.ones(4, 2, dtype=torch.long)
        config = {"input_lengths": torch.full((4,), 6), "target_lengths": torch.full((4,), 2)}
    for word in ("none", "mean", "sum", "batchmean"):
        if word in c.reductions:
            loss = call(c, x, y, reduction=word, **config)
            assert (loss.dim() == 0) is (word != "none")
        else:
            with pytest.raises(ValueError):
                call(c, x, y, reduction=word, **config)


# Shapes


ELEMENTWISE = [c for c in FUNCTIONS if not c.index_dtypes and c.key not in ("ctc", "linear_cross_entropy")]
PAIRS = [c for c in ELEMENTWISE if c.target not in (b.NO_TARGET,) and c.key != "cosine_embedding"]


@pytest.mark.parametrize("c", PAIRS, ids=lambda c: c.key)
def test_sizes(c: LossContract) -> None:
    """(N, 1) against (N,), both ways, and (N, C) against (N, 1)."""
    for x, y in ((scores(4, 1), torch.ones(4)), (scores(4), torch.ones(4, 1))):
        told = outcome(partial(call, c, x.requires_grad_(), y))
        assert told == {b.BROADCAST: "fine"}.get(c.raises_on_size, c.raises_on_size)
    if c.raises_on_size == b.BROADCAST and c.key != "multilabel_soft_margin":
        assert call(c, scores(4, 1), torch.ones(4), reduction="none").shape == (4, 4)
    told = outcome(lambda: call(c, scores(4, 3).requires_grad_(), torch.ones(4, 1)))
    assert told == {b.BROADCAST: "fine"}.get(c.on_broadcast, c.on_broadcast)


@pytest.mark.parametrize("c", [c for c in FUNCTIONS if c.target == b.NO_TARGET], ids=lambda c: c.key)
def test_sizes_of_triplets(c: LossContract) -> None:
    f = resolve(c.function)
    assert (
        outcome(lambda: f(scores(4, 1).requires_grad_(), scores(4), scores(4, 1)))
        == c.raises_on_size
        == b.RAISE
    )
    assert outcome(lambda: f(scores(4, 3).requires_grad_(), scores(4, 1), scores(4, 3))) == "fine"
    assert c.on_broadcast == b.BROADCAST


INDEXED = [c for c in FUNCTIONS if c.index_dtypes and c.target != b.CLASS_LIST and not c.owns_layer]
DTYPES = ("int64", "uint8", "int32", "int16", "int8", "bool", "float32", "float64", "float16")


@pytest.mark.parametrize("c", INDEXED, ids=lambda c: c.key)
def test_column_of_class_indices_raises(c: LossContract) -> None:
    index = torch.tensor([0, 1, 2, 0])
    assert outcome(lambda: call(c, scores(4, 3).requires_grad_(), index)) == "fine"
    assert (
        outcome(lambda: call(c, scores(4, 3).requires_grad_(), index[:, None])) == c.raises_on_size == b.RAISE
    )
    assert outcome(lambda: call(c, scores(4, 3).requires_grad_(), scores(4, 1))) == c.on_broadcast


@pytest.mark.parametrize("c", INDEXED, ids=lambda c: c.key)
def test_class_dim(c: LossContract) -> None:
    """(N, C): only an index within dimension 1 is in range; (N, C, d): the target is (N, d)."""
    x = scores(2, 5)
    call(c, x, torch.tensor([4, 4]))
    with pytest.raises((IndexError, RuntimeError)):
        call(c, x, torch.tensor([5, 5]))
    assert c.class_dim == 1
    spatial = outcome(lambda: call(c, scores(2, 5, 7).requires_grad_(), torch.full((2, 7), 4)))
    assert (spatial == "fine") is bool(c.spatial_index_dtypes)
    assert outcome(lambda: call(c, scores(2, 7, 5).requires_grad_(), torch.full((2, 7), 4))) == b.RAISE


def test_class_dim_of_the_others() -> None:
    soft = contracts.by_key("multilabel_soft_margin")
    assert soft is not None
    assert soft.class_dim == -1
    assert call(soft, scores(2, 3, 5), scores(2, 3, 5), reduction="none").shape == (2, 3)
    lists = contracts.by_key("multilabel_margin")
    assert lists is not None
    assert lists.class_dim == 1
    assert call(lists, scores(2, 5), torch.full((2, 5), -1), reduction="none").shape == (2,)
    ctc = contracts.by_key("ctc")
    assert ctc is not None
    assert ctc.class_dim == -1
    lengths = (torch.full((4,), 6), torch.full((4,), 2))
    log_probs = scores(6, 4, 3).log_softmax(-1)  # (T, N, C)
    assert F.ctc_loss(log_probs, torch.full((4, 2), 2), *lengths, reduction="none").shape == (4,)
    with pytest.raises(RuntimeError):
        F.ctc_loss(scores(4, 6, 3).log_softmax(-1), torch.full((4, 2), 2), *lengths)


# Dtypes


@pytest.mark.parametrize("c", INDEXED, ids=lambda c: c.key)
@pytest.mark.parametrize("dtype", DTYPES)
def test_index_dtypes(c: LossContract, dtype: str) -> None:
    index = torch.tensor([0, 1, 1, 0]).to(getattr(torch, dtype))
    told = outcome(lambda: call(c, scores(4, 3).requires_grad_(), index))
    assert told == ("fine" if dtype in c.index_dtypes else b.RAISE)
    if c.spatial_index_dtypes:
        told = outcome(lambda: call(c, scores(4, 3, 2).requires_grad_(), index[:, None].expand(4, 2)))
        assert told == ("fine" if dtype in c.spatial_index_dtypes else b.RAISE)


def test_index_dtypes_of_lists_and_sequences() -> None:
    lists, ctc = contracts.by_key("multilabel_margin"), contracts.by_key("ctc")
    assert lists is not None
    assert ctc is not None
    lengths = (torch.full((4,), 6), torch.full((4,), 2))
    for name in DTYPES[:-1]:
        dtype = getattr(torch, name)
        told = outcome(partial(call, lists, scores(4, 1).requires_grad_(), torch.zeros(4, 1).to(dtype)))
        assert (told == "fine") is (name in lists.index_dtypes)
        x = scores(6, 4, 3).requires_grad_()
        assert outcome(partial(F.ctc_loss, x, torch.ones(4, 2).to(dtype), *lengths)) == "fine"
    assert ctc.index_dtypes == ()


@pytest.mark.parametrize("c", [*ELEMENTWISE, contracts.by_key("cross_entropy")], ids=lambda c: c.key)
@pytest.mark.parametrize("field", ["integer_target", "bool_target", "double_target"])
def test_target_dtypes(c: LossContract, field: str) -> None:
    """int64, bool and float64 targets of the input's shape."""
    if c.target == b.NO_TARGET:
        return
    dtype = {"integer_target": torch.int64, "bool_target": torch.bool, "double_target": torch.float64}[field]
    shape = (4,) if c.key == "cosine_embedding" else (4, 3)
    told = outcome(lambda: call(c, scores(4, 3).requires_grad_(), torch.ones(*shape).to(dtype)))
    assert told == {b.PROMOTE: "fine"}.get(getattr(c, field), getattr(c, field))


@pytest.mark.parametrize(
    "c", [c for c in ALL if c.index_dtypes and c.integer_target == ""], ids=lambda c: c.key
)
def test_class_targets_of_other_dtypes(c: LossContract) -> None:
    """Where classes are wanted, bool and float64 raise; int64 is no mistake."""
    assert c.target in (b.CLASS_INDEX, b.CLASS_LIST)
    assert {c.bool_target, c.double_target, c.raises_on_size, c.on_broadcast} == {b.RAISE}
    assert not {"bool", "float64"} & set(c.index_dtypes)


def test_lists_of_classes_of_another_size_raise() -> None:
    c = contracts.by_key("multilabel_margin")
    assert c is not None
    for shape in ((4,), (3,), (4, 1)):
        y = torch.zeros(*shape, dtype=torch.int64)
        assert outcome(partial(call, c, scores(4, 3).requires_grad_(), y)) == b.RAISE


def test_claims_that_do_not_apply_are_not_made() -> None:
    for c in ALL:
        assert (c.integer_target == "") is (c.target in (b.CLASS_INDEX, b.CLASS_LIST, b.SEQUENCE)), c.key
        assert not c.symmetric or c in PAIRS, c.key
        assert not c.symmetric_inputs or len(c.inputs) > 1, c.key
        assert not c.spatial_index_dtypes or c in INDEXED, c.key
        assert (
            c.class_dim is None or c in INDEXED or c.class_dim == {"multilabel_margin": 1}.get(c.key, -1)
        ), c.key
    assert {c.key for c in ALL if c.class_dim is None and c.multi_class} == {
        c.key for c in ALL if c.owns_layer
    }
    assert {c.key for c in ALL if c.class_dim is not None and not c.multi_class} == {
        *("multilabel_soft_margin", "multilabel_margin", "ctc")
    }
    assert {c.key for c in ALL if c.owns_layer} == {"adaptive_log_softmax", "linear_cross_entropy"}
    assert {c.key for c in ALL if c.loss_attr} == {"adaptive_log_softmax"}
    ctc = contracts.by_key("ctc")
    assert ctc is not None
    assert (ctc.bool_target, ctc.double_target) == ("", "")


@pytest.mark.parametrize("qual", ACTIVATIONS)
def test_activation_layers_take_what_the_contract_says(qual: str) -> None:
    made = getattr(torch.nn, qual.rsplit(".", 1)[-1])
    signature = inspect.signature(made)
    named = [p.name for p in signature.parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
    assert tuple(named) == ACTIVATIONS[qual]
    if not named:
        with pytest.raises(TypeError):
            made(torch.zeros(2, 2))
