"""Settings as they would stand in a file: `--show-settings`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from torchlosslint.config.settings import Patterns, Settings


def settings_text(settings: Settings) -> str:
    """The settings as TOML. Folders of patterns and import roots are those that are in force."""
    return "\n".join(_lines(settings)) + "\n"


def _lines(s: Settings) -> Iterator[str]:
    yield f"# from {s.source}" if s.source else "# from no configuration file"
    yield f"select = {_list(s.select)}"
    yield f"extend-select = {_list(s.extend_select)}"
    yield f"ignore = {_list((*s.ignore, *s.deny))}"
    yield f"confidence = {_text(s.confidence)}"
    yield f"fail-on = {_text(s.fail_on)}"
    yield from _patterns("exclude", s.exclude)
    yield f"force-exclude = {_flag(s.force_exclude)}"
    yield f"respect-gitignore = {_flag(s.respect_gitignore)}"
    yield f"src = {_list(s.roots)}"
    if s.torch is not None:
        yield f'torch = "{s.torch[0]}.{s.torch[1]}"'
    yield f"require-reason = {_flag(s.require_reason)}"
    yield f"baseline = {_text(s.baseline)}"
    if s.per_file_ignores:
        yield "\n[per-file-ignores]"
        for where, selectors in s.per_file_ignores:
            yield f"{_text(where.patterns[0])} = {_list(selectors)}  # in {where.folder}"
    if s.severities:
        yield "\n[severity]"
        for selector, severity in s.severities:
            yield f"{_text(selector)} = {_text(severity)}"
    for loss in s.declared.losses:
        yield f"\n[losses.{_text(loss.name)}]\ninput = {_text(loss.input)}"
        if loss.arguments:
            yield f"arguments = {_list(loss.arguments)}"
        if loss.argument:
            yield f"argument = {_text(loss.argument)}"
        if loss.parameters:
            yield f"parameters = {_list(loss.parameters)}"
        for switch in loss.switches:
            when = ", ".join(f"{name} = {json.dumps(value)}" for name, value in switch.when)
            yield f"\n[[losses.{_text(loss.name)}.switches]]\nwhen = {{ {when} }}"
            yield f"input = {_text(switch.input)}"
    for kind, outputs in (("models", s.declared.models), ("activations", s.declared.activations)):
        for each in outputs:
            yield f"\n[{kind}.{_text(each.name)}]\noutput = {_text(each.output)}"
            if each.dim is not None:
                yield f"dim = {each.dim}"


def _patterns(name: str, groups: Iterable[Patterns]) -> Iterator[str]:
    groups = list(groups)
    where = f"  # in {groups[0].folder}" if groups else ""
    yield f"{name} = {_list([p for group in groups for p in group.patterns])}{where}"


def _list(values: Iterable[str]) -> str:
    return "[" + ", ".join(_text(value) for value in values) + "]"


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


def _flag(value: bool) -> str:
    return "true" if value else "false"
