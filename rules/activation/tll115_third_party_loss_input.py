"""TLL115."""

from __future__ import annotations

from collections.abc import Iterable

from torchlosslint.contracts import base as words
from torchlosslint.contracts.distributions import by_name as distribution
from torchlosslint.contracts.external import EXTERNAL, ExternalLoss
from torchlosslint.contracts.third_party import by_name as foreign
from torchlosslint.contracts.versions import CHECKED_DISTRIBUTIONS, before
from torchlosslint.flow.domain import BOUNDED, LOGPROBS, LOGUNIT, POSITIVE, PROBS, SCORES, UNIT
from torchlosslint.flow.values import Const, Tensor
from torchlosslint.rule import Event, LossUse, Problem, Rule

from .common import named

_IN_RANGE = (words.UNIT, words.PROBS, words.UNIT_OR_PROBS)
# Parameters by which these libraries are told whether to apply an activation.
_SWITCHES = ("sigmoid", "softmax", "from_logits", "activation", "log_prob")


class ThirdPartyLossInput(Rule):
    """A focal, dice or other loss of a known library, or a declared one, gets the wrong kind of input.

    What it does
        Knows the losses of torchvision, segmentation-models-pytorch, MONAI, kornia, timm,
        pytorch-toolbelt and torchmetrics, and the switches that tell them to apply an activation
        (from_logits=, sigmoid=, softmax=, activation=); likewise torch.distributions' `logits=` and
        `probs=`. Losses of your own count where the configuration declares what they want. Follows
        their input and compares.

    Why it is bad
        A second sigmoid maps everything to [0.5, 0.73], a second softmax flattens the classes: the
        model cannot become certain. Raw scores in place of probabilities make overlaps that are
        negative or larger than the masks. Categorical(logits=probabilities) samples almost evenly.

    Example
        Wrong::

            loss = sigmoid_focal_loss(torch.sigmoid(self.head(x)), y)
            loss = DiceLoss(to_onehot_y=True)(self.net(x), y)             # MONAI, raw scores
            policy = Categorical(logits=F.softmax(self.actor(state), dim=-1))

        Right::

            loss = sigmoid_focal_loss(self.head(x), y)
            loss = DiceLoss(to_onehot_y=True, softmax=True)(self.net(x), y)
            policy = Categorical(logits=self.actor(state))

    When it is wrong to fix
        Never; where a loss has both ways, choose the one that applies the activation itself.
    """

    code = "TLL115"
    name = "third-party-loss-input"
    severity = "error"

    def check_loss(self, use: LossUse) -> Iterable[Problem]:
        tensor = use.input
        if use.contract.key != EXTERNAL or not isinstance(tensor, Tensor) or tensor.role == "loss":
            return
        record = use.declared or foreign(use.contract.module or use.contract.function)
        if record is None:
            return
        config = settings(use, record)
        wanted, told = record.input_under(config), _switched(record, config)
        other_way, let_it = _other_way(record, config), _let_it(record)
        if use.declared is not None:
            told, other_way, let_it = _declared(record, config), "", ""
        off = bool(record.one_of) and all(
            config.get(name, default) in (False, None) for name, default in _on(record)
        )
        if off and tensor.dom.kind in (SCORES, PROBS, UNIT):
            whole = "raw scores" if tensor.dom.kind == SCORES else f"probabilities from {tensor.dom.how}"
            yield Problem(
                f"{use.name} adds a term that applies the activation itself to one that does not unless it "
                f"is told to, and gets {whole}: that is wrong for one of the two.",
                "Give it the raw scores and say softmax=True (or sigmoid=True).",
            )
        elif wanted == words.LOGITS and tensor.dom.kind in (PROBS, UNIT) and tensor.dom.how:
            yield Problem(
                f"{use.name} applies the activation itself{told}, and gets probabilities from "
                f"{tensor.dom.how}: it counts twice, and the model cannot become certain.",
                f"Give it the raw scores{other_way}.",
            )
        elif wanted in _IN_RANGE or wanted == words.NON_NEGATIVE:
            wrong = out_of_range(tensor, wanted)
            if wrong:
                yield Problem(
                    f"{use.name} takes its input as probabilities{told}, and gets {wrong}: what it computes "
                    "of them (overlaps, logs) means nothing.",
                    f"Apply softmax or sigmoid before it{let_it}.",
                )
        elif wanted == words.LOG_PROBS and tensor.dom.kind in (SCORES, PROBS, UNIT) and tensor.dom.how != "":
            yield Problem(
                f"{use.name} wants log-probabilities{told}, and gets "
                f"{'raw scores' if tensor.dom.kind == SCORES else 'probabilities'}.",
                "Give it log_softmax of the scores.",
            )

    def check_event(self, event: Event) -> Iterable[Problem]:
        tensor = event.value
        if event.kind != "distribution" or not isinstance(tensor, Tensor) or tensor.role == "loss":
            return
        name, parameter = (_text(event.data.get(key)) for key in ("name", "parameter"))
        record = distribution(f"torch.distributions.{name}")
        if record is None:
            return
        if parameter == "logits":
            if tensor.dom.kind in (PROBS, UNIT) and tensor.dom.how:
                yield Problem(
                    f"{name}(logits=...) applies the activation itself, and gets probabilities from "
                    f"{tensor.dom.how}: it counts twice, and even a certain model samples almost evenly.",
                    f"Say {name}(probs=...), or give it the raw scores.",
                    tensor=tensor,
                )
            return
        wrong = out_of_range(tensor, words.NON_NEGATIVE if record.probs == words.PROBS else words.UNIT)
        if wrong:
            then = "torch raises ValueError where a number is out of range, and divides wrongly where none is"
            if before(event.torch, CHECKED_DISTRIBUTIONS):
                then = "torch divides by their sum, whatever they are"
            yield Problem(
                f"{name} takes its argument `probs` as probabilities, and gets {wrong}: {then}.",
                f"Say {name}(logits=...), or apply the activation first.",
                tensor=tensor,
            )


