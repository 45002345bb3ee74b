"""Pools, upsampling, padding, pixel shuffles: layers without weights that move or average numbers."""

from __future__ import annotations

from functools import partial
from typing import Any

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
    RAW,
    SCORES,
    UNIT,
    Domain,
)
from torchlosslint.flow.ops.affine import per_axis
from torchlosslint.flow.ops.call import OpCall, const, integer, items, number
from torchlosslint.flow.ops.joining import picked
from torchlosslint.flow.ops.shapes import pooled_size, rank, same_axis, size_at
from torchlosslint.flow.ops.support import flagged, made, nothing, operand, register, setting, unknown
from torchlosslint.flow.values import NONE, Const, Shape, Tensor, TupleV, Unknown, Value

LINEAR = frozenset({"nearest", "nearest-exact", "linear", "bilinear", "trilinear", "area"})


def spatial_class(x: Tensor, spatial: int) -> bool | None:
    """Whether the classes of a distribution lie along one of the last `spatial` dimensions."""
    answers = [same_axis(x.dom.dim, -1 - i, rank(x.shape)) for i in range(spatial)]
    known = x.dom.dim
    if rank(x.shape) is None and known in (0, 1):
        return False
    return True if any(answers) else False if all(a is False for a in answers) else None


def pooled(x: Tensor, average: bool, spatial: int, padded: bool) -> Domain:
    """The domain of averages or maxima over windows."""
    dom = x.dom
    if dom.kind == SCORES:
        return RAW
    if dom.kind == POSITIVE:
        return flagged(dom, "pooled")
    if dom.kind in (UNIT, BOUNDED) and "dropout" not in dom.flags:
        low = (
            dom.low
            if dom.low is not None and not padded
            else min(dom.low, 0.0)
            if dom.low is not None
            else None
        )
        high = dom.high if dom.high is None or not padded else max(dom.high, 0.0)
        return flagged(dom.replace(low=low, high=high), "pooled")
    if dom.kind == PROBS:
        if average and spatial_class(x, spatial) is False:
            return flagged(dom, "mixture", *(("scaled",) if padded else ()))
        return flagged(picked(dom), "pooled") if "scaled" not in dom.flags else nothing("pool")
    if dom.kind == DATA or (dom.kind == NUMBER and not padded):
        return dom
    if dom.kind in (INDICES, ONEHOT) and not average:
        return dom if dom.kind == INDICES else nothing("pool")
    if dom.kind in (LOGUNIT, LOGPROBS) and not average:
        return picked(dom)
    return nothing("pool")


def pool(call: OpCall, spatial: int, average: bool) -> Value:
    """avg_pool and max_pool(kernel, stride=kernel, padding=0)."""
    x = operand(call)
    if not isinstance(x, Tensor):
        return x if isinstance(x, Unknown) else unknown("pool", x)
    kernel, stride = setting(call, 1, "kernel_size"), setting(call, 2, "stride")
    padding = setting(call, 3, "padding")
    dilation = None if average else setting(call, 4, "dilation")
    position = (4 if average else 6) if call.layer is not None else (4 if average else 5)
    ceil = setting(call, position, "ceil_mode")
    rounds_up = ceil is not None and const(ceil) is not False
    sizes: list[Any] = []
    for i in range(spatial):
        size = size_at(x.shape, i - spatial)
        width = per_axis(kernel, i, 1)
        step = width if stride is None or stride == NONE else per_axis(stride, i, 1)
        sizes.append(
            pooled_size(size, width, step, per_axis(padding, i, 0), per_axis(dilation, i, 1), rounds_up)
        )
    dom = pooled(x, average, spatial, average and padding is not None and padding != Const(0))
    return picked_indices(call, made(call, x, dom, shape=spatial_shape(x.shape, sizes)), 5, average)


def picked_indices(call: OpCall, values: Tensor, position: int, average: bool) -> Value:
    """The result of a max pool, with indices where they were asked for."""
    asked = None
    if not average:
        asked = (
            call.init(position, "return_indices")
            if call.layer is not None
            else call.kwargs.get("return_indices")
        )
    if asked is None or const(asked) is False:
        return values
    indices = Tensor(
        Domain(INDICES, "max_pool"), dtype="int64", shape=values.shape, grad=False, cut="max_pool()"
    )
    return TupleV((values, indices))


