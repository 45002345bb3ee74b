"""What comes out of a data loader: a sample of the data set, put together as torch's own collation does.

Source: https://docs.pytorch.org/docs/stable/data.html (default_collate) and the torchvision datasets'
documentation. Batches have the symbolic size BATCH, which is taken to be more than one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torchlosslint.flow.domain import DATA, FROM_DATA, INDICES, NUMBER, Domain
from torchlosslint.flow.facts import choose
from torchlosslint.flow.ops.indexing import row
from torchlosslint.flow.ops.shapes import axis_after_insert, rank
from torchlosslint.flow.ops.support import unflagged
from torchlosslint.flow.origins import marked, recorded, with_origin
from torchlosslint.flow.values import (
    DOTS,
    FALSE,
    NONE,
    Choice,
    Const,
    DictV,
    External,
    ExtObj,
    Func,
    Instance,
    ListV,
    Place,
    Ragged,
    StarV,
    SymInt,
    Tensor,
    TupleV,
    Unknown,
    Value,
    fresh_uid,
)

if TYPE_CHECKING:
    from torchlosslint.flow.machine import Machine

BATCH = "N"
FROM_LOADER = "comes out of a data loader"
LOADERS = frozenset(
    {
        "torch.utils.data.DataLoader",
        "torch.utils.data.dataloader.DataLoader",
        "torch_geometric.data.DataLoader",
        "torch_geometric.loader.DataLoader",
    }
)
# Sets of labelled images: name -> channels of the image where they are always the same.
LABELLED: dict[str, int | None] = {
    **dict.fromkeys(("MNIST", "FashionMNIST", "KMNIST", "QMNIST", "EMNIST", "USPS"), 1),
    **dict.fromkeys(("CIFAR10", "CIFAR100", "SVHN", "STL10", "ImageFolder", "FakeData"), 3),
    **dict.fromkeys(("ImageNet", "Flowers102", "Food101", "GTSRB", "DTD", "StanfordCars"), 3),
    **dict.fromkeys(("Caltech256", "DatasetFolder", "Omniglot"), None),
}
_SIDES = {"MNIST": 28, "FashionMNIST": 28, "KMNIST": 28, "CIFAR10": 32, "CIFAR100": 32, "SVHN": 32}
# Positions of transform and target_transform where they are not 2 and 3.
_POSITIONS = {"ImageFolder": (1, 2), "SVHN": (2, 3), "STL10": (3, 4), "DatasetFolder": (3, 4)}
_KEEPS_SIZE = frozenset(
    (
        "RandomHorizontalFlip RandomVerticalFlip ColorJitter RandomRotation RandomAffine Normalize ToTensor "
        "RandomErasing AutoAugment RandAugment TrivialAugmentWide RandomGrayscale GaussianBlur ToPILImage"
    ).split()
)
_NEW_SIZE = frozenset("Resize Scale CenterCrop RandomCrop RandomResizedCrop RandomSizedCrop".split())


def attribute(obj: ExtObj, name: str) -> Value | None:
    """The labels of a set of labelled images; None for any other attribute."""
    of_torchvision = "torchvision" in obj.qual and obj.qual.rsplit(".", 1)[-1] in LABELLED
    if name not in ("targets", "labels") or not of_torchvision:
        return None
    return with_origin(Unknown("the labels of a data set"), _labels(obj))


def _labels(obj: ExtObj) -> tuple[str, str, int]:
    """The origin of the labels of a set of torchvision."""
    name, split = obj.qual.rsplit(".", 1)[-1], obj.kwargs.get("split")
    if name == "EMNIST" and isinstance(split, Const):
        name = f"EMNIST {split.value}"
    return "label", name, obj.serial


def is_loader(value: Value) -> bool:
    """Whether this is a DataLoader of torch."""
    return isinstance(value, ExtObj) and value.qual in LOADERS


def batch(m: Machine, loader: ExtObj, place: Place) -> Value:
    """One batch of a loader; an unknown that says where it comes from where nothing is known."""
    source = _argument(loader, 0, "dataset")
    one = sample(m, source, place) if source is not None else None
    if one is None or "geometric" in loader.qual:
        return Unknown(FROM_LOADER)
    collate = _argument(loader, 6, "collate_fn")
    size = _argument(loader, 1, "batch_size", Const(1))
    if collate is not None and collate != NONE:
        if m.frame is None or isinstance(collate, (Unknown, External)):
            return Unknown(FROM_LOADER)
        several = ListV(place)
        several.attrs["items"] = TupleV((StarV((one,)),))
        return _marked(m.call(collate, [several], {}, place, m.frame))
    if size == NONE:
        return _marked(one)
    number: Any = size.value if isinstance(size, Const) and type(size.value) is int else BATCH
    if number != BATCH and _leaves_one(source, number) and _argument(loader, 8, "drop_last") in (None, FALSE):
        number = Ragged(number)
    if _argument(loader, 4, "batch_sampler", NONE) != NONE:
        number = BATCH
    return collated(m, one, number, place)


def _leaves_one(source: Value | None, size: int) -> bool:
    """Whether the last batch may have a single sample; where the number of samples is known, it has."""
    if isinstance(source, ExtObj):
        first = source.args[0] if source.args and source.qual.endswith(".TensorDataset") else None
        rows = first.shape[0] if isinstance(first, Tensor) and first.shape else None
        return isinstance(rows, int) and size > 1 and rows % size == 1
    return isinstance(source, Instance) and size > 1


def _argument(obj: ExtObj, position: int, name: str, default: Value | None = None) -> Value | None:
    return obj.args[position] if position < len(obj.args) else obj.kwargs.get(name, default)


def sample(m: Machine, source: Value, place: Place, depth: int = 0) -> Value | None:
    """One sample of a data set; None where that is not known."""
    if depth > 4:
        return None
    if isinstance(source, Choice):
        found = [(g, sample(m, v, place, depth + 1)) for g, v in source.alts if m.consistent(g)]
        return choose([(g, v) for g, v in found if v is not None]) if all(v for _, v in found) else None
    if isinstance(source, ExtObj):
        name = source.qual.rsplit(".", 1)[-1]
        if name == "TensorDataset" and source.qual.startswith("torch.utils.data"):
            return TupleV(tuple(row(a) if isinstance(a, Tensor) else _plain_row(a) for a in source.args))
        if name == "Subset" and source.args:
            return sample(m, source.args[0], place, depth + 1)
        if name in LABELLED and "torchvision" in source.qual:
            return _labelled_image(m, source, name, source.args, source.kwargs, place)
        return None
    if isinstance(source, Instance):
        return _of_instance(m, source, place)
    if isinstance(source, Tensor):
        return row(source)
    if isinstance(source, ListV):
        from torchlosslint.flow.iteration import content, flat

        held = content(m, source)
        items = flat(list(held.items)) if isinstance(held, TupleV) else []
        return items[0] if items and all(v == items[0] for v in items) else None
    return None


def _plain_row(value: Value) -> Value:
    return marked(Unknown(FROM_LOADER), value)


def _of_instance(m: Machine, source: Instance, place: Place) -> Value | None:
    from torchlosslint.flow.attributes import find_in_class

    if m.frame is None:
        return None
    method = find_in_class(source.cls, "__getitem__")
    if isinstance(method, Func):
        index = SymInt(("index", source.serial))
        return m.call(m.get_attr(source, "__getitem__", place), [index], {}, place, m.frame)
    method = find_in_class(source.cls, "__iter__")
    if isinstance(method, Func):
        from torchlosslint.flow.iteration import elements, flat

        made = m.call(m.get_attr(source, "__iter__", place), [], {}, place, m.frame)
        items = flat(elements(m, made, place).items) if not isinstance(made, (Instance, Unknown)) else []
        return items[0] if len(items) == 1 else None
    return None


def _labelled_image(
    m: Machine, obj: ExtObj, name: str, args: tuple[Value, ...], kwargs: dict[str, Value], place: Place
) -> Value | None:
    """(image, class index) of a torchvision data set."""
    at, behind = _POSITIONS.get(name, (2, 3))
    transform = _argument(obj, at, "transform")
    retarget = _argument(obj, behind, "target_transform")
    label: Value = SymInt(_labels(obj))
    if retarget is not None and retarget != NONE:
        label = _applied(m, _steps(m, retarget), label, place)
    if "transforms" in kwargs:
        return None
    return TupleV((_image(m, name, transform, place), label))


def _applied(m: Machine, steps: list[Value], value: Value, place: Place) -> Value:
    """What the program's own functions among the transforms make of a value."""
    for step in steps:
        if m.frame is None:
            return Unknown(FROM_LOADER)
        own = (
            step.args[0] if isinstance(step, ExtObj) and step.qual.endswith(".Lambda") and step.args else step
        )
        if isinstance(own, ExtObj) and own.qual.rsplit(".", 1)[-1] in _KEEPS_SIZE:
            continue
        value = m.call(own, [value], {}, place, m.frame)
    return value


