"""Tables and arrays of pandas, scikit-learn and numpy: how many dimensions they have, their dtype, and
what they are rows or columns of.

Only what these libraries document for every input; columns' dtypes are not known, and rows are the
symbolic size ROWS, which is taken to be more than one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torchlosslint.flow.domain import DATA, FROM_DATA, INDICES, Domain
from torchlosslint.flow.ops.call import items, number
from torchlosslint.flow.ops.casts import named_type
from torchlosslint.flow.ops.indexing import SliceV
from torchlosslint.flow.ops.shapes import rank, size_from
from torchlosslint.flow.ops.support import flagged
from torchlosslint.flow.origins import column, marked, with_origin
from torchlosslint.flow.values import (
    NONE,
    TRUE,
    Const,
    DictV,
    ExtObj,
    ListV,
    Place,
    SymInt,
    Tensor,
    TupleV,
    Unknown,
    Value,
    fresh_uid,
)

if TYPE_CHECKING:
    from torchlosslint.flow.machine import Machine

ROWS = "rows"
_MUCH = 4  # times that a class is larger than another one
FRAME, SERIES, BY_PLACE, BY_NAME = "pandas.DataFrame", "pandas.Series", "pandas.iloc", "pandas.loc"
BUNCH = "sklearn.utils.Bunch"
READERS = frozenset(f"pandas.read_{n}" for n in ("csv", "table", "excel", "parquet", "feather", "pickle"))
TEXT_READERS = frozenset({"numpy.loadtxt", "numpy.genfromtxt"})
# Sets of scikit-learn with class labels, and those with one real target.
_CLASSES = frozenset("load_iris load_digits load_wine load_breast_cancer".split())
_REAL = frozenset("load_boston load_diabetes fetch_california_housing".split())
_MADE = frozenset("make_classification make_moons make_circles make_blobs make_gaussian_quantiles".split())
_SAME_FRAME = frozenset(
    "drop dropna fillna sample reset_index head tail copy sort_values replace round astype map apply "
    "drop_duplicates sort_index set_index interpolate clip abs".split()
)
# Of these, the ones that leave the labels of a column what they are.
_SAME_LABELS = frozenset(
    "dropna sample reset_index head tail copy sort_values astype drop_duplicates sort_index set_index".split()
)
_MASKS = frozenset("isna isnull notna notnull isin between duplicated eq ne gt lt ge le".split())
_SCALERS = frozenset(
    "StandardScaler MinMaxScaler RobustScaler MaxAbsScaler Normalizer QuantileTransformer".split()
)


def array(dtype: str | None, *shape: Any, labels: bool = False) -> Tensor:
    """A numpy array out of data."""
    dom = Domain(INDICES, "labels") if labels else Domain(DATA)
    return Tensor(flagged(dom, "numpy"), dtype, shape, False, role="data")


def call(m: Machine, qual: str, args: list[Value], kwargs: dict[str, Value], place: Place) -> Value | None:
    """A function that gives a table or an array; None for any other."""
    if qual in READERS:
        return ExtObj(FRAME, (), {}, place)
    if qual == "pandas.concat" and args:
        held = args[0].attrs.get("items") if isinstance(args[0], ListV) else args[0]
        parts = held.items if isinstance(held, TupleV) else ()
        frames = [isinstance(v, ExtObj) and v.qual == FRAME for v in parts]
        return ExtObj(FRAME, (), {}, place) if any(frames) else None
    if qual in TEXT_READERS:
        dtype = named_type(kwargs["dtype"]) if "dtype" in kwargs else "float64"
        return Tensor(flagged(FROM_DATA, "numpy", "table"), dtype, None, False, role="data")
    if qual == "numpy.random.permutation" and len(args) == 1:
        if isinstance(args[0], (Const, SymInt)):
            return array("int64", size_from(args[0]))
        return _some_rows(args[0], place) if isinstance(args[0], Tensor) else None
    if not qual.startswith("sklearn."):
        return None
    name = qual.rsplit(".", 1)[-1]
    if name == "train_test_split":
        return TupleV(tuple(half for a in args for half in (_some_rows(a, place), _some_rows(a, place))))
    if name in ("resample", "shuffle") and args:
        parts = tuple(_some_rows(a, place) for a in args)
        return parts[0] if len(parts) == 1 else TupleV(parts)
    if name in _CLASSES or name in _REAL:
        pair = (
            array("float64", ROWS, None),
            with_origin(
                array("int64" if name in _CLASSES else "float64", ROWS, labels=name in _CLASSES),
                ("label", name, fresh_uid()),
            ),
        )
        if "as_frame" in kwargs:
            return None
        if kwargs.get("return_X_y") == TRUE:
            return TupleV(pair)
        bunch = ExtObj(BUNCH, (), {}, place)
        m.write(bunch.attrs, "data", pair[0])
        m.write(bunch.attrs, "target", pair[1])
        return bunch
    if name in _MADE and "return_centers" not in kwargs:
        labels = array("int64", ROWS, labels=True)
        asked = name == "make_classification" and _unequal(kwargs.get("weights"))
        labels = with_origin(labels, ("label", f"{name} by weights" if asked else name, labels.uid))
        return TupleV((array("float64", ROWS, None), labels))
    if name == "make_regression" and not {"n_targets", "coef"} & kwargs.keys() and len(args) < 4:
        return TupleV((array("float64", ROWS, None), array("float64", ROWS)))
    return None


def _unequal(weights: Value | None) -> bool:
    """Whether the shares that are asked for the classes differ much."""
    shares = items(weights) or []
    found = [n for v in shares if (n := number(v)) is not None]
    if not found or len(found) != len(shares):
        return False
    if len(found) == 1:
        found.append(1 - found[0])
    return min(found) > 0 and max(found) >= _MUCH * min(found)


def _some_rows(value: Value, place: Place) -> Value:
    """Part of the rows of an array or a table."""
    if isinstance(value, Tensor):
        shape = (ROWS, *value.shape[1:]) if rank(value.shape) and value.shape is not None else None
        return marked(value.with_(shape=shape, uid=fresh_uid(), of=None), value)
    if isinstance(value, ExtObj) and value.qual in (FRAME, SERIES):
        return _same_rows(value, place)
    return marked(Unknown("a part of unknown data"), value)


def _same_rows(obj: ExtObj, place: Place) -> ExtObj:
    """A table with (some of) the rows of another: its columns are parts of the other's."""
    return marked(ExtObj(obj.qual, (), {}, place), obj)


