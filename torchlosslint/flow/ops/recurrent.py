"""Recurrent layers: their outputs are bounded by tanh, which as logits is a mistake of its own."""

from __future__ import annotations

from functools import partial
from typing import Any

from torchlosslint.flow.domain import BOUNDED, POSITIVE, RAW, SCORES, Domain
from torchlosslint.flow.ops.affine import layer_dtype, trained, unfit
from torchlosslint.flow.ops.call import OpCall, const, integer, items
from torchlosslint.flow.ops.shapes import rank, size_at
from torchlosslint.flow.ops.support import domain, made, operand, register, unknown
from torchlosslint.flow.values import DOTS, Const, Shape, Tensor, TupleV, Unknown, Value

PACKED = ("data", "batch_sizes", "sorted_indices", "unsorted_indices")


def hidden_domain(call: OpCall, name: str, position: int = 99) -> Domain:
    """What the outputs of a recurrent layer lie in."""
    chosen = const(call.init(position, "nonlinearity"))
    kind = name.removeprefix("nn.")
    if kind.startswith("RNN") and chosen == "relu":
        return Domain(POSITIVE, name)
    if kind.startswith("RNN") and call.init(position, "nonlinearity") is not None and chosen is None:
        return Domain("unknown", name)
    return Domain(BOUNDED, name, low=-1.0, high=1.0)


def refused(call: OpCall, x: Value) -> bool:
    """Whether a layer would raise on what it is given: nothing is known of what comes out."""
    return isinstance(x, Tensor) and unfit(size_at(x.shape, -1), call.init(0, "input_size"))


def recurrent(call: OpCall, name: str) -> Value:
    """nn.RNN, nn.GRU, nn.LSTM: (output, hidden); the hidden of an LSTM is (h, c)."""
    given = operand(call)
    packed = isinstance(given, TupleV) and given.cls == "PackedSequence"
    x = given.items[0] if isinstance(given, TupleV) and packed else given
    if not isinstance(x, (Tensor, Unknown)):
        return unknown(name, x)
    if refused(call, x):
        return TupleV((unknown(name), TupleV((unknown(name),) * 2) if name == "nn.LSTM" else unknown(name)))
    kind = name.removeprefix("nn.")
    shift = 1 if kind == "RNN" else 0  # RNN(input, hidden, layers, nonlinearity, bias, batch_first, ...)
    hidden = integer(call.init(1, "hidden_size"))
    layers = call.init(2, "num_layers")
    depth = 1 if layers is None else integer(layers)
    projected = call.init(99, "proj_size")
    width = hidden if projected is None or integer(projected) == 0 else integer(projected)
    both = const(call.init(6 + shift, "bidirectional"))
    directions = (
        1 if call.init(6 + shift, "bidirectional") is None else 2 if both else 1 if both is False else None
    )
    first = call.init(4 + shift, "batch_first")
    batch_first: bool | None = (
        False if first is None else bool(const(first)) if isinstance(first, Const) else None
    )
    dom = hidden_domain(call, name, 3)
    if kind == "LSTM" and projected is not None and integer(projected) != 0:
        dom = Domain(SCORES, name)
    note = f"{name} squashes its output into [-1, 1]" if dom.kind == BOUNDED else ""
    out = width * directions if width is not None and directions is not None else None
    old = x.shape if isinstance(x, Tensor) else None
    known = rank(old)
    output_shape: Shape = (DOTS, out)
    if known in (2, 3) and old is not None and not packed:
        output_shape = (*old[:-1], out)
    elif packed:
        output_shape = (None, out)
    batch: Any = None
    if known == 3 and old is not None and batch_first is not None and not packed:
        batch = old[0] if batch_first else old[1]
    stacked = depth * directions if depth is not None and directions is not None else None
    hidden_shape: Shape = (stacked, width) if known == 2 and not packed else (stacked, batch, width)
    fields = {"dtype": layer_dtype(x), **trained(call)}
    output: Value = made(call, x, dom, note, shape=output_shape, **fields)
    if packed and isinstance(given, TupleV):
        output = TupleV((output, *given.items[1:]), given.fields, given.cls)
    last: Value = made(call, x, dom, note, shape=hidden_shape, **fields)
    if kind == "LSTM":
        cell_shape: Shape = (*hidden_shape[:-1], hidden)
        cell = made(call, x, RAW.replace(how="nn.LSTM"), shape=cell_shape, **fields)
        last = TupleV((last, cell))
    return TupleV((output, last))