def spatial_shape(shape: Shape | None, sizes: list[Any]) -> Shape | None:
    """The shape with other sizes in its last dimensions."""
    known = rank(shape)
    if shape is None:
        return None
    if known is None:
        lead = shape[: max(len(shape) - len(sizes), 1)]
        return (*lead, *sizes)
    return (*shape[: known - len(sizes)], *sizes) if known > len(sizes) else None


def adaptive(call: OpCall, spatial: int, average: bool) -> Value:
    """adaptive_avg_pool and adaptive_max_pool(output_size)."""
    x = operand(call)
    if not isinstance(x, Tensor):
        return x if isinstance(x, Unknown) else unknown("pool", x)
    target = setting(call, 1, "output_size")
    sizes: list[Any] = []
    for i in range(spatial):
        listed = items(target)
        kept = listed is not None and i < len(listed) and listed[i] == NONE
        sizes.append(
            size_at(x.shape, i - spatial) if kept else per_axis(target, i, 1) if target is not None else None
        )
    dom = pooled(x, average, spatial, False)
    return picked_indices(call, made(call, x, dom, shape=spatial_shape(x.shape, sizes)), 1, average)


def other_pool(call: OpCall, spatial: int) -> Value:
    """lp_pool, fractional_max_pool, max_unpool: the shape is not followed."""
    x = operand(call)
    if not isinstance(x, Tensor):
        return x if isinstance(x, Unknown) else unknown("pool", x)
    dom = (
        RAW
        if x.dom.kind == SCORES
        else flagged(x.dom, "pooled")
        if x.dom.kind == POSITIVE
        else nothing("pool")
    )
    return made(call, x, dom, shape=spatial_shape(x.shape, [None] * spatial))


def upsample(call: OpCall, how: str | None = None) -> Value:
    """interpolate(size, scale_factor, mode='nearest'): means of neighbours; bicubic may overshoot."""
    x = operand(call)
    if not isinstance(x, Tensor):
        return x if isinstance(x, Unknown) else unknown("interpolate", x)
    given = setting(call, 3, "mode")
    mode = how or ("nearest" if given is None else const(given))
    known = rank(x.shape)
    size, scale = setting(call, 1, "size"), setting(call, 2, "scale_factor")
    shape: Shape | None = None
    if known is not None and known > 2 and x.shape is not None:
        sizes: list[Any] = []
        for i in range(known - 2):
            old, factor = x.shape[2 + i], per_factor(scale, i)
            if size is not None and size != NONE:
                sizes.append(per_axis(size, i, 1))
            else:
                scaled = isinstance(old, int) and factor is not None and abs(factor) < 1e6  # not nan, nor inf
                sizes.append(int(old * factor) if scaled else None)
        shape = (*x.shape[:2], *sizes)
    dom = x.dom
    if mode not in LINEAR and dom.kind not in (SCORES, DATA):
        return made(call, x, nothing("interpolate"), shape=shape)
    if mode not in ("nearest", "nearest-exact"):
        spatial = known - 2 if known is not None else 1
        if dom.kind == PROBS and spatial_class(x, spatial) is not False:
            dom = picked(dom)
        elif dom.kind == LOGPROBS:
            dom = nothing("interpolate")
        elif dom.kind in (INDICES, ONEHOT):
            dom = nothing("interpolate") if dom.kind == INDICES else Domain(UNIT, "one_hot")
    elif (
        dom.kind in (PROBS, LOGPROBS) and spatial_class(x, known - 2 if known is not None else 1) is not False
    ):
        dom = picked(dom)
    return made(call, x, dom, shape=shape)


def per_factor(value: Value | None, axis: int) -> float | None:
    """A scale factor that is one number or one for each dimension."""
    listed = items(value) if value is not None else None
    if listed is not None:
        return number(listed[axis]) if axis < len(listed) else None
    return number(value)


def pad(call: OpCall, constant: bool | None = None, default: float = 0.0) -> Value:
    """F.pad(input, pad, mode, value) and the padding layers."""
    x = operand(call)
    if not isinstance(x, Tensor):
        return x if isinstance(x, Unknown) else unknown("pad", x)
    fill: float | None = default
    if constant is None:
        mode, given = call.arg(2, "mode"), call.arg(3, "value")
        constant = mode is None or const(mode) == "constant"
        fill = 0.0 if given is None or given == NONE else number(given)
    elif constant and call.init(1, "value") is not None:
        fill = number(call.init(1, "value"))
    dom = x.dom
    if constant:
        dom = padded(dom, fill)
    elif dom.kind in (PROBS, LOGPROBS) and dom.dim != 1:
        dom = dom.replace(dim=None)
    return made(
        call,
        x,
        dom,
        shape=padded_shape(x.shape, setting(call, 1, "pad" if call.layer is None else "padding"), call),
    )


