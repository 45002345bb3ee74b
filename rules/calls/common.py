"""What the rules of this family share."""

from __future__ import annotations

from torchlosslint.flow.values import Step, Tensor, Value


def loss_step(value: Value) -> Step | None:
    """The step at which the loss was computed: what a finding about a loss, not its input, begins with."""
    trail = value.trail if isinstance(value, Tensor) else None
    return next((s for s in trail or () if s.dom is not None and s.dom.how == "loss"), None)
