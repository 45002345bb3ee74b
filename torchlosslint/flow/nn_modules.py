"""nn.Module behaviour: children, containers, modes, methods that return the module."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlosslint.flow import datasets, devices, distributions, models, tables
from torchlosslint.flow.datasets import LOADERS
from torchlosslint.flow.domain import RAW
from torchlosslint.flow.facts import choose
from torchlosslint.flow.state import MISSING
from torchlosslint.flow.values import (
    FALSE,
    NONE,
    TRUE,
    Bound,
    Choice,
    Const,
    DictV,
    External,
    ExtObj,
    Instance,
    ListV,
    Obj,
    Place,
    StarV,
    Tensor,
    TupleV,
    Unknown,
    Value,
)

if TYPE_CHECKING:
    from torchlosslint.flow.machine import Machine
    from torchlosslint.flow.scope import Frame

SEQUENTIAL = "torch.nn.Sequential"
LISTS = frozenset({SEQUENTIAL, "torch.nn.ModuleList", "torch.nn.ParameterList"})
WRAPPERS = frozenset(
    {
        "torch.nn.DataParallel",
        "torch.nn.parallel.DistributedDataParallel",
        "torch.nn.parallel.DataParallel",
        "torch.distributed.fsdp.FullyShardedDataParallel",
        "apex.parallel.DistributedDataParallel",
        "torch.optim.swa_utils.AveragedModel",
        "torch.nn.SyncBatchNorm.convert_sync_batchnorm",
    }
)
# Methods that give the module itself back.
SELF_METHODS = frozenset(
    (
        "to cuda cpu float half double bfloat16 type requires_grad_ share_memory to_empty apply xpu mps "
        "train eval cuda_ npu compile_ to_device"
    ).split()
)
MODULE_METHODS = SELF_METHODS | frozenset(
    (
        "add_module register_module register_buffer register_parameter children modules named_children "
        "named_modules parameters named_parameters state_dict load_state_dict zero_grad append extend "
        "insert forward buffers register_forward_hook get_submodule keys values items pop update log "
        "log_dict save_hyperparameters manual_backward optimizers lr_schedulers compile no_sync freeze "
        "unfreeze __call__ extra_repr toggle_optimizer untoggle_optimizer print clip_gradients "
        "named_buffers get_parameter add_metric all_gather"
    ).split()
)
# Layers with weights of their own.
WEIGHTED = frozenset(
    f"torch.nn.{name}"
    for name in (
        "Linear LazyLinear Bilinear Conv1d Conv2d Conv3d ConvTranspose1d ConvTranspose2d ConvTranspose3d "
        "BatchNorm1d BatchNorm2d BatchNorm3d LayerNorm GroupNorm Embedding EmbeddingBag RNN LSTM GRU RNNCell "
        "LSTMCell GRUCell MultiheadAttention Transformer TransformerEncoder TransformerDecoder "
        "TransformerEncoderLayer TransformerDecoderLayer PReLU LazyConv1d LazyConv2d LazyConv3d"
    ).split()
)
# Tensor methods with a name that nothing else has: followed on unknown receivers too.
DISTINCT_METHODS = frozenset(
    (
        "softmax log_softmax sigmoid sigmoid_ logsigmoid relu relu_ view view_as permute contiguous "
        "unsqueeze unsqueeze_ squeeze squeeze_ detach detach_ cuda cpu to float double half long type_as "
        "requires_grad_ expand expand_as flatten reshape transpose clone log_softmax_ clamp clamp_ "
        "clamp_min clamp_max argmax masked_fill masked_fill_ scatter_ scatter gather index_select tanh "
        "tanh_ exp matmul bmm t chunk numpy item logsumexp masked_select new_zeros new_ones"
    ).split()
)


def wrapped(obj: ExtObj) -> Value | None:
    """The module inside a DataParallel or the like."""
    return obj.args[0] if obj.args else obj.kwargs.get("module") or obj.kwargs.get("model")


def is_module(obj: Value) -> bool:
    """Whether the object is an nn.Module (or a class of a library that may be one)."""
    if isinstance(obj, ExtObj):
        return obj.qual.startswith("torch.nn.") or models.is_model(obj)
    if isinstance(obj, Instance):
        for base in obj.cls.mro:
            if isinstance(base, External):
                qual = base.qual
                if qual == "?" or qual.startswith(
                    ("torch.nn", "torchvision.models", "transformers.", "timm.")
                ):
                    return True
                if qual.endswith(("Module", "LightningModule", "Model", "Net")):
                    return True
            elif "forward" in getattr(base, "attrs", ()):
                return True
    return False


def instance_attribute(m: Machine, obj: Instance, name: str) -> Value | None:
    """What nn.Module itself gives for a name that the program does not define."""
    if name == "training":
        return TRUE
    if name in ("hparams", "trainer", "logger", "config", "global_step", "current_epoch", "device", "dtype"):
        return Unknown(f"set by a library: {name}", ("attr", obj.serial, name), name in ("hparams", "config"))
    if name in MODULE_METHODS:
        return Bound(name, obj)
    if "items" in obj.attrs:
        return child_by_name(m, obj, name)
    inner = obj.attrs.get("__ext__")
    if isinstance(inner, ExtObj):
        return attribute(m, inner, name, obj.place or Place("", 0))
    return None


def attribute(m: Machine, obj: ExtObj, name: str, place: Place) -> Value:
    """Attributes of library objects."""
    written = obj.attrs.get(name)
    if written is not None and name != "items":
        return m.read(written)
    if name == "training":
        return TRUE
    if obj.qual.startswith("pandas."):
        return tables.attribute(obj, name, place) or Bound(name, obj)
    labels = datasets.attribute(obj, name)
    if labels is not None:
        return labels
    if name == "dataset" and obj.qual in LOADERS:
        return obj.args[0] if obj.args else obj.kwargs.get("dataset") or m.unknown("a data set")
    if name == "module" and obj.qual in WRAPPERS and (inner := wrapped(obj)) is not None:
        return inner
    if name.isdecimal() or ("items" in obj.attrs and name not in MODULE_METHODS):
        child = child_by_name(m, obj, name)
        if child is not None:
            return child
    if obj.qual in WRAPPERS and name not in MODULE_METHODS and (inner := wrapped(obj)) is not None:
        return m.get_attr(inner, name, place)
    if obj.qual.startswith("torch.nn.") and name in ("weight", "bias"):
        return Tensor(RAW, "float32", grad=True)
    if obj.qual.startswith("torch.nn.") and name in _SIZES:
        position = _SIZES[name]
        value = obj.kwargs.get(name) or (obj.args[position] if position < len(obj.args) else None)
        return value if value is not None else m.unknown("a size of a layer")
    if models.is_model(obj):
        found = models.attribute(m, obj, name, place)
        if found is not None:
            return found
    if obj.qual.startswith(distributions.PACKAGE):
        found = distributions.attribute(obj, name, place)
        if found is not None:
            return found
    if obj.qual == "argparse.Namespace":
        return Unknown("an option of the command line", ("attr", obj.serial, name), True)
    return Bound(name, obj)


_SIZES = {"in_features": 0, "out_features": 1, "in_channels": 0, "out_channels": 1, "num_features": 0, "p": 0}


def child_by_name(m: Machine, obj: Value, name: str) -> Value | None:
    """A child of a Sequential or ModuleDict by its name."""
    if not isinstance(obj, Obj):
        return None
    held, names = obj.attrs.get("items"), obj.attrs.get("names")
    if isinstance(held, TupleV):
        if isinstance(names, TupleV):
            for key, value in zip(names.items, held.items, strict=False):
                if isinstance(key, Const) and key.value == name:
                    return m.read(value)
        if (
            name.isdecimal()
            and int(name) < len(held.items)
            and not any(isinstance(v, StarV) for v in held.items[: int(name) + 1])
        ):
            return m.read(held.items[int(name)])
    return None


def assign_attribute(m: Machine, obj: Obj, name: str, value: Value) -> None:
    """`module.name = value`; a child of a container is replaced in place."""
    held, names = obj.attrs.get("items"), obj.attrs.get("names")
    if isinstance(held, TupleV):
        position = None
        if isinstance(names, TupleV):
            keys = [k.value if isinstance(k, Const) else None for k in names.items]
            position = keys.index(name) if name in keys else None
        elif name.isdecimal() and int(name) < len(held.items):
            position = int(name)
        if position is not None and position < len(held.items):
            items = list(held.items)
            items[position] = value
            m.write(obj.attrs, "items", TupleV(tuple(items)))
            return
    m.write(obj.attrs, name, value)


def item(m: Machine, obj: ExtObj, index: Value, place: Place) -> Value:
    """`library_object[index]`."""
    if obj.qual.startswith(("pandas.", "sklearn.")):
        table = tables.item(obj, index, place)
        return m.read(table) if table is not None else m.unknown("an item of a table")
    if models.is_model(obj) and isinstance(index, (Const, Unknown)):
        return models.item(m, obj, index, place)
    if isinstance(index, Const) and isinstance(index.value, (int, str)):
        written = obj.attrs.get(("item", index.value))
        if written is not None:
            return m.read(written)
    return m.unknown("an item of a library object")


def assign_item(m: Machine, obj: ExtObj, index: Value, value: Value) -> None:
    """`library_object[index] = value`."""
    if isinstance(index, Const):
        m.write(obj.attrs, ("item", index.value), value)


def set_mode(m: Machine, obj: Value, training: bool, seen: set[int] | None = None) -> None:
    """`.train()` and `.eval()`: the flag of a module and of all its children."""
    seen = set() if seen is None else seen
    if isinstance(obj, Choice):
        for _, alt in obj.alts:
            set_mode(m, alt, training, seen)
        return
    if isinstance(obj, (TupleV, StarV)):
        for child in obj.items:
            set_mode(m, child, training, seen)
        return
    if not isinstance(obj, Obj) or id(obj) in seen or len(seen) > 2000:
        return
    seen.add(id(obj))
    if isinstance(obj, (Instance, ExtObj)):
        if not is_module(obj):
            return
        flag = TRUE if training else FALSE
        if obj.attrs.get("training", TRUE) is not flag:
            m.write(obj.attrs, "training", flag)
        if isinstance(obj, ExtObj) and obj.qual in WRAPPERS and (inner := wrapped(obj)) is not None:
            set_mode(m, inner, training, seen)
    elif not isinstance(obj, (ListV, DictV)):
        return
    for child in list(obj.attrs.values()):
        if isinstance(child, (Obj, TupleV, Choice)):
            set_mode(m, child, training, seen)


def init_library_base(
    m: Machine, obj: Instance, qual: str, args: list[Value], kwargs: dict[str, Value]
) -> None:
    """What `super().__init__(...)` of a library class does to an instance of the program's class."""
    if qual in LISTS:
        fill(m, obj, args, kwargs)
        return
    if qual.endswith("Trainer"):
        for name, value in kwargs.items():
            m.write(obj.attrs, name, value)
        if args and "model" not in kwargs:
            m.write(obj.attrs, "model", args[0])
        return
    if qual not in ("torch.nn.Module", "object", "builtins.object", "?"):
        m.write(obj.attrs, "__ext__", ExtObj(qual, tuple(args), kwargs, obj.place))


