"""Layers with weights that give raw scores: linear, convolutions, embeddings, norms, attention."""

from __future__ import annotations

from functools import lru_cache, partial
from typing import Any

from torchlosslint.flow.domain import LOGPROBS, PROBS, RAW, SCORES, Domain
from torchlosslint.flow.ops.call import OpCall, const, integer, items
from torchlosslint.flow.ops.shapes import pooled_size, rank, size_at
from torchlosslint.flow.ops.support import FLOATS, activation_dtype, domain, made, operand, register, unknown
from torchlosslint.flow.values import DOTS, FALSE, NONE, Shape, Tensor, TupleV, Unknown, Value


@lru_cache(maxsize=256)
def scores(name: str) -> Domain:
    """The domain of what a layer gives, one object for all layers of a name."""
    return Domain(SCORES, name)


def trained(call: OpCall) -> dict[str, Any]:
    """The gradient and role of what comes out of a layer with weights."""
    if call.no_grad:
        return {"grad": False, "cut": "no_grad", "role": "model"}
    return {"grad": True, "cut": "", "role": "model"}


def layer_dtype(value: Value) -> str:
    """The dtype of a layer's output: that of its input where this is floating."""
    found = activation_dtype(value)
    return found if isinstance(value, Tensor) and value.dtype in FLOATS else "float"


def layer(call: OpCall, name: str, x: Value, shape: Shape | None, note: str = "") -> Value:
    """The output of a layer with weights: raw scores."""
    if not isinstance(x, (Tensor, Unknown)):
        return unknown(name, x)
    return made(
        call,
        x,
        scores(name),
        note or f"{name} gives raw scores",
        dtype=layer_dtype(x),
        shape=shape,
        **trained(call),
    )


def linear(call: OpCall, name: str = "nn.Linear", position: int = 1) -> Value:
    """nn.Linear(in, out), nn.LazyLinear(out)."""
    x = operand(call)
    out = integer(call.init(position, "out_features"))
    shape: Shape = (DOTS, out)
    if isinstance(x, Tensor) and x.shape is not None and len(x.shape) > 0:
        shape = (*x.shape[:-1], out) if x.shape[-1] is not DOTS else (DOTS, out)
        if position and unfit(x.shape[-1], call.init(0, "in_features")):
            return layer(call, name, x, None)
    return layer(call, name, x, shape)


def unfit(size: Any, wanted: Value | None) -> bool:
    """Whether a layer would raise on this size: then the shape was not followed rightly up to here."""
    fits = integer(wanted)
    return isinstance(size, int) and fits is not None and size != fits


def bilinear(call: OpCall) -> Value:
    """nn.Bilinear(in1, in2, out)."""
    x = operand(call, 0, "input1")
    out = integer(call.init(2, "out_features"))
    shape: Shape | None = (DOTS, out)
    if isinstance(x, Tensor) and rank(x.shape) and x.shape is not None:
        shape = None if unfit(x.shape[-1], call.init(0, "in1_features")) else (*x.shape[:-1], out)
    return layer(call, "nn.Bilinear", x, shape)


def per_axis(value: Value | None, axis: int, default: int) -> Any:
    """A setting that is one number or one for each spatial dimension."""
    if value is None:
        return default
    listed = items(value)
    if listed is not None:
        return integer(listed[axis]) if axis < len(listed) else None
    return integer(value)


def grown_size(size: int, kernel: int, stride: int, padding: int, extra: int, dilation: int) -> int:
    """The size that a transposed convolution makes of one spatial dimension."""
    return (size - 1) * stride - 2 * padding + dilation * (kernel - 1) + extra + 1


