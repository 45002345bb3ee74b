"""Models made by the factories of known libraries: what they return, and heads put in place of theirs."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from torchlosslint.contracts import base as words
from torchlosslint.contracts.architectures import (
    DICT,
    LABELS,
    LIST,
    LOSSES,
    OBJECT,
    TENSOR,
    TRAINING,
    TUPLE,
    Architecture,
)
from torchlosslint.contracts.models import by_hub, by_name
from torchlosslint.flow.domain import (
    ANY,
    BOUNDED,
    LOGPROBS,
    POSITIVE,
    PROBS,
    SCORES,
    UNIT,
    Domain,
)
from torchlosslint.flow.facts import choose
from torchlosslint.flow.values import (
    TRUE,
    Choice,
    Const,
    DictV,
    ExtObj,
    Place,
    Step,
    Tensor,
    TupleV,
    Unknown,
    Value,
)

if TYPE_CHECKING:
    from torchlosslint.flow.machine import Machine
    from torchlosslint.flow.scope import Frame

_DOMAINS = {
    words.LOGITS: Domain(SCORES, how="a model's head"),
    words.LOG_PROBS: Domain(LOGPROBS, how="log_softmax"),
    words.UNIT: Domain(UNIT, how="sigmoid"),
    words.PROBS: Domain(PROBS, how="softmax"),
    words.REAL: Domain(SCORES, how="features"),
    words.NON_NEGATIVE: Domain(POSITIVE, how="loss"),
}


@lru_cache(maxsize=4096)
def architecture(qual: str) -> Architecture | None:
    """The record of a factory."""
    if qual.startswith("torchvision.models.") and qual.endswith(".*"):
        # One of them, by an option: all give scores, and a head that is put in place is the right one.
        one = by_name("torchvision.models.resnet18")
        return replace(one, heads=_ANY_HEAD, features=None) if one is not None else None
    return by_name(qual)


_ANY_HEAD = ("fc", "classifier.6", "classifier.1", "classifier", "heads.head", "heads", "head")


def hub(repository: Value | None, name: Value | None) -> str | None:
    """The qualified name of what torch.hub.load gives, where it is known."""
    if isinstance(repository, Const) and isinstance(name, Const):
        found = by_hub(str(repository.value), str(name.value))
        if found is not None:
            return (
                f"torchvision.models.{name.value}"
                if "vision" in str(repository.value)
                else "timm.create_model"
            )
    return None


def is_model(obj: object) -> bool:
    """Whether a library object is a model of a known family."""
    return isinstance(obj, ExtObj) and architecture(obj.qual) is not None


def _config(record: Architecture, obj: ExtObj) -> dict[str, object]:
    given: dict[str, Value] = dict(zip(record.params, obj.args, strict=False))
    given.update(obj.kwargs)
    return {k: v.value if isinstance(v, Const) else ... for k, v in given.items() if k != "**"}


def attribute(m: Machine, obj: ExtObj, name: str, place: Place) -> Value | None:
    """An attribute on the way to the head: a part of the model, made when it is asked for."""
    record = architecture(obj.qual)
    if record is None:
        return None
    if record.head_getter and name == record.head_getter:
        return None
    for path in record.heads:
        if path.split(".")[0] == name:
            part = ExtObj(
                "torch.nn.Linear" if path == name else "model.part", _head_args(m, record), {}, obj.place
            )
            m.write(obj.attrs, name, part)
            return part
    if name in ("in_features", "num_features"):
        return Const(record.features) if record.features else m.unknown("a width")
    return None


def _head_args(m: Machine, record: Architecture) -> tuple[Value, ...]:
    width: Value = Const(record.features) if record.features else m.unknown("a width")
    classes: Value = Const(record.classes) if record.classes else m.unknown("a number of classes")
    return width, classes


def item(m: Machine, obj: ExtObj, index: Value, place: Place) -> Value:
    """`model[i]`: a part of it."""
    if isinstance(index, Const):
        written = obj.attrs.get(("item", index.value))
        if written is not None:
            return m.read(written)
    return m.unknown("a part of a library model")


def children(m: Machine, obj: object) -> list[Value]:
    """The parts of a library model: features, then its head (as `list(net.children())` has them)."""
    assert isinstance(obj, ExtObj)
    record = architecture(obj.qual)
    body = ExtObj("model.part", (), {}, obj.place)
    pool = ExtObj("torch.nn.AdaptiveAvgPool2d", (Const(1),), {}, obj.place)
    head = replaced_head(m, obj)
    if head is None:
        head = ExtObj("torch.nn.Linear", _head_args(m, record) if record else (), {}, obj.place)
    return [body, pool, head]


def replaced_head(m: Machine, obj: ExtObj) -> Value | None:
    """The program's own layer in the place of the model's last one."""
    record = architecture(obj.qual)
    paths = record.heads if record is not None else ()
    for path in paths:
        names = path.split(".")
        value: Value | None = m.read(obj.attrs[names[0]]) if names[0] in obj.attrs else None
        if value is None:
            continue
        for name in names[1:]:
            inner = _part(m, value, name)
            if inner is None:
                break
            value = inner
        if isinstance(value, ExtObj) and value.qual == "model.part":
            continue
        if isinstance(value, ExtObj) and value.place is obj.place and value.qual == "torch.nn.Linear":
            continue
        return value
    return None


def _part(m: Machine, value: Value, name: str) -> Value | None:
    """A further step on a head's path: only where the program put something there itself."""
    if isinstance(value, ExtObj) and value.qual == "model.part":
        key: object = ("item", int(name)) if name.isdecimal() else name
        found = value.attrs.get(key)
        if found is None and name.isdecimal():
            written = [k[1] for k in value.attrs if isinstance(k, tuple) and k[0] == "item"]
            last = max((k for k in written if isinstance(k, int)), default=None)
            found = value.attrs.get(("item", -1)) or (
                value.attrs.get(("item", last)) if last is not None else None
            )
        return m.read(found) if found is not None else None
    return None


