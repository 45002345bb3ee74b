"""Calls into libraries: torch's operations and classes, Python's builtins, known models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlosslint.contracts.third_party import TORCH_SUBCLASSES
from torchlosslint.flow import (
    constructions,
    datasets,
    devices,
    distributions,
    foreign,
    losses,
    models,
    nn_modules,
    optimizers,
    origins,
    python_functions,
    tables,
    training,
)
from torchlosslint.flow.domain import DATA, POSITIVE, Domain
from torchlosslint.flow.ops import FUNCTIONS, LAYERS, METHODS, normalise
from torchlosslint.flow.ops.call import Handler, OpCall
from torchlosslint.flow.values import (
    NONE,
    TRUE,
    Choice,
    Const,
    DictV,
    ExtObj,
    Func,
    ListV,
    Obj,
    Partial,
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

# Calls that give their first argument back (wrapped, moved, compiled, copied, frozen).
FIRST_ARGUMENT = frozenset(
    {
        "torch.compile",
        "torch.jit.script",
        "torch.jit.trace",
        "torch.autograd.Variable",
        "torch.nn.utils.weight_norm",
        "torch.nn.utils.spectral_norm",
        "torch.nn.utils.parametrizations.weight_norm",
        "torch.nn.utils.parametrizations.spectral_norm",
        "torch.nn.SyncBatchNorm.convert_sync_batchnorm",
        "apex.parallel.convert_syncbn_model",
        "torch.quantization.prepare_qat",
        "torch.utils.data.default_collate",
        "peft.get_peft_model",
        "torch.cuda.amp.custom_fwd",
        "typing.cast",
        "torch.fx.symbolic_trace",
    }
)
# Calls that give all their arguments back, as they came.
ALL_ARGUMENTS = frozenset({"apex.amp.initialize", "amp.initialize"})


# Library functions that call a model or function: (position and name of the callable, position and name of
# its input).
CALLERS: dict[str, tuple[tuple[int, str], tuple[int, str]]] = {
    "pygad.torchga.predict": ((0, "model"), (2, "data")),
    "torch.utils.checkpoint.checkpoint": ((0, "function"), (1, "input")),
    "torch.utils.checkpoint.checkpoint_sequential": ((0, "functions"), (2, "input")),
    "torch.nn.parallel.data_parallel": ((0, "module"), (1, "inputs")),
    "torch.func.functional_call": ((0, "module"), (2, "args")),
    "torch.nn.utils.stateless.functional_call": ((0, "module"), (2, "args")),
    "monai.inferers.sliding_window_inference": ((3, "predictor"), (0, "inputs")),
}


def _called_through(
    m: Machine,
    places: tuple[tuple[int, str], tuple[int, str]],
    args: list[Value],
    kwargs: dict[str, Value],
    place: Place,
    frame: Frame,
) -> Value:
    found = [args[i] if i < len(args) else kwargs.get(name) for i, name in places]
    if found[0] is None:
        return m.unknown("a call through a library")
    given = found[1] if found[1] is not None else m.unknown("an input")
    inputs = list(given.items) if isinstance(given, TupleV) else [given]
    return m.call(found[0], inputs, {}, place, frame)


def run_callbacks(m: Machine, args: list[Value], place: Place, frame: Frame) -> None:
    """Functions of the program that a library is given and that need no argument are called now
    (an optimizer's closure): the state is what they will find."""
    for arg in args:
        if isinstance(arg, Func) and all(p.default is not None or p.kind in (2, 4) for p in arg.node.params):
            m.call(arg, [], {}, place, frame)


def run_handler(
    m: Machine,
    handler: Handler,
    args: list[Value],
    kwargs: dict[str, Value],
    place: Place,
    frame: Frame,
    layer: ExtObj | None = None,
) -> Value:
    """Run an operation, once for each combination of alternatives among its arguments."""
    training = layer is None or layer.attrs.get("training", TRUE) is TRUE

    def emit(kind: str, tensor: Value, at: Place, **data: Value) -> None:
        m.sink.event(m, kind, tensor, at, frame, **data)

    values = [*args, *kwargs.values()] if kwargs else args
    for value in values:
        if type(value) is Choice or type(value) is StarV:
            break
    else:
        return handler(OpCall(list(args), kwargs, place, layer, training, frame.no_grad, emit))

    def run(values: list[Value]) -> Value:
        count = len(args)
        plain = [
            m.unknown("spread from an unknown sequence") if type(v) is StarV else v for v in values[:count]
        ]
        named = dict(zip(kwargs, values[count:], strict=True)) if kwargs else {}
        return handler(OpCall(plain, named, place, layer, training, frame.no_grad, emit))

    return m.distribute(values, run)


def call(
    m: Machine, qual: str, args: list[Value], kwargs: dict[str, Value], place: Place, frame: Frame
) -> Value:
    """Call something of a library by its qualified name."""
    if qual in devices.DEFAULTS:
        m.elsewhere = True
    if qual in origins.COUNTING:
        origins.counted(m, qual, args, kwargs, place)
    contract = losses.function_contract(qual)
    if contract is not None:
        return losses.reach_function(m, contract, qual, args, kwargs, place, frame)
    handler = FUNCTIONS.get(qual)
    if handler is not None:
        result = run_handler(m, handler, args, kwargs, place, frame)
        if qual in constructions.COUNTERS:
            constructions.counted(m, result, place)
        return result
    if qual.startswith("builtins."):
        return python_functions.call(m, qual[9:], args, kwargs, place, frame)
    if qual in FIRST_ARGUMENT:
        return args[0] if args else next(iter(kwargs.values()), NONE)
    if qual in ALL_ARGUMENTS:
        return TupleV(tuple(args)) if len(args) > 1 else args[0] if args else NONE
    if qual in ("torch.utils.data.random_split", "torch.utils.data.dataset.random_split") and args:
        return datasets.random_split(m, args, kwargs, place)
    if qual.startswith(("pandas.", "sklearn.", "numpy.")):
        table = tables.call(m, qual, args, kwargs, place)
        if table is not None:
            return table
    known = python_functions.KNOWN_CALLS.get(qual)
    if known is not None:
        return known(m, args, kwargs, place, frame)
    if qual in ("functools.partial", "functools.partialmethod") and args:
        return Partial(args[0], tuple(args[1:]), kwargs)
    if qual == "torch.hub.load":
        name = models.hub(args[0] if args else None, args[1] if len(args) > 1 else kwargs.get("model"))
        return ExtObj(name, (), kwargs, place) if name else _hub(m, args, kwargs, place, frame)
    if qual.startswith("torch.Tensor.") and args:
        method = METHODS.get(qual[13:])
        return run_handler(m, method, args, kwargs, place, frame) if method else m.unknown("a tensor method")
    if models.architecture(qual) is not None:
        return ExtObj(qual, tuple(args), kwargs, place)
    if qual.endswith((".from_pretrained", ".from_config", ".from_name")):
        return ExtObj(qual.rsplit(".", 1)[0], (), kwargs, place)
    through = CALLERS.get(qual)
    if through is not None:
        return _called_through(m, through, args, kwargs, place, frame)
    if qual.startswith(distributions.PACKAGE) and qual.rsplit(".", 1)[-1][:1].isupper():
        return distributions.construct(m, qual, args, kwargs, place, frame)
    found = foreign.call_function(m, qual, args, kwargs, place, frame)
    if found is not None:
        return found
    qual = TORCH_SUBCLASSES.get(qual, qual)
    last = qual.rsplit(".", 1)[-1]
    if last[:1].isupper() or qual in _OBJECTS or "autocast" in last:
        obj = ExtObj(qual, tuple(args), kwargs, place)
        if qual in nn_modules.LISTS:
            nn_modules.fill(m, obj, args, kwargs)
        elif qual == "torch.nn.ModuleDict":
            return _module_dict(m, args, place)
        constructions.made(m, obj, place, frame)
        return obj
    if qual == "torch.cuda.is_available":
        return Unknown("whether there is an accelerator", ("accelerator", qual))
    if qual in training.BACKWARD and args:
        training.backward(m, args[0], args[1:], {}, place, frame)
        return m.unknown("gradients")
    training.escaping(m, args, kwargs, place, frame)
    return Unknown(f"a call into a library, or a module that was not found: {qual}")


_OBJECTS = frozenset(
    {
        "torch.no_grad",
        "torch.inference_mode",
        "torch.enable_grad",
        "torch.set_grad_enabled",
        "torch.autocast",
        "tqdm.tqdm",
        "tqdm.auto.tqdm",
        "tqdm.notebook.tqdm",
        "tqdm.trange",
        "rich.progress.track",
        "torch.device",
        "torch.cuda.amp.autocast",
    }
)


def _hub(m: Machine, args: list[Value], kwargs: dict[str, Value], place: Place, frame: Frame) -> Value:
    return Unknown("a model of torch.hub")


def _module_dict(m: Machine, args: list[Value], place: Place) -> Value:
    out = DictV(place)
    source = args[0] if args else None
    if isinstance(source, DictV):
        for key, value in source.attrs.items():
            m.write(out.attrs, key, value)
    elif source is not None:
        from torchlosslint.flow.iteration import content

        held = content(m, source)
        if isinstance(held, TupleV):
            for pair in held.items:
                if isinstance(pair, TupleV) and len(pair.items) == 2 and isinstance(pair.items[0], Const):
                    m.write(out.attrs, ("k", pair.items[0].value), pair.items[1])
        else:
            m.write(out.attrs, "open", TRUE)
    return out


def call_object(
    m: Machine, obj: ExtObj, args: list[Value], kwargs: dict[str, Value], place: Place, frame: Frame
) -> Value:
    """Call an instance of a library class that is no layer, loss or known model."""
    if obj.qual == "model.part":
        return Tensor(
            Domain(POSITIVE, "features", flags=frozenset({"pooled"})), "float32", None, True, role="model"
        )
    if obj.qual == "collections.namedtuple":
        fields = tuple(str(a.value) for a in obj.args if isinstance(a, Const))
        values = dict(zip(fields, args, strict=False)) | kwargs
        return TupleV(tuple(values.get(f, NONE) for f in fields), fields)
    if obj.qual.endswith("autocast") or obj.qual in (
        "torch.no_grad",
        "torch.inference_mode",
        "torch.enable_grad",
    ):
        return args[0] if args else NONE  # used as a decorator
    found = foreign.call_object(m, obj, args, kwargs, place, frame)
    return found if found is not None else Unknown(f"a call of a library object: {obj.qual}")


def call_method(
    m: Machine, obj: Obj, name: str, args: list[Value], kwargs: dict[str, Value], place: Place, frame: Frame
) -> Value:
    """A method of a library object."""
    assert isinstance(obj, ExtObj)
    if name == "parse_args" or name == "parse_known_args":
        options = ExtObj("argparse.Namespace", (), {}, place)
        for key, value in obj.attrs.items():
            if isinstance(key, str) and key.startswith("default:"):
                m.write(options.attrs, key[8:], value)
        return options if name == "parse_args" else TupleV((options, m.unknown("further arguments")))
    if obj.qual in origins.TABLES:
        if name in origins.COUNTING_METHODS:
            origins.counted_by_method(m, obj, name, kwargs, place)
        elif kwargs.get("inplace") == TRUE:
            origins.altered(m, obj)
    table = tables.method(obj, name, args, kwargs, place)
    if table is not None:
        return table
    if name in ("next", "__next__") and obj.qual in datasets.LOADERS:
        return datasets.batch(m, obj, place)
    if name == "prepare" and args:  # accelerate's Accelerator, Fabric's setup
        return TupleV(tuple(args)) if len(args) > 1 else args[0]
    if name == "setup" and args and "abric" in obj.qual:
        return TupleV(tuple(args)) if len(args) > 1 else args[0]
    if name in ("unwrap_model", "scale", "to", "cuda", "cpu") and (args or name in ("to", "cuda", "cpu")):
        return args[0] if name in ("unwrap_model", "scale") else obj
    if models.is_model(obj):
        if name in ("get_classifier", "get_output_embeddings"):
            return ExtObj("torch.nn.Linear", (), {}, obj.place)
        if name in ("forward_features", "extract_features", "features"):
            return Unknown("features of a library model")
    if name in ("fit_transform", "transform") and obj.qual == "sklearn.preprocessing.MultiLabelBinarizer":
        rows = Domain(DATA, "multi_hot", flags=frozenset({"numpy"}))
        return Tensor(rows, "int64", (None, None), False)
    if name == "__getitem__" and args:
        return nn_modules.item(m, obj, args[0], place)
    if name in ("append", "extend") and "items" in obj.attrs:
        from torchlosslint.flow.python_methods import list_method

        return list_method(m, obj, name, args, place, frame)
    if obj.qual.startswith("builtins.") or obj.qual.startswith("itertools."):
        return m.unknown("a method of an iterator")
    run_callbacks(m, args, place, frame)
    if optimizers.is_optimizer(obj):
        if name == "step":
            optimizers.stepped(m, obj, args, frame)
        elif name == "add_param_group":
            m.write(obj.attrs, "extended", TRUE)
    if obj.qual.startswith(distributions.PACKAGE):
        return distributions.method(obj, name, place)
    return Unknown(f"a method of a library object: {obj.qual}.{name}")


__all__ = ["Choice", "LAYERS", "ListV", "call", "call_method", "call_object", "normalise", "run_handler"]
