"""The shape of a record about a model factory. Pure data: imports neither libcst nor torch."""

from __future__ import annotations

from dataclasses import dataclass

from torchlosslint.contracts import base
from torchlosslint.contracts.base import Switch

# What a call of the model returns.
TENSOR = "tensor"
TUPLE = "tuple"  # a (named) tuple: by index, and by name where fields have one
DICT = "dict"  # by key
OBJECT = "object"  # by attribute, by key, and by index among the fields that are there
LOSSES = "losses"  # a dict of scalar losses
LIST = "list"  # any number of tensors: one field named "*"

ALWAYS = "always"
TRAINING = "training"  # only in training mode; in evaluation `otherwise`
LABELS = "labels"  # only where labels are passed


@dataclass(frozen=True, slots=True)
class OutputField:
    """One tensor of an output.

    name: its attribute or key, "" where it has none. index: its place in a tuple, counted with
    every field there. word: one of base's words for what its numbers are; bounds where bounded.
    """

    name: str
    index: int
    word: str
    when: str = ALWAYS
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Variant:
    """Where all these parameters have these values, the output is this instead."""

    when: tuple[tuple[str, object], ...]
    kind: str
    fields: tuple[OutputField, ...]

    def holds(self, config: dict[str, object]) -> bool:
        """Whether it applies; `config` has what the program sets (None: not set)."""
        full = {**dict.fromkeys(name for name, _ in self.when), **config}
        return Switch(self.when, "").holds(full)


@dataclass(frozen=True, slots=True)
class Architecture:
    """A family of model factories that return the same kind of thing.

    patterns: qualified names; a star stands for any letters within one dotted part.
    kind, fields: what a call of the model returns; when, otherwise: only in training, and what
        evaluation gives (empty: nothing that a loss may take).
    variants: where parameters of the factory change that. switches: where one changes the word of
        the first field (activation=).
    heads: attribute paths of the last layer, the likeliest first. features: how many numbers go
        into it, None where it depends. head_getter, head_setter: methods for it.
    class_dim: of the output. classes_param, classes: the parameter that sets C, and its default.
    params: of the factory, in order (the rest is by keyword); () where not known.
    except_names: parts of a name that a star must not take in.
    """

    patterns: tuple[str, ...]
    kind: str
    fields: tuple[OutputField, ...]
    when: str = ALWAYS
    otherwise: tuple[OutputField, ...] = ()
    variants: tuple[Variant, ...] = ()
    switches: tuple[Switch, ...] = ()
    params: tuple[str, ...] = ()
    heads: tuple[str, ...] = ()
    features: int | None = None
    head_getter: str = ""
    head_setter: str = ""
    class_dim: int | None = 1
    classes_param: str = ""
    classes: int | None = None
    except_names: frozenset[str] = frozenset()

    def returns(self, config: dict[str, object]) -> tuple[str, tuple[OutputField, ...]]:
        """Kind and fields under these parameters of the factory.

        config: what the program sets; a parameter set to something unknown is mapped to Ellipsis.
        A word becomes "any" where an unknown parameter decides.
        """
        for variant in self.variants:
            if variant.holds(config):
                kind, fields = variant.kind, variant.fields
                break
        else:
            kind, fields = self.kind, self.fields
        if not self.switches or not fields:
            return kind, fields
        full = {**dict.fromkeys(name for s in self.switches for name, _ in s.when), **config}
        known = {key: value for key, value in full.items() if value is not ...}
        first = fields[0]
        word = base.wanted(first.word, self.switches, known)
        return kind, (OutputField(first.name, first.index, word, first.when), *fields[1:])
