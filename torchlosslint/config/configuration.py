"""From the files that are there, and from flags, to the settings of each linted file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from torchlosslint.config import keys, toml
from torchlosslint.config.errors import ConfigError
from torchlosslint.config.selection import RuleLike, Selection, matching, selection, severities
from torchlosslint.config.settings import Patterns, Settings
from torchlosslint.contracts.base import Switch
from torchlosslint.contracts.declared import Declared, DeclaredLoss, DeclaredOutput
from torchlosslint.finding import Severity
from torchlosslint.patterns import refused

OWN = "torchlosslint.toml"
SHARED = "pyproject.toml"
# Keys whose parts add up where a file extends another; any other key of the extending file wins.
_ADDED = ("extend-select", "per-file-ignores", "severity", "losses", "models", "activations")


class Configuration:
    """What files and flags say, for any folder.

    flags: keys and values as in a file, which win over every file. settings: what no key says (the
    format of the report). rules: against which selectors are checked. isolated: no file is read.
    Raises ConfigError for whatever a file or a flag says that cannot be had.
    """

    def __init__(
        self,
        flags: Mapping[str, Any] | None = None,
        settings: Settings | None = None,
        rules: Iterable[RuleLike] = (),
        isolated: bool = False,
    ) -> None:
        self.base = settings or Settings()
        self.rules = list(rules)
        self.isolated = isolated
        self.flags = _bound(dict(flags or {}), os.getcwd(), default_src=False)
        self._files: dict[str, dict[str, Any]] = {}
        self._nearest: dict[str, str] = {}
        self._settings: dict[tuple[str, bool], Settings] = {}
        self._selections: dict[Settings, Selection] = {}
        self._severities: dict[Settings, dict[str, Severity]] = {}
        self._folders: dict[str, Settings] = {}
        self._of_files: dict[str, Settings] = {}

    def of(self, folder: str) -> Settings:
        """The settings of the files in a folder ("" is the working directory)."""
        known = self._folders.get(folder)
        if known is None:
            absolute = os.path.isabs(folder)
            source = "" if self.isolated else self._source(os.path.abspath(folder or "."))
            key = (source, absolute)
            if key not in self._settings:
                self._settings[key] = self._make(source, absolute)
            known = self._folders[folder] = self._settings[key]
        return known

    def of_file(self, path: str) -> Settings:
        """The settings of a file."""
        known = self._of_files.get(path)
        if known is None:
            cut = path.rfind("/")  # of thousands of files, each is quick
            folder = path[:cut] if cut > 0 else os.path.dirname(path)
            known = self._of_files[path] = self.of(folder)
        return known

    def met(self) -> list[Settings]:
        """The settings of the folders that were asked for, those of a configuration once."""
        return list(self._settings.values())

    def selection(self, settings: Settings) -> Selection:
        """The rules that these settings select."""
        if settings not in self._selections:
            self._selections[settings] = selection(settings, self.rules)
        return self._selections[settings]

    def severities(self, settings: Settings) -> dict[str, Severity]:
        """The severities that these settings give to rules, by code."""
        if settings not in self._severities:
            self._severities[settings] = severities(settings.severities, self.rules)
        return self._severities[settings]

    # ---- files

    def _source(self, folder: str) -> str:
        """The configuration file nearest to a folder (absolute), "" for none."""
        climbed: list[str] = []
        found = ""
        while folder not in self._nearest:
            climbed.append(folder)
            for name in (OWN, SHARED):
                path = os.path.join(folder, name)
                if os.path.isfile(path) and self._has_section(path):
                    found = path
                    break
            parent = os.path.dirname(folder)
            if found or parent == folder:
                break
            folder = parent
        else:
            found = self._nearest[folder]
        for each in climbed:
            self._nearest[each] = found
        return found

    def _has_section(self, path: str) -> bool:
        """Whether a file is one of ours. A pyproject.toml without our table is nobody's mistake."""
        if os.path.basename(path) == OWN:
            return True
        try:
            with open(path, "rb") as file:
                data = file.read()
        except OSError:
            return False
        if b"torchlosslint" not in data:
            return False
        tool = toml.parse(_text(data, path), _shown(path)).get("tool")
        return isinstance(tool, dict) and "torchlosslint" in tool

    def _load(self, path: str, chain: tuple[str, ...] = ()) -> dict[str, Any]:
        """What a file says, less what it extends; checked, and bound to its folder."""
        if path in self._files:
            return self._files[path]
        try:
            with open(path, "rb") as file:
                text = _text(file.read(), path)
        except OSError as error:
            raise ConfigError(f"{_shown(path)}: cannot be read: {error.strerror or error}") from None
        table: Any = toml.parse(text, _shown(path))
        prefix: tuple[str, ...] = ()
        if os.path.basename(path) == SHARED:
            prefix = ("tool", "torchlosslint")
            tool = table.get("tool")
            table = tool.get("torchlosslint", {}) if isinstance(tool, dict) else {}
        elif "tool" in table:
            line = toml.line_of(text, ("tool",))
            raise ConfigError(
                f"{_shown(path)}:{line}: here the keys stand alone, without [tool.torchlosslint]"
            )
        if not isinstance(table, dict):
            line = toml.line_of(text, prefix)
            raise ConfigError(f"{_shown(path)}:{line}: tool.torchlosslint is a table, not {table!r}")
        try:
            keys.check(table)
            check_selectors(table, self.rules)
        except keys.Bad as bad:
            line = toml.line_of(text, (*prefix, *bad.path))
            raise ConfigError(f"{_shown(path)}:{line}: {bad.message}") from None
        bound = _bound(table, os.path.dirname(path), default_src=True)
        if table.get("extend"):
            parent = os.path.abspath(os.path.join(os.path.dirname(path), os.path.expanduser(table["extend"])))
            line = toml.line_of(text, (*prefix, "extend"))
            if parent in (*chain, path):
                raise ConfigError(f"{_shown(path)}:{line}: extends itself, by way of {_shown(parent)}")
            if not os.path.isfile(parent):
                raise ConfigError(
                    f"{_shown(path)}:{line}: extends {table['extend']!r}, and there is no such file"
                )
            bound = _merged(self._load(parent, (*chain, path)), bound)
        self._files[path] = bound
        return bound

    def _make(self, source: str, absolute: bool) -> Settings:
        """The settings of a file and the flags above it."""
        said = dict(self._load(source)) if source else {}
        above = dict(self.flags)
        if "select" in above:
            for name in ("select", "extend-select", "ignore"):
                said.pop(name, None)
        elif "ignore" in above:
            above["deny"] = above.pop("ignore")
        table = _merged(said, above)
        roots = table.get("src", ())
        if not absolute:
            roots = tuple(_relative(each) for each in roots)
        base = self.base
        return replace(
            base,
            select=table.get("select", base.select),
            extend_select=table.get("extend-select", base.extend_select),
            ignore=table.get("ignore", base.ignore),
            deny=table.get("deny", base.deny),
            confidence=table.get("confidence", base.confidence),
            roots=tuple(dict.fromkeys((*base.roots, *roots))),
            per_file_ignores=(*base.per_file_ignores, *table.get("per-file-ignores", {}).items()),
            severities=(*base.severities, *table.get("severity", {}).items()),
            exclude=(*base.exclude, *filter(lambda each: each.patterns, table.get("exclude", ()))),
            force_exclude=table.get("force-exclude", base.force_exclude),
            respect_gitignore=table.get("respect-gitignore", base.respect_gitignore),
            fail_on=table.get("fail-on", base.fail_on),
            torch=table.get("torch", base.torch),
            require_reason=table.get("require-reason", base.require_reason),
            baseline=table.get("baseline", base.baseline),
            declared=Declared(
                tuple(table.get("losses", {}).values()),
                tuple(table.get("models", {}).values()),
                tuple(table.get("activations", {}).values()),
            )
            if any(name in table for name in ("losses", "models", "activations"))
            else base.declared,
            source=_shown(source) if source else "",
        )