def fill(m: Machine, obj: Obj, args: list[Value], kwargs: dict[str, Value]) -> None:
    """The children of a Sequential, ModuleList or ModuleDict from its arguments."""
    from torchlosslint.flow.iteration import content

    if len(args) == 1 and isinstance(args[0], DictV):
        pairs = [(k[1], v) for k, v in args[0].attrs.items() if isinstance(k, tuple) and k[0] == "k"]
        m.write(obj.attrs, "items", TupleV(tuple(v for _, v in pairs)))
        m.write(obj.attrs, "names", TupleV(tuple(Const(k) for k, _ in pairs)))
        if "open" in args[0].attrs:
            m.write(obj.attrs, "items", TupleV((*(v for _, v in pairs), StarV((m.unknown("a layer"),)))))
        return
    qual = obj.qual if isinstance(obj, ExtObj) else SEQUENTIAL
    is_sequential = qual == SEQUENTIAL
    if isinstance(obj, Instance):
        is_sequential = SEQUENTIAL in obj.cls.bases_external()
    if not is_sequential and len(args) == 1:
        held = content(m, args[0])
        if held is None:
            from torchlosslint.flow.iteration import elements

            held = TupleV(tuple(elements(m, args[0], obj.place or Place("", 0)).items))
        m.write(obj.attrs, "items", held)
        return
    flattened: list[Value] = []
    for arg in args:
        if isinstance(arg, StarV) and len(arg.items) == 1 and isinstance(arg.items[0], Choice):
            # `*layers` where the list is one of several: as many Sequentials.
            inner = arg.items[0]
            before = tuple(flattened)
            after = tuple(args[args.index(arg) + 1 :])
            m.write(
                obj.attrs,
                "items",
                choose(
                    [
                        (g, TupleV((*before, *(v.items if isinstance(v, TupleV) else ()), *after)))
                        for g, v in inner.alts
                    ]
                ),
            )
            return
        flattened.append(arg)
    m.write(obj.attrs, "items", TupleV(tuple(flattened)))