def _image(m: Machine, name: str, transform: Value | None, place: Place) -> Value:
    """The image after its transform, where this ends in a float tensor; else unknown."""
    steps = _steps(m, transform)
    cut = next((i for i, s in enumerate(steps) if isinstance(s, ExtObj) and s.qual.endswith(".Lambda")), None)
    if cut is not None:
        before = _transformed(m, name, steps[:cut])
        return _applied(m, steps[cut:], before, place) if isinstance(before, Tensor) else before
    return _transformed(m, name, steps)


def _transformed(m: Machine, name: str, steps: list[Value]) -> Value:
    """The image after these transforms of torchvision."""
    names = [s.qual.rsplit(".", 1)[-1] if isinstance(s, ExtObj) else "" for s in steps]
    if "ToTensor" not in names or any(
        n not in _KEEPS_SIZE and n not in _NEW_SIZE and n != "Grayscale" for n in names
    ):
        return Unknown(FROM_LOADER)
    channels: Any = LABELLED[name]
    side: Any = _SIDES.get(name)
    shape: tuple[Any, ...] = (side, side)
    for step, kind in zip(steps, names, strict=True):
        if kind == "Grayscale":
            channels = None
        elif kind in _NEW_SIZE and isinstance(step, ExtObj):
            given = step.args[0] if step.args else step.kwargs.get("size")
            shape = _new_size(m, given, kind in ("Resize", "Scale"), shape)
    return Tensor(FROM_DATA, "float32", (channels, *shape), False, role="data")


