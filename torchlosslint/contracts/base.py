"""The shape of a loss contract. Pure data: imports neither libcst nor torch."""

from __future__ import annotations

from dataclasses import dataclass

# What a loss wants of its input. The words are those of the domains of flow.domain.
LOGITS = "logits"  # unbounded scores: the loss applies softmax or sigmoid itself
LOG_PROBS = "log_probs"  # log_softmax applied already
UNIT = "unit"  # each number in [0, 1]
REAL = "real"  # any real number
RATE = "rate"  # see the loss's own switch (log_input)
UNIT_OR_PROBS = "unit_or_probs"  # numbers in [0, 1], summing to one over the classes or not
NON_NEGATIVE = "non_negative"  # no number below zero
ANY = "any"  # the user's own choice decides: nothing is claimed

# What a loss wants of its target.
CLASS_INDEX = "class_index"  # integers 0..C-1, without the class dimension
CLASS_INDEX_OR_PROBS = "class_index_or_probs"  # the same, or floats of the input's shape
FLOAT_UNIT = "float_unit"  # floats in [0, 1], of the input's shape
FLOAT_SAME = "float_same"  # floats of the input's shape
PROBS = "probs"  # a distribution, of the input's shape (log_target: its log)
SIGN = "sign"  # -1 or 1
SEQUENCE = "sequence"  # CTC label sequences
CLASS_LIST = "class_list"  # class indices padded with -1 (multilabel margin)
NO_TARGET = "none"  # there is no target argument

# What torch does about a mismatch.
RAISE = "raise"
WARN = "warn"
BROADCAST = "broadcast"  # no word: the result has the broadcast shape
PROMOTE = "promote"  # fine, by type promotion
RAISE_BACKWARD = "raise_backward"  # the loss comes out, backward() raises

GIVEN = "<given>"  # in a Switch: the parameter is there and not None


@dataclass(frozen=True, slots=True)
class Parameter:
    """A tensor-valued parameter of a loss.

    length: "classes" (1-D, one number a class), "broadcast" (against the input's shape) or
        "elements" (exactly the input's shape).
    module: False where only the function has it.
    """

    name: str
    length: str
    module: bool = True


@dataclass(frozen=True, slots=True)
class Switch:
    """Where all parameters of `when` have these values, the input must be `input`.

    The first switch that holds decides; where none does, the record's own `input`.
    """

    when: tuple[tuple[str, object], ...]
    input: str

    def holds(self, config: dict[str, object]) -> bool:
        """Whether it applies; `config` has every parameter, defaults included."""
        return all(
            name in config and (config[name] is not None if value == GIVEN else _same(config[name], value))
            for name, value in self.when
        )


def _same(left: object, right: object) -> bool:
    return type(left) is type(right) and left == right


