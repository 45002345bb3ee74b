"""TOML files, and the lines of what stands in them."""

from __future__ import annotations

import re
import sys
from types import ModuleType
from typing import Any

from torchlosslint.config.errors import ConfigError

_PLACE = re.compile(r" \(at line (\d+), column \d+\)")
MAX_LINES = 5_000  # of a file in which the line of a mistake is looked for


def _toml() -> ModuleType:
    """The parser, which few runs need."""
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    return tomllib


def parse(text: str, path: str) -> dict[str, Any]:
    """A TOML document; a ConfigError that names the file and the line where it is none."""
    tomllib = _toml()
    try:
        loaded: dict[str, Any] = tomllib.loads(text)
        return loaded
    except tomllib.TOMLDecodeError as error:
        found = _PLACE.search(str(error))
        where = f"{path}:{found[1]}" if found is not None else path
        raise ConfigError(f"{where}: no valid TOML: {_PLACE.sub('', str(error))}") from None
    except RecursionError:
        raise ConfigError(f"{path}: no valid TOML: nested too deep") from None
    except ValueError:  # Python reads no number of thousands of digits
        raise ConfigError(f"{path}: no valid TOML: a number that is too long") from None


def value(text: str) -> Any:
    """The VALUE of `--config KEY=VALUE`: as TOML, or, where it is none, the text itself."""
    try:
        return _toml().loads(f"x = {text}")["x"]
    except (ValueError, RecursionError, KeyError):
        return text


def line_of(text: str, path: tuple[str, ...]) -> int:
    """The line (from 1) where what `path` leads to is written: keys, numbers (from 0) of what is in a
    list, then perhaps a string in a list.

    The parser tells no lines, so the shortest beginning of the file that has it is looked for.
    """
    lines = text.split("\n")[:MAX_LINES]
    for length in range(len(path), 0, -1):
        whole = 0  # lines that are complete statements
        for count in range(1, len(lines) + 1):
            try:
                found = _toml().loads("\n".join(lines[:count]))
            except (ValueError, RecursionError):
                continue
            if _has(found, path[:length]):
                start = whole
                while start < count - 1 and lines[start].lstrip()[:1] in ("", "#"):
                    start += 1
                for at in range(start, count) if length < len(path) else ():
                    if path[length] in lines[at]:  # an element of a list that goes over several lines
                        return at + 1
                return start + 1
            whole = count
    return 1


def _has(found: Any, path: tuple[str, ...]) -> bool:
    for part in path:
        if isinstance(found, list) and part.isdigit() and int(part) < len(found):
            found = found[int(part)]
        elif isinstance(found, dict) and part in found:
            found = found[part]
        else:
            return False
    return True
