"""The keys of a configuration file: what they mean, and which values they take.

Documentation, the JSON schema and the checks are all made from this table.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from torchlosslint.config.errors import did_you_mean
from torchlosslint.contracts.declared import INPUTS, OUTPUTS
from torchlosslint.finding import CONFIDENCES

SEVERITIES = ("error", "warning", "note")
# The kinds of values.
TEXT, FLAG, CHOICE, LIST, SELECTORS, VERSION, NUMBER = (
    "text flag choice list selectors version number".split()
)
PER_FILE, SEVERITY, TABLES, SWITCHES = "per-file severity tables switches".split()


@dataclass(frozen=True, slots=True)
class Key:
    """One key. `fields`: the keys of each table below it, where kind is TABLES; the first is required."""

    name: str
    kind: str
    doc: str
    choices: tuple[str, ...] = ()
    default: Any = None
    fields: tuple[Key, ...] = ()


KEYS: tuple[Key, ...] = (
    Key("extend", TEXT, "Another configuration file to start from; this file's keys win.", default=""),
    Key(
        "select",
        SELECTORS,
        "Rules to report: codes, prefixes (TLL1), names, ALL. Without it, every rule that is on by default.",
        default=[],
    ),
    Key("extend-select", SELECTORS, "Rules to report besides.", default=[]),
    Key("ignore", SELECTORS, "Rules not to report. The more specific selector wins.", default=[]),
    Key(
        "per-file-ignores",
        PER_FILE,
        "Patterns of files (as in .gitignore), each with the rules not to report there.",
        default={},
    ),
    Key("severity", SEVERITY, "Rules, each with the severity of its findings.", SEVERITIES, default={}),
    Key("confidence", CHOICE, "Report findings at least this sure.", CONFIDENCES, default="likely"),
    Key(
        "fail-on", CHOICE, "The least severity that makes the exit status 1.", ("error", "warning"), "warning"
    ),
    Key("exclude", LIST, "Patterns (as in .gitignore) of files and folders to leave out.", default=[]),
    Key("force-exclude", FLAG, "Leave them out although they are named one by one.", default=False),
    Key("respect-gitignore", FLAG, "In a git repository, leave out what git ignores.", default=True),
    Key(
        "src",
        LIST,
        "Folders in which absolute imports are looked up, relative to this file.",
        default=[".", "src"],
    ),
    Key(
        "torch",
        VERSION,
        "The version of torch that the code runs on, as `2.4`. Without it, a new one.",
    ),
    Key("require-reason", FLAG, "Suppressions that give no reason hide nothing.", default=False),
    Key("baseline", TEXT, "A file of known findings that are not reported again.", default=""),
    Key(
        "losses",
        TABLES,
        "Losses of your own, by dotted name, and what they want.",
        fields=(
            Key("input", CHOICE, "What the input must be.", tuple(INPUTS)),
            Key("arguments", LIST, "The arguments of a call, in order; its own parameters.", default=[]),
            Key("argument", TEXT, "The argument that is the input; the first.", default=""),
            Key(
                "switches",
                SWITCHES,
                "Settings of the loss under which it wants something else; the first that holds decides.",
                tuple(INPUTS),
                default=[],
            ),
            Key(
                "parameters",
                LIST,
                "The parameters of the constructor, in order; its own.",
                default=[],
            ),
        ),
        default={},
    ),
    Key(
        "models",
        TABLES,
        "Models (classes, or functions that build one), by dotted name, and what they give.",
        fields=(
            Key("output", CHOICE, "What a call of the model gives.", tuple(OUTPUTS)),
            Key("dim", NUMBER, "The dimension over which probabilities sum to one."),
        ),
        default={},
    ),
    Key(
        "activations",
        TABLES,
        "Activations (functions or layers), by dotted name, and what they give.",
        fields=(
            Key("output", CHOICE, "What the activation gives.", tuple(OUTPUTS)),
            Key("dim", NUMBER, "The dimension over which probabilities sum to one."),
        ),
        default={},
    ),
)
NAME = r"^[^\W\d]\w*$"  # of a parameter
DOTTED = r"^[^\W\d]\w*(\.[^\W\d]\w*)+$"  # package.Name
RELEASE = r"([0-9]+)\.([0-9]+)(?:[.+]\S*)?"  # 2.4, 2.4.1, 2.4.0+cu118
_WHEN, _INPUT = "when", "input"  # the keys of a switch
BY_NAME = {key.name: key for key in KEYS}


class Bad(Exception):
    """A key or value that will not do: where it is (keys, then perhaps an element), and what is wrong."""

    def __init__(self, path: tuple[str, ...], message: str) -> None:
        super().__init__(message)
        self.path = path
        self.message = message


class Missing(Bad):
    """A key that has to be there is not, or not yet."""


def check(table: dict[str, Any]) -> None:
    """Raises Bad for the first key or value that will not do."""
    for name, value in table.items():
        key = BY_NAME.get(name)
        if key is None:
            raise Bad((name,), _unknown("key", name, BY_NAME))
        _check(key, value, (name,))


def _check(key: Key, value: Any, path: tuple[str, ...]) -> None:
    if key.kind == FLAG and not isinstance(value, bool):
        raise Bad(path, f"{_shown(path)} is true or false, not {value!r}")
    if key.kind == NUMBER and (not isinstance(value, int) or isinstance(value, bool)):
        raise Bad(path, f"{_shown(path)} is a whole number, not {value!r}")
    if key.kind == TEXT and not isinstance(value, str):
        raise Bad(path, f"{_shown(path)} is a string, not {value!r}")
    if key.kind == CHOICE:
        _choice(value, key.choices, path)
    elif key.kind == VERSION and not (isinstance(value, str) and version(value)):
        raise Bad(path, f'{_shown(path)} is a version in quotes, such as "2.4", not {value!r}')
    elif key.kind == LIST:
        if not isinstance(value, list):
            raise Bad(path, f"{_shown(path)} is a list of strings, not {value!r}")
        _strings(value, path)
    elif key.kind == SELECTORS:
        _selectors(value, path)
    elif key.kind == SWITCHES:
        _switches(key, value, path)
    elif key.kind in (PER_FILE, SEVERITY, TABLES):
        if not isinstance(value, dict):
            raise Bad(path, f"{_shown(path)} is a table, not {value!r}")
        for name, inner in value.items():
            _entry(key, inner, (*path, name))


def _entry(key: Key, value: Any, path: tuple[str, ...]) -> None:
    """One entry of a key that is a table."""
    if key.kind == PER_FILE:
        if path[-1].startswith("!"):
            raise Bad(path, f"a pattern of {path[-2]} cannot start with '!'")
        _selectors(value, path)
        return
    if key.kind == SEVERITY:
        _choice(value, key.choices, path)
        return
    if not re.fullmatch(DOTTED, path[-1]):
        quoted = f'[tool.torchlosslint.{key.name}."package.Name"]'
        raise Bad(path, f"{path[-1]!r} is no dotted name; write {quoted}, with the quotes")
    if not isinstance(value, dict):
        raise Bad(path, f"{_shown(path)} is a table, not {value!r}")
    fields = {field.name: field for field in key.fields}
    for name, inner in value.items():
        if name not in fields:
            raise Bad((*path, name), _unknown("key", name, fields))
        _check(fields[name], inner, (*path, name))
    if key.fields[0].name not in value:
        raise Missing(path, f"{_shown(path)} does not say {key.fields[0].name!r}")
    if "arguments" in value and value.get("argument", "") not in ("", *value["arguments"]):
        raise Bad((*path, "argument"), f"{value['argument']!r} is none of the arguments")


def _switches(key: Key, value: Any, path: tuple[str, ...]) -> None:
    """The settings under which a loss wants something else."""
    such = f'{{when = {{from_logits = false}}, {_INPUT} = "probabilities"}}'
    if not isinstance(value, list):
        raise Bad(path, f"{_shown(path)} is a list of tables such as {such}, not {value!r}")
    for number, entry in enumerate(value):
        at = (*path, str(number))
        if not isinstance(entry, dict):
            raise Bad(at, f"{_shown(path)} has something else than tables such as {such} in it: {entry!r}")
        for name in entry:
            if name not in (_WHEN, _INPUT):
                raise Bad((*at, name), _unknown("key", name, (_WHEN, _INPUT)))
        for name in (_WHEN, _INPUT):
            if name not in entry:
                raise Bad(at, f"an entry of {_shown(path)} does not say {name!r}: write {such}")
        when = entry[_WHEN]
        if not isinstance(when, dict) or not when:
            raise Bad((*at, _WHEN), f"{_shown(path)}: {_WHEN} is a table such as {such}, not {when!r}")
        for name, setting in when.items():
            if not re.fullmatch(NAME, name):
                raise Bad((*at, _WHEN, name), f"{name!r} is no name of a parameter")
            if not isinstance(setting, (bool, int, float, str)):
                wants = "true, false, a number or a string"
                raise Bad((*at, _WHEN, name), f"{_shown((*path, _WHEN, name))} is {wants}, not {setting!r}")
        _choice(entry[_INPUT], key.choices, (*at, _INPUT), _shown((*path, _INPUT)))


def _choice(value: Any, choices: tuple[str, ...], path: tuple[str, ...], shown: str = "") -> None:
    if not isinstance(value, str) or value not in choices:
        hint = did_you_mean(str(value), choices, "it is one of " + ", ".join(choices))
        raise Bad((*path, str(value)), f"{shown or _shown(path)} cannot be {value!r}; {hint}")


def _selectors(value: Any, path: tuple[str, ...]) -> None:
    if not isinstance(value, (str, list)):
        raise Bad(path, f"{_shown(path)} is a list of rules, not {value!r}")
    _strings(value if isinstance(value, list) else [value], path)


def _strings(value: list[Any], path: tuple[str, ...]) -> None:
    for each in value:
        if not isinstance(each, str):
            raise Bad((*path, str(each)), f"{_shown(path)} has something else than strings in it: {each!r}")


def version(text: str) -> tuple[int, int] | None:
    """`2.4`, `2.4.1`, `2.4.0+cu118` as (2, 4)."""
    found = re.fullmatch(RELEASE, text)
    return (int(found[1]), int(found[2])) if found is not None else None


def listed(value: Any) -> tuple[str, ...]:
    """A string or a list of strings as a tuple."""
    return (value,) if isinstance(value, str) else tuple(value)


def _unknown(kind: str, name: str, choices: Iterable[str]) -> str:
    choices = list(choices)
    return f"unknown {kind} {name!r}; {did_you_mean(name, choices, 'known are ' + ', '.join(choices))}"


def _shown(path: tuple[str, ...]) -> str:
    return ".".join(part if re.fullmatch(r"[\w-]+", part) else f'"{part}"' for part in path)