def conv(call: OpCall, name: str, spatial: int, lazy: bool = False, transposed: bool = False) -> Value:
    """nn.Conv*(in, out, kernel, stride, padding, dilation); the spatial sizes where all is known."""
    x = operand(call)
    first = 0 if lazy else 1
    out = integer(call.init(first, "out_channels"))
    known = rank(x.shape) if isinstance(x, Tensor) else None
    sizes: list[Any] = []
    for i in range(spatial):
        size = size_at(x.shape, i - spatial) if isinstance(x, Tensor) else None
        if size is None:
            sizes.append(None)
            continue
        kernel = per_axis(call.init(first + 1, "kernel_size"), i, 1)
        stride = per_axis(call.init(first + 2, "stride"), i, 1)
        padding = per_axis(call.init(first + 3, "padding"), i, 0)
        if transposed:
            extra = per_axis(call.init(first + 4, "output_padding"), i, 0)
            dilation = per_axis(call.init(first + 7, "dilation"), i, 1)
            numbers: list[Any] = [size, kernel, stride, padding, extra, dilation]
            sizes.append(grown_size(*numbers) if all(isinstance(n, int) for n in numbers) else None)
        else:
            dilation = per_axis(call.init(first + 4, "dilation"), i, 1)
            same = const(call.init(first + 3, "padding")) == "same"
            sizes.append(size if same else pooled_size(size, kernel, stride, padding, dilation))
    shape: Shape = (out, *sizes) if known == spatial + 1 else (None, out, *sizes)
    if known is not None and not spatial + 1 <= known <= spatial + 2:
        return layer(call, name, x, None)  # no picture: it raises, and whatever follows is not known
    if isinstance(x, Tensor) and x.shape is not None and known is not None:
        if first and unfit(x.shape[-spatial - 1], call.init(0, "in_channels")):
            return layer(call, name, x, None)
        shape = (*x.shape[: -spatial - 1], out, *sizes)
    return layer(call, name, x, shape)


def embedding(call: OpCall, name: str = "nn.Embedding") -> Value:
    """nn.Embedding(num, dim): one more dimension; EmbeddingBag: a vector for each bag."""
    x = operand(call)
    if not isinstance(x, (Tensor, Unknown)):
        return unknown(name, x)
    out = integer(call.init(1, "embedding_dim"))
    shape: Shape = (DOTS, out)
    if name == "nn.EmbeddingBag":
        shape = (None, out)
    elif isinstance(x, Tensor) and x.shape is not None:
        shape = (*x.shape, out)
    note = f"{name} gives raw scores"
    return made(call, x, Domain(SCORES, name), note, dtype="float", shape=shape, **trained(call))


def embedding_function(call: OpCall) -> Value:
    """F.embedding(input, weight)."""
    x, weight = operand(call), operand(call, 1, "weight")
    if not isinstance(x, (Tensor, Unknown)):
        return unknown("embedding", x)
    dom = domain(weight) if domain(weight).kind == SCORES else Domain(SCORES, "F.embedding")
    return made(call, x, dom, others=(weight,), dtype="float", shape=None)


# Which dimension must have the size that a layer was made for, and the setting that says it.
_NORMED = {
    "batch_norm": (1, 0, "num_features"),
    "group_norm": (1, 1, "num_channels"),
    "layer_norm": (-1, 0, "normalized_shape"),
}


def norm(call: OpCall, name: str) -> Value:
    """Normalisation layers: the shape stays, the numbers are unbounded again."""
    x = operand(call)
    if not isinstance(x, (Tensor, Unknown)):
        return unknown(name, x)
    shape = x.shape if isinstance(x, Tensor) else None
    at, position, setting = _NORMED.get(name, (0, 0, ""))
    if setting and unfit(size_at(shape, at), call.init(position, setting)):
        shape = None
    return made(
        call,
        x,
        scores(name),
        f"{name} gives raw scores",
        dtype=layer_dtype(x),
        shape=shape,
        **trained(call),
    )


def plain_norm(call: OpCall, name: str) -> Value:
    """Normalisation without weights: a gradient only where one comes in."""
    x = operand(call)
    if not isinstance(x, (Tensor, Unknown)):
        return unknown(name, x)
    others = [v for k in ("weight", "bias") if (v := call.kwargs.get(k)) is not None and v != NONE]
    if call.layer is None:
        others += [a for a in call.args[1:] if isinstance(a, Tensor)]
    shape = x.shape if isinstance(x, Tensor) else None
    return made(call, x, Domain(SCORES, name), others=others, dtype=layer_dtype(x), shape=shape)