def flag_table(pairs: Sequence[str], rules: Iterable[RuleLike]) -> dict[str, Any]:
    """What `--config KEY=VALUE` says, as a file would; `a.b=x` is a key of a table."""
    table: dict[str, Any] = {}
    missing = ""
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals:
            raise ConfigError(f"--config {pair}: write --config KEY=VALUE")
        parts = [part.strip() for part in _dotted(name.strip())]
        inner: Any = table
        for part in parts[:-1]:
            inner = inner.setdefault(part, {})
            if not isinstance(inner, dict):
                raise ConfigError(f"--config {pair}: {part!r} was given a value already")
        value = toml.value(text.strip())
        key = keys.BY_NAME.get(parts[0])
        if key is not None and len(parts) == 1 and key.kind == keys.LIST and isinstance(value, str):
            value = [value]
        if key is not None and key.kind == keys.VERSION and isinstance(value, float):
            value = text.strip()
        inner[parts[-1]] = value
        try:
            keys.check(table)
            check_selectors(table, list(rules))
            missing = ""
        except keys.Missing as bad:
            missing = f"--config {pair}: {bad.message}"  # which the next one may say
        except keys.Bad as bad:
            raise ConfigError(f"--config {pair}: {bad.message}") from None
        if "extend" in table:
            raise ConfigError(f"--config {pair}: only a file can extend another")
    if missing:
        raise ConfigError(missing)
    return table