def call_method(
    m: Machine, obj: Obj, name: str, args: list[Value], kwargs: dict[str, Value], place: Place, frame: Frame
) -> Value | None:
    """A method that nn.Module (or a container) defines; None where it is not one of them."""
    if name in SELF_METHODS:
        if name in devices.MOVES:
            devices.move(m, obj, name, args, kwargs)
        if name == "train":
            flag = args[0] if args else kwargs.get("mode", TRUE)
            if isinstance(flag, Const):
                set_mode(m, obj, bool(flag.value))
        elif name == "eval":
            set_mode(m, obj, False)
        return obj
    if name in ("forward", "__call__"):
        return m.call(obj, args, kwargs, place, frame) if not isinstance(obj, Instance) else None
    if name in ("add_module", "register_module"):
        key = args[0] if args else kwargs.get("name")
        child = args[1] if len(args) > 1 else kwargs.get("module", NONE)
        _add_child(m, obj, key, child)
        return NONE
    if name in ("register_buffer", "register_parameter"):
        if len(args) > 1 and isinstance(args[0], Const):
            held = (
                args[1].with_(device="") if isinstance(args[1], Tensor) else args[1]
            )  # moves with the module
            m.write(obj.attrs, str(args[0].value), held)
        return NONE
    if name in ("children", "modules"):
        return _children(m, obj, place)
    if name in ("named_children", "named_modules"):
        out = ListV(place)
        pairs = tuple(TupleV((m.unknown("a child's name"), v)) for v in _children_of(m, obj))
        m.write(out.attrs, "items", TupleV(pairs))
        return out
    if name in ("append", "extend", "insert", "pop") and ("items" in obj.attrs or _is_list(obj)):
        from torchlosslint.flow.python_methods import list_method

        if "items" not in obj.attrs:
            m.write(obj.attrs, "items", TupleV(()))
        removed = list_method(m, obj, name, args, place, frame)
        return removed if name == "pop" else obj
    if name in ("parameters", "named_parameters", "buffers", "named_buffers"):
        m.steps_seen.modules[obj.serial] = obj
        return Unknown("parameters of a module", ("parameters", obj.serial))
    if name in MODULE_METHODS and name not in ("items", "values", "keys", "pop", "update"):
        return m.unknown(f"the result of .{name}()")
    return None