def _new_size(m: Machine, given: Value | None, by_edge: bool, old: tuple[Any, ...]) -> tuple[Any, ...]:
    """The height and width after a resize or a crop; one number for a resize is the smaller edge."""
    if isinstance(given, Const) and type(given.value) is int:
        square = not by_edge or (old[0] is not None and old[0] == old[1])
        return (given.value, given.value) if square else (None, None)
    from torchlosslint.flow.iteration import content

    held = content(m, given) if given is not None else None
    items = held.items if isinstance(held, TupleV) else ()
    numbers = [v.value for v in items if isinstance(v, Const) and type(v.value) is int]
    return (numbers[0], numbers[1]) if len(items) == len(numbers) == 2 else (None, None)


def _steps(m: Machine, transform: Value | None) -> list[Value]:
    """The transforms that are applied, in order."""
    if isinstance(transform, ExtObj) and transform.qual.endswith(".Compose"):
        from torchlosslint.flow.iteration import content

        given = _argument(transform, 0, "transforms")
        held = content(m, given) if given is not None else None
        return list(held.items) if isinstance(held, TupleV) else [Unknown("transforms")]
    return [transform] if transform is not None else []


def collated(m: Machine, value: Value, size: Any, place: Place) -> Value:
    """`size` samples as one batch: tensors, arrays and numbers stacked, tuples and dicts item by item."""
    if isinstance(value, Choice):
        return choose([(g, collated(m, v, size, place)) for g, v in value.alts])
    if isinstance(value, Tensor):
        return _stacked(value, size)
    if isinstance(value, SymInt):
        named = isinstance(value.base, tuple) and value.base[0] == "label" and not value.offset
        kind = INDICES if named else DATA
        dom = Domain(kind, "labels" if kind == INDICES else "")
        return with_origin(Tensor(dom, "int64", (size,), False, role="data"), recorded(value))
    if isinstance(value, Const) and isinstance(value.value, (bool, int, float)):
        dtype = {bool: "bool", int: "int64", float: "float64"}[type(value.value)]
        return Tensor(FROM_DATA, dtype, (size,), False, role="data")
    if isinstance(value, TupleV):
        return TupleV(tuple(collated(m, v, size, place) for v in value.items), value.fields)
    if isinstance(value, ListV):
        held = value.attrs.get("items")
        if isinstance(held, TupleV) and not any(isinstance(v, StarV) for v in held.items):
            return TupleV(tuple(collated(m, m.read(v), size, place) for v in held.items))
        return Unknown(FROM_LOADER)
    if isinstance(value, DictV) and "open" not in value.attrs:
        out = DictV(place)
        for key, item in value.attrs.items():
            m.write(out.attrs, key, collated(m, m.read(item), size, place))
        return out
    return marked(Unknown(FROM_LOADER), value)


def _stacked(value: Tensor, size: Any) -> Tensor:
    shape = value.shape
    if shape is not None:
        shape = shape if shape[:1] == (DOTS,) else (size, *shape)
    dom = unflagged(value.dom, "numpy")
    if dom.dim is not None:
        dom = dom.replace(dim=axis_after_insert(dom.dim, 0, rank(value.shape)))
    if dom.kind == NUMBER:
        dom = FROM_DATA
    several = value.with_(dom=dom, shape=shape, grad=False, cut="", role="data", uid=fresh_uid(), of=None)
    return marked(several, value)


def _marked(value: Value) -> Value:
    """What a loader gives, whoever made it: data."""
    if isinstance(value, Tensor):
        return value.with_(role="data")
    if isinstance(value, TupleV):
        return TupleV(tuple(_marked(v) for v in value.items), value.fields)
    if isinstance(value, Unknown):
        return with_origin(Unknown(FROM_LOADER), recorded(value))
    return value


def random_split(m: Machine, args: list[Value], kwargs: dict[str, Value], place: Place) -> Value:
    """`random_split(source, lengths)`: as many parts as lengths."""
    from torchlosslint.flow.iteration import content

    lengths = args[1] if len(args) > 1 else kwargs.get("lengths")
    held = content(m, lengths) if lengths is not None else None
    part = ExtObj("torch.utils.data.Subset", (args[0],), {}, place)
    if not isinstance(held, TupleV) or any(isinstance(v, StarV) for v in held.items):
        return TupleV((StarV((part,)),))
    return TupleV((part,) * len(held.items))
