"""TLL111."""

from __future__ import annotations

from collections.abc import Iterable

from torchlosslint.contracts.versions import LOG_TARGET, before
from torchlosslint.flow.domain import LOGPROBS, LOGUNIT, NUMBER, SCORES
from torchlosslint.flow.values import Tensor
from torchlosslint.rule import LossUse, Problem, Rule

from .common import not_log, setting


class KlDivInput(Rule):
    """KLDivLoss gets something else than log-probabilities, or the wrong kind of target.

    What it does
        Follows both arguments of KLDivLoss / F.kl_div. The input has to be log-probabilities. The
        target has to be probabilities, or log-probabilities where log_target=True is given.

    Why it is bad
        kl_div computes target * (log(target) - input). On probabilities or raw scores that is no
        divergence: it falls below zero and is not smallest where the two agree, so training drifts.
        Log-probabilities or raw scores as a plain target make the loss NaN: the log of a negative number.

    Example
        Wrong::

            loss = F.kl_div(F.softmax(student, dim=1), F.softmax(teacher, dim=1))
            loss = F.kl_div(F.log_softmax(student, dim=1), F.log_softmax(teacher, dim=1))

        Right::

            loss = F.kl_div(F.log_softmax(student, dim=1), F.softmax(teacher, dim=1), reduction="batchmean")
            loss = F.kl_div(student_logp, teacher_logp, log_target=True, reduction="batchmean")

    When it is wrong to fix
        Never; which of the two distributions stands first is your choice, and not looked at.
    """

    code = "TLL111"
    name = "kl-div-input"
    severity = "error"

    def check_loss(self, use: LossUse) -> Iterable[Problem]:
        if use.contract.key != "kl_div":
            return
        log_target = setting(use, "log_target")
        given, target = use.input, use.target
        first = not_log(given) if isinstance(given, Tensor) else ""
        second = _wrong_target(target, log_target) if isinstance(target, Tensor) else ""
        logs = isinstance(target, Tensor) and target.dom.kind in (LOGPROBS, LOGUNIT)
        if first and second and logs:
            yield Problem(
                f"{use.name} takes log-probabilities first and probabilities second, and gets {first} "
                "and then log-probabilities: the loss is NaN.",
                "Swap the two arguments.",
            )
        elif first and _constant(given) and isinstance(target, Tensor) and target.role == "model":
            yield Problem(
                f"{use.name} takes log-probabilities first, and gets {first}, then what the model gave: they "
                "are swapped, and the result is no divergence.",
                "Give it the log of what the model gave first, and the constant second.",
            )
        elif first:
            yield Problem(
                f"{use.name} wants log-probabilities, and gets {first}: the result is no divergence, "
                "may fall below zero and is not smallest where the two distributions agree.",
                "Give it log_softmax of the scores, or the log of the probabilities.",
            )
        elif second and isinstance(target, Tensor):
            if log_target:
                wanted, fix = "log-probabilities", "Give it the log of the target, or leave log_target out."
            elif logs:
                wanted, fix = "probabilities", "Give it the probabilities."
                if not before(use.torch, LOG_TARGET):
                    fix = "Say log_target=True, or give it the probabilities."
            else:
                wanted, fix = "probabilities", "Give it softmax of the target's scores."
            harm = "the result is no divergence" if log_target else "the log of a negative number is NaN"
            yield Problem(
                f"{use.name} wants {wanted} as its target{' (log_target=True)' if log_target else ''}, "
                f"and gets {second}: {harm}.",
                fix,
                tensor=target,
            )


def _constant(value: object) -> bool:
    """One known number everywhere: nobody's prediction."""
    return isinstance(value, Tensor) and value.dom.kind == NUMBER


def _wrong_target(target: Tensor, log_target: object) -> str:
    if log_target is True:
        return not_log(target)
    if log_target is not False or target.role == "loss":
        return ""
    if target.dom.kind == SCORES:
        return "raw scores"
    return "log-probabilities" if target.dom.kind in (LOGPROBS, LOGUNIT) else ""