def padded(dom: Domain, fill: float | None) -> Domain:
    """A domain with one number put around it."""
    if dom.kind == SCORES:
        return RAW
    if fill is None:
        return nothing("pad")
    if dom.kind in (UNIT, PROBS) and 0 <= fill <= 1 and not dom.flags & {"scaled"}:
        return dom.replace(kind=UNIT, dim=None, low=None, high=None)
    if dom.kind == POSITIVE and fill >= 0:
        return dom
    if dom.kind == BOUNDED and dom.low is not None and dom.high is not None:
        return dom.replace(low=min(dom.low, fill), high=max(dom.high, fill))
    if dom.kind == NUMBER and dom.low == fill:
        return dom
    return dom if dom.kind == DATA or (dom.kind == INDICES and fill >= 0) else nothing("pad")


def padded_shape(shape: Shape | None, widths: Value | None, call: OpCall) -> Shape | None:
    """The shape after padding the last dimensions."""
    known = rank(shape)
    listed = items(widths)
    if known is None or shape is None or listed is None or len(listed) % 2 or len(listed) > 2 * known:
        return None
    new = list(shape)
    for i in range(len(listed) // 2):
        before, after, old = integer(listed[2 * i]), integer(listed[2 * i + 1]), new[-1 - i]
        new[-1 - i] = (
            old + before + after
            if isinstance(old, int) and before is not None and after is not None
            else None
        )
    return tuple(new)


def shuffle(call: OpCall, factor: int) -> Value:
    """PixelShuffle, PixelUnshuffle, ChannelShuffle: numbers move between channels and pixels."""
    x = operand(call)
    if not isinstance(x, Tensor):
        return x if isinstance(x, Unknown) else unknown("pixel_shuffle", x)
    dom = picked(x.dom)
    r = integer(setting(call, 1, "upscale_factor" if factor > 0 else "downscale_factor"))
    known = rank(x.shape)
    shape: Shape | None = x.shape if factor == 0 else None
    if factor and known is not None and known >= 3 and x.shape is not None:
        c, h, w = x.shape[-3:]
        if r and all(isinstance(n, int) for n in (c, h, w)):
            new = (c // (r * r), h * r, w * r) if factor > 0 else (c * r * r, h // r, w // r)
        else:
            new = (None, None, None)
        shape = (*x.shape[:-3], *new)
    return made(call, x, dom, shape=shape)


def enter() -> None:
    """Enter all of this module."""
    for n in (1, 2, 3):
        for name, average in (("avg", True), ("max", False)):
            title = name.title()
            register(
                partial(pool, spatial=n, average=average),
                f"F.{name}_pool{n}d {name}_pool{n}d",
                "",
                f"{title}Pool{n}d",
            )
            register(
                partial(adaptive, spatial=n, average=average),
                f"F.adaptive_{name}_pool{n}d adaptive_{name}_pool{n}d",
                "",
                f"Adaptive{title}Pool{n}d",
            )
        register(partial(other_pool, spatial=n), f"F.lp_pool{n}d F.fractional_max_pool{n}d F.max_unpool{n}d")
        register(partial(other_pool, spatial=n), layers=f"LPPool{n}d FractionalMaxPool{n}d MaxUnpool{n}d")
        for kind in ("Reflection", "Replication", "Circular"):
            register(partial(pad, constant=False), layers=f"{kind}Pad{n}d")
        register(partial(pad, constant=True), layers=f"ZeroPad{n}d ConstantPad{n}d")
    register(pad, "F.pad")
    register(upsample, "F.interpolate F.upsample", "", "Upsample")
    register(partial(upsample, how="nearest"), "F.upsample_nearest", "", "UpsamplingNearest2d")
    register(partial(upsample, how="bilinear"), "F.upsample_bilinear", "", "UpsamplingBilinear2d")
    register(partial(shuffle, factor=1), "F.pixel_shuffle pixel_shuffle", "", "PixelShuffle")
    register(partial(shuffle, factor=-1), "F.pixel_unshuffle pixel_unshuffle", "", "PixelUnshuffle")
    register(partial(shuffle, factor=0), "F.channel_shuffle channel_shuffle", "", "ChannelShuffle")


enter()
