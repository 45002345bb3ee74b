"""TLL116."""

from __future__ import annotations

from collections.abc import Iterable

from torchlosslint.flow.domain import PROBS
from torchlosslint.flow.values import Tensor
from torchlosslint.rule import Event, Problem, Rule


class LogOfSoftmax(Rule):
    """The log of a softmax or sigmoid, taken in two steps.

    What it does
        Looks at every log of a tensor that a softmax or sigmoid made, also through a variable, a clamp,
        an eps or a gather, and at log(1 - sigmoid(x)). The log of a mixture is left alone.

    Why it is bad
        The probability underflows to 0 for scores more than about 104 apart (float32; 17 in float16),
        and its log is -inf, its gradient nan. The one-step functions are exact there and cheaper; an
        eps or a clamp hides the nan and cuts the gradient.

    Example
        Wrong::

            log_p = torch.log(F.softmax(scores, dim=1) + 1e-8)
            log_p = torch.log(torch.sigmoid(x))
            log_q = torch.log(1 - torch.sigmoid(x))

        Right::

            log_p = F.log_softmax(scores, dim=1)
            log_p = F.logsigmoid(x)
            log_q = F.logsigmoid(-x)

    When it is wrong to fix
        The probabilities come from outside and their scores are not to be had.
    """

    code = "TLL116"
    name = "log-of-softmax"
    severity = "warning"

    def check_event(self, event: Event) -> Iterable[Problem]:
        tensor = event.value
        # Without a gradient (the costs of a matching, a report) there is none to lose.
        if event.kind != "log" or event.no_grad or not isinstance(tensor, Tensor):
            return
        dom = tensor.dom
        flags = dom.flags
        if "numpy" in flags:  # there is no gradient to lose and no one-step function
            return
        softmax = dom.kind == PROBS or "picked" in flags or (dom.base is not None and dom.base.kind == PROBS)
        if softmax and "complement" in flags:
            what = "1 - softmax(x)"
            instead = "the logsumexp of the other classes' scores minus that of all, which is exact"
        elif softmax:
            what, instead = "a softmax", "F.log_softmax(scores, dim=...), which is exact and cheaper"
        elif "complement" in flags:
            what, instead = "1 - sigmoid(x)", "F.logsigmoid(-x), which is exact and cheaper"
        else:
            what, instead = "a sigmoid", "F.logsigmoid(x), which is exact and cheaper"
        yield Problem(
            f"The log of {what} in two steps is -inf, with a nan gradient, once the probability underflows; "
            "an eps or clamp only hides it.",
            f"Write {instead}.",
            tensor=tensor,
        )