def settings(use: LossUse, record: ExternalLoss) -> dict[str, object]:
    """The parameters that the program sets; Ellipsis where the value is not known."""
    config: dict[str, object] = {}
    for name, value in use.config.items():
        if name in record.params:
            config[name] = value.value if isinstance(value, Const) else ...
    if "**" in use.config:
        for name in record.params:
            config.setdefault(name, ...)
    return config


def out_of_range(tensor: Tensor, wanted: str) -> str:
    """Why the numbers are no probabilities, in words; "" where they may be."""
    dom = tensor.dom
    if dom.kind == SCORES:
        return "raw scores"
    if dom.kind in (LOGPROBS, LOGUNIT):
        return f"log-probabilities from {dom.how or 'a log'}"
    if dom.kind == BOUNDED and ((dom.low or 0) < 0 or ((dom.high or 0) > 1 and wanted != words.NON_NEGATIVE)):
        return named(dom)
    return named(dom) if dom.kind == POSITIVE and wanted != words.NON_NEGATIVE else ""


def _on(record: ExternalLoss) -> list[tuple[str, object]]:
    return [(name, dict(record.defaults).get(name)) for name in record.one_of]


def _switched(record: ExternalLoss, config: dict[str, object]) -> str:
    """` (softmax=True)`: the settings that say so."""
    full = {**dict(record.defaults), **config}
    names = [n for n in _SWITCHES if n in full and full[n] is not ... and (n in config or full[n])]
    told = [n for n in names if full[n] or n in ("from_logits", "log_prob")]
    return f" ({', '.join(f'{n}={full[n]!r}' for n in told)})" if told else ""


def _declared(record: ExternalLoss, config: dict[str, object]) -> str:
    """` (raw=True: so the configuration declares)`: the settings that its switches look at."""
    full = {**dict(record.defaults), **config}
    told = ", ".join(f"{name}={full[name]!r}" for name in record.params if full[name] not in (None, ...))
    return f" ({told}: so the configuration declares)" if told else " (so the configuration declares)"


def _other_way(record: ExternalLoss, config: dict[str, object]) -> str:
    if "from_logits" in record.params and record.switches:
        return ", or say from_logits=False"
    names = [n for n in ("sigmoid", "softmax", "activation") if config.get(n) not in (None, False, ...)]
    return f", or leave {names[-1]}= out" if names and record.switches and not record.one_of else ""


def _let_it(record: ExternalLoss) -> str:
    if not record.switches:
        return ""
    if "from_logits" in record.params:
        return ", or leave from_logits at True"
    return ", or let it do so: softmax=True or sigmoid=True" if "softmax" in record.params else ""


def _text(value: object) -> str:
    return str(value.value) if isinstance(value, Const) else ""