def _is_list(obj: Obj) -> bool:
    return isinstance(obj, ExtObj) and obj.qual in LISTS


def _add_child(m: Machine, obj: Obj, key: Value | None, child: Value) -> None:
    held = obj.attrs.get("items")
    in_container = _is_list(obj) or (isinstance(obj, Instance) and SEQUENTIAL in obj.cls.bases_external())
    if in_container:
        items = held.items if isinstance(held, TupleV) else ()
        names = obj.attrs.get("names")
        keys = names.items if isinstance(names, TupleV) else tuple(Const(str(i)) for i in range(len(items)))
        known = [k.value if isinstance(k, Const) else None for k in keys]
        if isinstance(key, Const) and key.value in known and known.index(key.value) < len(items):
            changed = list(items)
            changed[known.index(key.value)] = child
            m.write(obj.attrs, "items", TupleV(tuple(changed)))
            return
        m.write(obj.attrs, "items", TupleV((*items, child)))
        m.write(obj.attrs, "names", TupleV((*keys, key if key is not None else NONE)))
    if isinstance(key, Const) and isinstance(key.value, str) and not in_container:
        m.write(obj.attrs, key.value, child)


def _children_of(m: Machine, obj: Obj) -> list[Value]:
    held = obj.attrs.get("items")
    if isinstance(held, TupleV):
        return list(held.items)
    if models.is_model(obj):
        return models.children(m, obj)
    return [
        v
        for k, v in obj.attrs.items()
        if isinstance(k, str) and not k.startswith("__") and is_module(m.read(v))
    ]


def _children(m: Machine, obj: Obj, place: Place) -> Value:
    out = ListV(place)
    m.write(out.attrs, "items", TupleV(tuple(_children_of(m, obj))))
    return out


def remove(m: Machine, obj: Obj, name: str) -> None:
    """Forget a child."""
    m.write(obj.attrs, name, MISSING)