def call(
    m: Machine, obj: ExtObj, args: list[Value], kwargs: dict[str, Value], place: Place, frame: Frame
) -> Value:
    """The forward of a library model."""
    record = architecture(obj.qual)
    assert record is not None
    head = replaced_head(m, obj)
    training = m.read(obj.attrs.get("training", TRUE)) is TRUE
    kind, fields = record.returns(_config(record, obj))
    name = obj.qual.rsplit(".", 1)[-1]
    note = f"{name if name != '*' else 'the model'} gives raw scores"
    if record.when == TRAINING and not training:
        if not record.otherwise:
            return m.unknown("the output of a model in evaluation")
        kind, fields = TENSOR, record.otherwise
    values: list[Value] = []
    names: list[str] = []
    labels = "labels" in kwargs and not (
        isinstance(kwargs["labels"], Const) and kwargs["labels"].value is None
    )
    for i, field in enumerate(fields):
        if field.when == LABELS and not labels:
            continue
        if i == 0 and head is not None:
            features = Tensor(
                Domain(POSITIVE, "features", flags=frozenset({"pooled"})), "float32", None, True, role="model"
            )
            value = m.call(head, [features], {}, place, frame)
        else:
            said = note if field.word == words.LOGITS else ""
            own = field.name == "loss" or kind == LOSSES
            value = _own_loss(place) if own else _output(field.word, field.low, field.high, place, said)
        values.append(value)
        names.append(field.name)
    if kind == TENSOR:
        return values[0] if values else m.unknown("the output of a model")
    if kind in (TUPLE, OBJECT):
        return TupleV(tuple(values), tuple(names))
    if kind == LIST and values:
        return Unknown("a list of feature maps")
    if kind in (DICT, LOSSES):
        out = DictV(place)
        for name, value in zip(names, values, strict=True):
            m.write(out.attrs, ("k", name), value)
        return out
    return m.unknown("the output of a model")


def _own_loss(place: Place) -> Tensor:
    """A loss that the model computes itself: one number."""
    trail = Step(None, place, "the model computes its loss")
    dom = _DOMAINS[words.NON_NEGATIVE]
    return Tensor(dom, "float32", (), True, role="loss", trail=trail, roots=frozenset({("loss", place)}))


def _output(word: str, low: float | None, high: float | None, place: Place, note: str) -> Tensor:
    dom = _DOMAINS.get(word, ANY)
    if low is not None or high is not None:
        dom = Domain(BOUNDED, how="tanh", low=low, high=high)
    trail = Step(None, place, note) if note else None
    return Tensor(dom, "float32", None, True, role="model", trail=trail)


__all__ = ["Choice", "choose", "is_model"]