@dataclass(frozen=True, slots=True)
class RawForm:
    """A compiled function of the same loss with its own parameter order.

    Its `reduction` is a number: 0 none, 1 mean, 2 sum. Tensor positions are those of the function.
    """

    name: str
    params: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LossContract:
    """What one loss expects. Shapes use N batch, C classes, * any further dimensions.

    module, function: qualified names ("torch.nn.CrossEntropyLoss", "torch.nn.functional.cross_entropy");
        "" where the loss has no such form. aliases: further names of the same objects.
    deprecated_names: old subclasses that are the same loss (torch.nn.NLLLoss2d).
    raw: compiled functions of the same loss, with an order of parameters of their own.
    module_params: of the constructor; forward_params: of a call of the instance.
    module_keyword_only, function_keyword_only: which of them cannot be positional.
    input_arg, target_arg, input_position, target_position: in the call of an instance, and of
        the function where function_* does not say otherwise ("" and None: the same).
    inputs: every argument of the call that a model may have made, input first.
    input, target: one of the words above. switches: where a parameter changes what input must be.
    target_switches: the same for the target.
    activation: what the loss applies itself: "softmax", "sigmoid" or "".
    class_dim: the dimension of the classes for inputs with a batch dimension, None where elementwise.
    raises_on_size: "raise", "warn" or "broadcast": what torch does for (N, 1) against (N,).
    on_broadcast: the same for (N, C) against (N, 1).
    integer_target, bool_target, double_target: "raise", "raise_backward" or "promote": what torch does with
        int64, bool, float64 targets where a float32 input wants floats; "" where classes are wanted.
    index_dtypes: dtypes of class indices that torch accepts for inputs (N, C); () where any (CTC).
    spatial_index_dtypes: the same for inputs (N, C, d1, ...); () where no such inputs.
    symmetric: swapping input and target gives the same number, and a gradient.
    symmetric_inputs: swapping the first two of `inputs` gives the same number.
    autocast_safe: may be called inside autocast of an accelerator.
    multi_class: it chooses one class among several for each position.
    parameters: the tensor-valued ones. owns_layer: it has the last linear layer itself.
    loss_attr: the attribute of the result that is the loss; "" where the result is the loss.
    defaults: of all parameters that have one, the deprecated left out (constructor and function agree).
    """

    key: str
    title: str
    module: str
    function: str
    input: str
    target: str
    doc: str
    module_params: tuple[str, ...] = ()
    function_params: tuple[str, ...] = ()
    forward_params: tuple[str, ...] = ("input", "target")
    module_keyword_only: tuple[str, ...] = ()
    function_keyword_only: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    deprecated_names: tuple[str, ...] = ()
    raw: tuple[RawForm, ...] = ()
    input_arg: str = "input"
    target_arg: str = "target"
    input_position: int = 0
    target_position: int = 1
    function_input_arg: str = ""
    function_target_arg: str = ""
    function_target_position: int | None = None
    inputs: tuple[str, ...] = ("input",)
    activation: str = ""
    class_dim: int | None = None
    raises_on_size: str = RAISE
    on_broadcast: str = RAISE
    integer_target: str = RAISE
    bool_target: str = RAISE
    double_target: str = PROMOTE
    index_dtypes: tuple[str, ...] = ()
    spatial_index_dtypes: tuple[str, ...] = ()
    symmetric: bool = False
    symmetric_inputs: bool = False
    autocast_safe: bool = True
    multi_class: bool = False
    owns_layer: bool = False
    loss_attr: str = ""
    parameters: tuple[Parameter, ...] = ()
    switches: tuple[Switch, ...] = ()
    target_switches: tuple[Switch, ...] = ()
    reductions: tuple[str, ...] = ("none", "mean", "sum")
    default_reduction: str = "mean"
    deprecated: tuple[str, ...] = ("size_average", "reduce")
    defaults: tuple[tuple[str, object], ...] = ()

    def params_of(self, name: str) -> tuple[str, ...]:
        """Parameter names, in order, of the function called by this qualified name."""
        return next((form.params for form in self.raw if form.name == name), self.function_params)

    def default(self, name: str) -> object:
        """The default of a parameter; None where it has none."""
        return dict(self.defaults).get(name)


def module_aliases(name: str) -> tuple[str, ...]:
    """The other names of the class torch.nn.<name>."""
    return (f"torch.nn.modules.{name}", f"torch.nn.modules.loss.{name}")


def doc_url(name: str) -> str:
    """The documentation page of a qualified torch name."""
    return f"https://docs.pytorch.org/docs/stable/generated/{name}.html"


def wanted(base: str, switches: tuple[Switch, ...], config: dict[str, object]) -> str:
    """The input word under these parameters: the first switch that holds, else `base`.

    `config` has every known parameter, defaults included. Where a parameter that is not in it
    would decide, the word that covers all candidates, "any" where there is none.
    """
    found: set[str] = set()
    for switch in switches:
        if switch.holds(config):
            return _cover(found | {switch.input})
        known = tuple((name, value) for name, value in switch.when if name in config)
        if len(known) < len(switch.when) and Switch(known, switch.input).holds(config):
            found.add(switch.input)
    return _cover(found | {base})


def _cover(words: set[str]) -> str:
    if len(words) == 1:
        return next(iter(words))
    return UNIT_OR_PROBS if words <= {UNIT, PROBS, UNIT_OR_PROBS} else ANY
