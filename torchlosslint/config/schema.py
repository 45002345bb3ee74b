"""The JSON schema of a configuration file, made from the table of keys."""

from __future__ import annotations

from typing import Any

from torchlosslint.config import keys
from torchlosslint.config.keys import Key

SCHEMA = "https://json-schema.org/draft/2020-12/schema"


def schema() -> dict[str, Any]:
    """What a torchlosslint.toml, or `[tool.torchlosslint]` of a pyproject.toml, may hold."""
    return {
        "$schema": SCHEMA,
        "title": "torchlosslint",
        "description": "A torchlosslint.toml, or the table [tool.torchlosslint] of a pyproject.toml.",
        "type": "object",
        "properties": {key.name: _property(key) for key in keys.KEYS},
        "additionalProperties": False,
    }


def _property(key: Key) -> dict[str, Any]:
    out: dict[str, Any] = {"description": key.doc, **_TYPES[key.kind](key)}
    if key.default not in (None, "", {}) and key.kind != keys.TABLES:
        out["default"] = key.default
    return out


def _table(key: Key) -> dict[str, Any]:
    entry = {
        "type": "object",
        "properties": {field.name: _property(field) for field in key.fields},
        "required": [key.fields[0].name],
        "additionalProperties": False,
    }
    return {"type": "object", "patternProperties": {keys.DOTTED: entry}, "additionalProperties": False}


def _switch(key: Key) -> dict[str, Any]:
    setting = {"anyOf": [{"type": "boolean"}, {"type": "number"}, {"type": "string"}]}
    when = {
        "type": "object",
        "patternProperties": {keys.NAME: setting},
        "minProperties": 1,
        "additionalProperties": False,
    }
    entry = {
        "type": "object",
        "properties": {"when": when, "input": {"enum": list(key.choices)}},
        "required": ["when", "input"],
        "additionalProperties": False,
    }
    return {"type": "array", "items": entry}


_STRINGS = {"type": "array", "items": {"type": "string"}}
_RULES = {"anyOf": [{"type": "string"}, _STRINGS]}
_TYPES: dict[str, Any] = {
    keys.TEXT: lambda key: {"type": "string"},
    keys.FLAG: lambda key: {"type": "boolean"},
    keys.NUMBER: lambda key: {"type": "integer"},
    keys.CHOICE: lambda key: {"enum": list(key.choices)},
    keys.LIST: lambda key: _STRINGS,
    keys.SELECTORS: lambda key: _RULES,
    keys.VERSION: lambda key: {"type": "string", "pattern": f"^{keys.RELEASE}$"},
    keys.PER_FILE: lambda key: {"type": "object", "additionalProperties": _RULES},
    keys.SEVERITY: lambda key: {"type": "object", "additionalProperties": {"enum": list(key.choices)}},
    keys.TABLES: _table,
    keys.SWITCHES: _switch,
}
