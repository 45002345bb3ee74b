"""TLL505."""

from __future__ import annotations

from collections.abc import Iterable

from torchlosslint.rule import LossUse, Problem, Rule


class BceUnderAutocast(Rule):
    """BCELoss inside autocast raises.

    What it does
        Finds a loss that autocast of an accelerator refuses (nn.BCELoss, F.binary_cross_entropy) called
        inside `torch.autocast` or `torch.cuda.amp.autocast`.

    Why it is bad
        torch raises a RuntimeError on the first batch on the accelerator: in half precision the log of a
        probability overflows. On the CPU autocast lets it pass, so the mistake waits for the GPU.

    Example
        Wrong::

            with torch.autocast("cuda"):
                loss = F.binary_cross_entropy(torch.sigmoid(scores), y)

        Right::

            with torch.autocast("cuda"):
                loss = F.binary_cross_entropy_with_logits(scores, y)

    When it is wrong to fix
        Never on an accelerator. A nested `autocast(enabled=False)` around the loss is seen, and fine.
    """

    code = "TLL505"
    name = "bce-under-autocast"
    severity = "error"

    def check_loss(self, use: LossUse) -> Iterable[Problem]:
        device = use.autocast
        if use.contract.autocast_safe or device is None or device.startswith(("cpu", "mps")):
            return
        where = f"autocast on {device}" if device else "autocast"
        elsewhere = "" if device else " on an accelerator"
        yield Problem(
            f"{use.name} is unsafe in half precision: inside {where} torch raises a RuntimeError{elsewhere}.",
            "Use BCEWithLogitsLoss on the raw scores, without the sigmoid; or compute this loss in float32 "
            "under autocast(enabled=False).",
            place=use.place,
        )
