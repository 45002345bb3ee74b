"""What only the runtime guard sees, in the words of a rule: for `explain`. The linter has no such rules,
so they cannot be selected."""

from __future__ import annotations

from torchlosslint.rule import Rule


class NonFiniteValues(Rule):
    """NaN or inf in the input or the target of a loss.

    What it does
        Counts NaN and inf in the tensors of a loss call, at the calls that the guard checks: the first
        three of each place, then ever fewer. Found while the program runs, by torchlosslint.runtime.

    Why it is bad
        One NaN makes the mean NaN, its gradient makes every weight NaN, and from the next step on the
        model gives nothing else. torch says nothing.

    Example
        Wrong::

            ratio = clicks / views          # views may be 0
            loss = F.mse_loss(model(x), ratio)

        Right::

            ratio = clicks / views.clamp(min=1)
            loss = F.mse_loss(model(x), ratio)

    When it is wrong to fix
        -inf in scores, which masks a class out, is not counted. A batch that is skipped afterwards
        because its loss is not finite does no harm.
    """

    code, name, severity = "TLL701", "non-finite-values", "error"


class EveryTargetIgnored(Rule):
    """Every target of a batch is ignore_index: the mean of no losses is NaN.

    What it does
        Counts the targets that are not ignore_index (-100 unless given). Found while the program runs,
        by torchlosslint.runtime.

    Why it is bad
        With reduction="mean" cross_entropy and nll_loss divide by the weights of the targets that count:
        0 / 0 is NaN, and after one step so is every weight.

    Example
        Wrong::

            loss = F.cross_entropy(scores, labels, ignore_index=0)     # a batch of padding alone

        Right::

            if (labels != 0).any():
                loss = F.cross_entropy(scores, labels, ignore_index=0)

    When it is wrong to fix
        With reduction="sum" the loss of such a batch is 0, which is right.
    """

    code, name, severity = "TLL702", "every-target-ignored", "warning"


class CtcLengths(Rule):
    """Lengths of a CTC loss that do not fit its tensors.

    What it does
        Compares input_lengths with the time steps of the input (T, N, C), target_lengths with the labels,
        and both with each other. Found while the program runs, by torchlosslint.runtime.

    Why it is bad
        A sample with more labels than time steps has no alignment: its loss is inf, or 0 with
        zero_infinity=True, so it is never learned. Lengths from before the network's pooling raise, or
        read steps that belong to nobody.

    Example
        Wrong::

            log_probs = model(spectrogram).log_softmax(-1)             # T is a quarter of the frames
            loss = F.ctc_loss(log_probs, labels, frames, label_lengths)

        Right::

            log_probs = model(spectrogram).log_softmax(-1)
            loss = F.ctc_loss(log_probs, labels, frames // 4, label_lengths)

    When it is wrong to fix
        A few samples with more labels than steps, which zero_infinity=True leaves out on purpose.
    """

    code, name, severity = "TLL703", "ctc-lengths", "error"


class NegativeLoss(Rule):
    """A loss below zero that cannot be, where input, target and weights are right.

    What it does
        Looks at the result of losses that are never negative (cross-entropy, BCE, the margin losses,
        the distances, CTC) where no other check saw the reason, as with tensor subclasses, whose numbers
        are not read. Found while the program runs, by torchlosslint.runtime.

    Why it is bad
        Something that goes in has the wrong range: BCE with targets of 2 or 255 falls without end, and
        so does a cross-entropy with a negative weight. The number gets better while the model gets worse.

    Example
        Wrong::

            loss = F.binary_cross_entropy_with_logits(scores, mask)     # a subclass that holds 0 and 255

        Right::

            loss = F.binary_cross_entropy_with_logits(scores, mask / 255)

    When it is wrong to fix
        A reward that is subtracted on purpose, with a negative weight that is meant.
    """

    code, name, severity = "TLL704", "negative-loss", "error"


class DeviceMismatch(Rule):
    """The target of a loss lies on another device than its input.

    What it does
        Compares the devices of input and target. Found while the program runs, by torchlosslint.runtime,
        before torch raises; weights on the wrong device are TLL403.

    Why it is bad
        torch raises, and does not say which argument it was.

    Example
        Wrong::

            loss = criterion(model(x.to(device)), y)

        Right::

            loss = criterion(model(x.to(device)), y.to(device))

    When it is wrong to fix
        Never: torch raises.
    """

    code, name, severity = "TLL705", "device-mismatch", "error"


def of_the_guard() -> list[Rule]:
    """Its own codes, in order."""
    return [NonFiniteValues(), EveryTargetIgnored(), CtcLengths(), NegativeLoss(), DeviceMismatch()]