def attention(call: OpCall) -> Value:
    """nn.MultiheadAttention: the output and the attention weights."""
    query = operand(call, 0, "query")
    output = layer(call, "nn.MultiheadAttention", query, query.shape if isinstance(query, Tensor) else None)
    if call.arg(4, "need_weights") == FALSE:
        return TupleV((output, NONE))
    if not isinstance(output, Tensor):
        return output
    weights = output.with_(dom=Domain(PROBS, "nn.MultiheadAttention", dim=-1), shape=None, uid=None)
    return TupleV((output, weights))


def transformer(call: OpCall, name: str) -> Value:
    """nn.Transformer and its parts: raw scores in the shape of the input, or of the target."""
    x = operand(call, 1, "tgt") if name == "nn.Transformer" else operand(call, 0, "src", "tgt", "input")
    return layer(call, name, x, x.shape if isinstance(x, Tensor) else None)


def prelu(call: OpCall) -> Value:
    """nn.PReLU: like leaky_relu, with a weight."""
    x = operand(call)
    if not isinstance(x, (Tensor, Unknown)):
        return unknown("prelu", x)
    shape = x.shape if isinstance(x, Tensor) else None
    return made(call, x, Domain(SCORES, "prelu"), dtype=layer_dtype(x), shape=shape, **trained(call))


def unfold(call: OpCall) -> Value:
    """nn.Unfold, nn.Fold, F.unfold, F.fold: the same numbers in blocks; folding adds them up."""
    x = operand(call)
    if not isinstance(x, Tensor):
        return x if isinstance(x, Unknown) else unknown("unfold", x)
    dom = (
        RAW if x.dom.kind == SCORES else x.dom.replace(dim=None) if x.dom.kind in (PROBS, LOGPROBS) else x.dom
    )
    return made(
        call, x, dom if dom.kind in (SCORES, "data", "positive") else Domain("unknown", "fold"), shape=None
    )


def enter() -> None:
    """Enter all of this module."""
    register(linear, layers="Linear NonDynamicallyQuantizableLinear")
    register(partial(linear, name="nn.LazyLinear", position=0), layers="LazyLinear")
    register(bilinear, layers="Bilinear")
    for n in (1, 2, 3):
        register(partial(conv, name=f"nn.Conv{n}d", spatial=n), layers=f"Conv{n}d")
        register(partial(conv, name=f"nn.LazyConv{n}d", spatial=n, lazy=True), layers=f"LazyConv{n}d")
        name = f"ConvTranspose{n}d"
        register(partial(conv, name=f"nn.{name}", spatial=n, transposed=True), layers=name)
        register(
            partial(conv, name=f"nn.Lazy{name}", spatial=n, lazy=True, transposed=True), layers=f"Lazy{name}"
        )
        for lazy in ("", "Lazy"):
            register(partial(norm, name="batch_norm"), layers=f"{lazy}BatchNorm{n}d")
            register(partial(plain_norm, name="instance_norm"), layers=f"{lazy}InstanceNorm{n}d")
    for layer_name in ("Embedding", "EmbeddingBag"):
        register(partial(embedding, name=f"nn.{layer_name}"), layers=layer_name)
    register(embedding_function, "F.embedding F.embedding_bag")
    register(partial(norm, name="batch_norm"), layers="SyncBatchNorm")
    register(partial(norm, name="layer_norm"), layers="LayerNorm")
    register(partial(norm, name="group_norm"), layers="GroupNorm")
    register(partial(norm, name="rms_norm"), layers="RMSNorm")
    register(
        partial(plain_norm, name="local_response_norm"),
        "F.local_response_norm",
        "",
        "LocalResponseNorm CrossMapLRN2d",
    )
    for function in ("batch_norm", "instance_norm", "layer_norm", "group_norm", "rms_norm"):
        register(partial(plain_norm, name=function), f"F.{function} {function}")
    register(attention, layers="MultiheadAttention")
    for layer_name in (
        "Transformer",
        "TransformerEncoder",
        "TransformerDecoder",
        "TransformerEncoderLayer",
        "TransformerDecoderLayer",
    ):
        register(partial(transformer, name=f"nn.{layer_name}"), layers=layer_name)
    register(prelu, layers="PReLU")
    register(unfold, "F.unfold F.fold", "", "Unfold Fold")


enter()
