"""Findings that are known and not reported again: how many of each rule a file has.

Counts and no lines, so that code that moves is no news. Where a file has more findings of a rule
than the baseline knows, all of them are reported: nobody can tell which is the new one.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from torchlosslint.config import ConfigError
from torchlosslint.finding import Finding
from torchlosslint.sources.write import write_atomically

VERSION = 1
_HINT = "write it anew with --write-baseline"


@dataclass(slots=True)
class Baseline:
    """counts: by path (as findings name it) and code. lines: where the entries stand in the file."""

    path: str
    counts: dict[tuple[str, str], int] = field(default_factory=dict)
    lines: dict[tuple[str, str], int] = field(default_factory=dict)


def load(path: str) -> Baseline:
    """Read a baseline; ConfigError where it is none."""
    try:
        with open(path, "rb") as file:
            text = file.read().decode("utf-8-sig")
        data = json.loads(text)
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such baseline; write one with --write-baseline") from None
    except OSError as error:
        raise ConfigError(f"{path}: the baseline cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: the baseline is not UTF-8; {_HINT}") from None
    except (ValueError, RecursionError) as error:
        line = f":{error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise ConfigError(f"{path}{line}: the baseline is no valid JSON; {_HINT}") from None
    out = Baseline(path)
    folder = os.path.dirname(os.path.abspath(path))
    for file_path, code, count in _entries(data, path):
        key = (_key(os.path.join(folder, file_path)), code)
        out.counts[key] = count
        out.lines[key] = _line(text, file_path, code)
    return out


def _entries(data: Any, path: str) -> Iterable[tuple[str, str, int]]:
    if not isinstance(data, dict) or not isinstance(data.get("files"), dict):
        raise ConfigError(f"{path}: this is no baseline of torchlosslint; {_HINT}")
    if data.get("version") != VERSION:
        said = f"it is of version {data.get('version')!r}, and {VERSION} is wanted"
        raise ConfigError(f"{path}: the baseline cannot be read: {said}; {_HINT}")
    for file_path, codes in data["files"].items():
        if not isinstance(codes, dict):
            raise ConfigError(f"{path}: {file_path!r} should have the counts of rules; {_HINT}")
        for code, count in codes.items():
            if not isinstance(count, int) or isinstance(count, bool) or count < 1:
                raise ConfigError(f"{path}: {file_path!r}, {code}: {count!r} is no count; {_HINT}")
            yield file_path, code, count


def write(path: str, findings: Iterable[Finding]) -> int:
    """Write the findings as a baseline; how many they are. Raises OSError."""
    folder = os.path.dirname(os.path.abspath(path))
    counts = Counter((_relative(f.location.path, folder), f.code) for f in findings)
    files: dict[str, dict[str, int]] = {}
    for (file_path, code), count in sorted(counts.items()):
        files.setdefault(file_path, {})[code] = count
    text = json.dumps({"version": VERSION, "files": files}, indent=2) + "\n"
    write_atomically(path, text.encode())
    return sum(counts.values())


def key_of(finding: Finding) -> tuple[str, str]:
    """What a baseline knows of a finding."""
    return _key(finding.location.path), finding.code


def _key(path: str) -> str:
    return os.path.abspath(path).replace(os.sep, "/")


def _relative(path: str, folder: str) -> str:
    try:
        return os.path.relpath(os.path.abspath(path), folder).replace(os.sep, "/")
    except ValueError:  # another drive
        return _key(path)


def _line(text: str, file_path: str, code: str) -> int:
    """The line of an entry, as `write` lays them out; 1 where it was laid out otherwise."""
    at = text.find(json.dumps(file_path) + ":")
    found = re.compile(re.escape(json.dumps(code)) + r"\s*:").search(text, max(at, 0))
    return text.count("\n", 0, found.start()) + 1 if found is not None else 1
