"""TLL002."""

from __future__ import annotations

from torchlosslint.rule import Rule


class UnusedSuppression(Rule):
    """A suppression comment or an entry of the baseline hides nothing.

    What it does
        Reports `# noqa: TLL101` and `# torchlosslint: ignore[TLL101]` where no such finding is, codes
        that no rule has, comments of this form that cannot be understood, and entries of the baseline
        for which there are fewer findings than it says. Only rules that are selected are asked about,
        and only files that were found in a folder: of a file that is named alone it is not known what
        others do with it. A bare `# noqa` is never reported.

    Why it is bad
        A suppression that hides nothing today hides the next bug in that line. One with a slip of the
        pen hides nothing although somebody relies on it.

    Example
        Wrong::

            loss = criterion(logits, y)  # torchlosslint: ignore[TLL101] the softmax went last year

        Right::

            loss = criterion(logits, y)

    When it is wrong to fix
        Never: remove the comment, or write the baseline anew with --write-baseline.
    """

    code = "TLL002"
    name = "unused-suppression"
    severity = "warning"
