"""Lengths and labels of CTC. Read only where they lie on the CPU."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from torchlosslint.runtime.call import Call
from torchlosslint.runtime.findings import Problem


def ctc(call: Call) -> Iterator[Problem]:
    """Lengths that do not fit, labels that are blank or out of range."""
    x, y = call.input, call.target
    if call.key != "ctc" or not isinstance(x, torch.Tensor) or not isinstance(y, torch.Tensor) or x.dim() < 2:
        return
    frames, most = x.shape[0], x.shape[-1]
    inputs, targets = _numbers(call.args.get("input_lengths")), _numbers(call.args.get("target_lengths"))
    if inputs is None or targets is None:
        return
    if inputs and max(inputs) > frames:
        yield Problem(
            "TLL703",
            f"{call.name} gets an input length of {max(inputs)}, longer than the {frames} time steps of its "
            "input (T, N, C).",
            "Give the lengths after the network's own pooling; put time into dimension 0.",
            evidence=(("input_lengths", max(inputs)), ("T", frames)),
        )
    if y.dim() == 1 and sum(targets) != y.numel():
        yield Problem(
            "TLL703",
            f"The target lengths given to {call.name} sum to {sum(targets)}, but its flat targets have "
            f"{y.numel()} labels.",
            "Give the labels of all samples one after the other, or padded (N, S).",
            evidence=(("sum of target_lengths", sum(targets)), ("targets", y.numel())),
        )
        return
    if len(inputs) == len(targets):
        short = [(i, t) for i, t in zip(inputs, targets, strict=True) if t > i]
        if short:
            yield Problem(
                "TLL703",
                f"{call.name} gets more labels than time steps in {len(short)} of {len(inputs)} samples "
                f"(first: {short[0][1]} in {short[0][0]}): their loss is inf"
                + (", set to 0 by zero_infinity." if call.config.get("zero_infinity") else "."),
                "Leave such samples out, or pool less over time.",
                evidence=(("first input, target length", short[0]),),
            )
    if y.device.type == "cpu" and y.numel():
        yield from _labels(call, y, targets, most)


def _labels(call: Call, y: torch.Tensor, lengths: list[int], classes: int) -> Iterator[Problem]:
    rows = [y] if y.dim() == 1 else [row[:length] for row, length in zip(y, lengths, strict=False)]
    used = torch.cat([row.reshape(-1) for row in rows]) if rows else y.reshape(-1)
    blank = call.config.get("blank", 0)
    if not used.numel():
        return
    low, high = int(used.min()), int(used.max())
    if low < 0 or high >= classes:
        yield Problem(
            "TLL306",
            f"Label {high if high >= classes else low} for scores with {classes} classes (0..{classes - 1}).",
            "Count the blank as a class of its own.",
            evidence=(("classes", classes), ("lowest, highest label", (low, high))),
        )
    elif bool((used == blank).any()):
        yield Problem(
            "TLL306",
            f"The labels contain {blank}, which is the blank.",
            "Number the labels without it, or say blank= another number.",
            evidence=(("blank", blank), ("times", int((used == blank).sum()))),
        )


def _numbers(lengths: Any) -> list[int] | None:
    if isinstance(lengths, torch.Tensor):
        return [int(n) for n in lengths.reshape(-1).tolist()] if lengths.device.type == "cpu" else None
    if isinstance(lengths, (tuple, list)) and all(isinstance(n, int) for n in lengths):
        return list(lengths)
    return None