def cell(call: OpCall, name: str) -> Value:
    """nn.RNNCell, nn.GRUCell: a hidden state; nn.LSTMCell: (h, c)."""
    x = operand(call)
    if not isinstance(x, (Tensor, Unknown)):
        return unknown(name, x)
    if refused(call, x):
        return unknown(name) if name != "nn.LSTMCell" else TupleV((unknown(name), unknown(name)))
    size = integer(call.init(1, "hidden_size"))
    known = rank(x.shape) if isinstance(x, Tensor) else None
    shape: Shape = (DOTS, size)
    if isinstance(x, Tensor) and x.shape is not None and known:
        shape = (*x.shape[:-1], size)
    dom = hidden_domain(call, name, 3)
    note = f"{name} squashes its output into [-1, 1]" if dom.kind == BOUNDED else ""
    fields = {"dtype": layer_dtype(x), "shape": shape, **trained(call)}
    hidden = made(call, x, dom, note, **fields)
    if name != "nn.LSTMCell":
        return hidden
    return TupleV((hidden, made(call, x, Domain(SCORES, name), **fields)))


def pack(call: OpCall) -> Value:
    """pack_padded_sequence(input, lengths, batch_first): a PackedSequence of the same numbers."""
    x = operand(call, 0, "input", "sequences")
    if not isinstance(x, (Tensor, Unknown)):
        sequences = items(x)
        x = sequences[0] if sequences else Unknown("packed sequence")
    old = x.shape if isinstance(x, Tensor) else None
    data: Value = (
        x.with_(shape=(None, *old[2:]) if rank(old) and old is not None else None)
        if isinstance(x, Tensor)
        else x
    )
    other = Unknown("packed sequence")
    return TupleV((data, Tensor(dtype="int64", grad=False), other, other), PACKED, "PackedSequence")


def unpack(call: OpCall) -> Value:
    """pad_packed_sequence(sequence, batch_first): (padded, lengths)."""
    packed = operand(call, 0, "sequence")
    lengths = Tensor(Domain("data", "lengths"), dtype="int64", shape=(None,), grad=False)
    if isinstance(packed, TupleV) and packed.items and isinstance(packed.items[0], Tensor):
        x = packed.items[0]
        shape = (None, None, *x.shape[1:]) if rank(x.shape) and x.shape is not None else None
        dom = x.dom if domain(x).kind not in ("logprobs", "logunit") else Domain("unknown", "padding")
        return TupleV((x.with_(dom=dom, shape=shape), lengths))
    return TupleV((unknown("pad_packed_sequence", packed), lengths))


def pad_sequence(call: OpCall) -> Value:
    """pad_sequence(list of tensors, batch_first): the numbers of the first, one more dimension."""
    sequences = items(operand(call, 0, "sequences"))
    tensors = [v for v in sequences or [] if isinstance(v, Tensor)]
    if (
        not tensors
        or sequences is None
        or any(t.dom != tensors[0].dom for t in tensors)
        or len(tensors) != len(sequences)
    ):
        return unknown("pad_sequence")
    dom = tensors[0].dom
    dom = (
        dom if dom.kind in ("data", "indices", "scores", "positive", "unit") else Domain("unknown", "padding")
    )
    return made(call, tensors[0], dom, others=tensors[1:], shape=None)


def enter() -> None:
    """Enter all of this module."""
    for name in ("RNN", "GRU", "LSTM"):
        register(partial(recurrent, name=f"nn.{name}"), layers=name)
        register(partial(cell, name=f"nn.{name}Cell"), layers=f"{name}Cell")
    register(pack, "torch.nn.utils.rnn.pack_padded_sequence torch.nn.utils.rnn.pack_sequence")
    register(unpack, "torch.nn.utils.rnn.pad_packed_sequence")
    register(pad_sequence, "torch.nn.utils.rnn.pad_sequence")


enter()