def attribute(obj: ExtObj, name: str, place: Place) -> Value | None:
    """An attribute of a table that is no method."""
    if obj.qual in (FRAME, SERIES):
        if name == "values":
            return _as_array(obj)
        if name in ("iloc", "loc"):
            return ExtObj(BY_PLACE if name == "iloc" else BY_NAME, (obj,), {}, place)
        known = name in _SAME_FRAME or name in _MASKS or (name in ("all", "any") and obj.kwargs)
        if not known and name not in ("to_numpy", "tolist", "columns", "index", "value_counts"):
            return with_origin(Unknown(f"pandas: {name}"), column(obj, name))
    return None


def _as_array(obj: ExtObj) -> Tensor:
    return marked(array(None, ROWS, None) if obj.qual == FRAME else array(None, ROWS), obj)


def _column(obj: ExtObj, name: object, place: Place) -> ExtObj:
    """A column of a table, by its name or number."""
    return with_origin(ExtObj(SERIES, (), {}, place), column(obj, name))


def item(obj: ExtObj, index: Value, place: Place) -> Value | None:
    """`table[index]`, `table.iloc[rows, columns]`, `bunch["data"]`."""
    if obj.qual == BUNCH and isinstance(index, Const):
        return obj.attrs.get(index.value)
    if obj.qual == FRAME:
        written = obj.attrs.get(("item", index.value)) if isinstance(index, Const) else None
        if written is not None:
            return (
                written if not isinstance(written, ExtObj) else marked(ExtObj(SERIES, (), {}, place), written)
            )
        return _taken(obj, None, index, place)
    if obj.qual in (BY_PLACE, BY_NAME) and obj.args and isinstance(obj.args[0], ExtObj):
        whole = obj.args[0]
        if isinstance(index, TupleV) and len(index.items) == 2 and whole.qual == FRAME:
            rows, columns = index.items
            if isinstance(rows, (SliceV, ListV)) or is_mask(rows):
                return _taken(whole, rows, columns, place)
            return None
        if isinstance(index, SliceV):
            return _same_rows(whole, place)
        return ExtObj(whole.qual, (), {}, place) if isinstance(index, ListV) or is_mask(index) else None
    return None