def check_selectors(table: Mapping[str, Any], rules: list[RuleLike]) -> None:
    """Raises Bad for the first selector in a table that means no rule."""
    if not rules:
        return
    for name in ("select", "extend-select", "ignore"):
        for text in keys.listed(table.get(name, ())):
            _check_selector((name, text), text, rules)
    for pattern, selectors in table.get("per-file-ignores", {}).items():
        for text in keys.listed(selectors):
            _check_selector(("per-file-ignores", pattern, text), text, rules)
    for text in table.get("severity", {}):
        _check_selector(("severity", text), text, rules)
    for number, pattern in enumerate(table.get("exclude", ())):
        if why := refused(pattern):
            raise keys.Bad(("exclude", str(number)), f"{pattern!r}: {why}")
    for pattern in table.get("per-file-ignores", {}):
        if why := refused(pattern):
            raise keys.Bad(("per-file-ignores", pattern), f"{pattern!r}: {why}")


def _check_selector(path: tuple[str, ...], text: str, rules: list[RuleLike]) -> None:
    try:
        matching((text,), rules)
    except ConfigError as error:
        raise keys.Bad(path, str(error)) from None


def _bound(table: dict[str, Any], folder: str, default_src: bool) -> dict[str, Any]:
    """Values as Settings has them; what is relative to the file's folder made absolute."""
    out = dict(table)
    out.pop("extend", None)
    for name in ("select", "extend-select", "ignore"):
        if name in out:
            out[name] = keys.listed(out[name])
    posix = folder.replace(os.sep, "/")
    if "exclude" in out:
        out["exclude"] = (Patterns(posix, tuple(out["exclude"])),)
    if "per-file-ignores" in out:
        out["per-file-ignores"] = {
            Patterns(posix, (pattern,)): keys.listed(selectors)
            for pattern, selectors in out["per-file-ignores"].items()
        }
    if "src" in out or default_src:
        listed = out.get("src", keys.BY_NAME["src"].default)
        out["src"] = tuple(
            os.path.normpath(os.path.join(folder, os.path.expanduser(each))) for each in listed
        )
    if "torch" in out:
        out["torch"] = keys.version(out["torch"])
    if out.get("baseline"):
        out["baseline"] = _relative(os.path.join(folder, out["baseline"]))
    for name, make in (("losses", _loss), ("models", _output), ("activations", _output)):
        if name in out:
            out[name] = {dotted: make(dotted, entry) for dotted, entry in out[name].items()}
    return out


def _below(folder: str, path: str) -> str:
    return os.path.normpath(os.path.join(folder, os.path.expanduser(path)))


def _loss(name: str, entry: dict[str, Any]) -> DeclaredLoss:
    return DeclaredLoss(
        name,
        entry["input"],
        tuple(entry.get("arguments", ())),
        entry.get("argument", ""),
        tuple(Switch(tuple(each["when"].items()), each["input"]) for each in entry.get("switches", ())),
        tuple(entry.get("parameters", ())),
    )


def _output(name: str, entry: dict[str, Any]) -> DeclaredOutput:
    return DeclaredOutput(name, entry["output"], entry.get("dim"))


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    out = dict(below)
    for name, value in above.items():
        if name in _ADDED and name in out:
            value = {**out[name], **value} if isinstance(value, dict) else (*out[name], *value)
        out[name] = value
    return out


def _dotted(name: str) -> list[str]:
    """The parts of a dotted key, of which some may be in quotes."""
    parts, rest = [], name
    while rest:
        if rest[0] in "\"'" and rest[0] in rest[1:]:
            part, _, rest = rest[1:].partition(rest[0])
            rest = rest.removeprefix(".")
        else:
            part, _, rest = rest.partition(".")
        parts.append(part)
    return parts or [""]


def _text(data: bytes, path: str) -> str:
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ConfigError(f"{_shown(path)}:{line}: no valid TOML: not UTF-8") from None


def _shown(path: str) -> str:
    """A path as a user would write it: relative where it is below the working directory."""
    short = _relative(path)
    return (path if short.startswith("..") else short).replace(os.sep, "/")


def _relative(path: str) -> str:
    try:
        return _relpath(os.path.abspath(path), os.getcwd())
    except ValueError:  # another drive
        return path


@lru_cache(maxsize=1024)
def _relpath(path: str, start: str) -> str:
    return os.path.relpath(path, start)