def whole(obj: ExtObj) -> Value:
    """The table that `table.loc[...] = value` writes to; the object itself where it is no such part."""
    return obj.args[0] if obj.qual in (BY_PLACE, BY_NAME) and obj.args else obj


def is_mask(value: Value, of: str = SERIES) -> bool:
    """The truth values that a comparison of a column gives: as a subscript, some of the rows."""
    return isinstance(value, ExtObj) and value.qual == of and "mask" in value.kwargs


def compared(left: Value, right: Value, place: Place) -> ExtObj | None:
    """A column compared with anything; None where neither is a column."""
    for side in (left, right):
        if isinstance(side, ExtObj) and side.qual in (FRAME, SERIES):
            return ExtObj(side.qual, (), {"mask": TRUE}, place)
    return None


def _taken(of: ExtObj, rows: Value | None, columns: Value, place: Place) -> Value | None:
    in_order = rows is None or isinstance(rows, SliceV)
    if isinstance(columns, Const) and isinstance(columns.value, (str, int)) and columns.value is not False:
        return _column(of, columns.value, place) if in_order else ExtObj(SERIES, (), {}, place)
    if is_mask(columns) and rows is None:
        return ExtObj(FRAME, (), {}, place)
    if rows is not None and isinstance(columns, SliceV) and not columns.whole:
        in_order = False  # columns are numbered anew
    if isinstance(columns, (SliceV, ListV)):
        return _same_rows(of, place) if in_order else ExtObj(FRAME, (), {}, place)
    return None


def method(obj: ExtObj, name: str, args: list[Value], kwargs: dict[str, Value], place: Place) -> Value | None:
    """A method of a table, of a scaler or of an encoder."""
    if obj.qual in (FRAME, SERIES):
        if name == "to_numpy":
            return _as_array(obj)
        if name == "tolist":
            return marked(Unknown("pandas: tolist"), obj)
        if name in _MASKS:
            return ExtObj(obj.qual, (), {"mask": TRUE}, place)
        if name in ("all", "any") and is_mask(obj, FRAME) and kwargs.get("axis") == Const(1):
            return ExtObj(SERIES, (), {"mask": TRUE}, place)
        if name in _SAME_FRAME:
            if kwargs.get("inplace") == TRUE:
                return NONE
            same = _keeps_labels(obj, name, args, kwargs)
            return _same_rows(obj, place) if same else ExtObj(obj.qual, (), {}, place)
        return None
    if name in ("fit_transform", "transform") and obj.qual.startswith("sklearn.preprocessing."):
        kind = obj.qual.rsplit(".", 1)[-1]
        if kind in _SCALERS:
            width = None
            if (
                args
                and isinstance(args[0], Tensor)
                and rank(args[0].shape) == 2
                and args[0].shape is not None
            ):
                width = args[0].shape[1]
            return array("float64", ROWS, width)
        if kind == "LabelEncoder":
            labels = array("int64", ROWS, labels=True)
            return marked(labels, args[0]) if args else labels
    return None


def _keeps_labels(obj: ExtObj, name: str, args: list[Value], kwargs: dict[str, Value]) -> bool:
    """Whether a method leaves the columns of a table (or the labels of one) what they were."""
    if name in ("map", "replace"):
        names = args[0] if len(args) == 1 and not kwargs else None
        if obj.qual != SERIES or not isinstance(names, DictV) or "open" in names.attrs:
            return False
        new = [v for k, v in names.attrs.items() if isinstance(k, tuple) and k[0] == "k"]
        return len(new) > 1 and len(set(new)) == len(new) and all(isinstance(v, Const) for v in new)
    if name == "drop":
        return "columns" in kwargs or kwargs.get("axis") == Const(1)
    return name in _SAME_LABELS and "weights" not in kwargs and "columns" not in kwargs


__all__ = ["BUNCH", "FRAME", "SERIES", "attribute", "call", "item", "method"]
