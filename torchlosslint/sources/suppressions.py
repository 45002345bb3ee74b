"""Comments that hide findings.

    # noqa                                            everything on this line, as other linters have it
    # noqa: TLL101, E501                              these on this line; other linters' codes are theirs
    # torchlosslint: ignore[TLL101] reason            on this line
    # torchlosslint: ignore-next-line[TLL101] reason  on the next line with code
    # torchlosslint: ignore-file[TLL101] reason       in the whole file

Codes, prefixes of codes and names of rules will do; without brackets everything is meant.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from torchlosslint.sources.comments import Comment, comments
from torchlosslint.sources.decode import split_lines

_WORDS = ("noqa", "torchlosslint")
_DIRECTIVES = ("ignore", "ignore-next-line", "ignore-file")
_NOQA = re.compile(r"#\s*noqa\b(?:\s*:(?P<rest>[^#]*))?(?P<tail>[^#]*)", re.IGNORECASE)
_OWN = re.compile(
    r"#\s*torchlosslint\s*:\s*(?P<word>[A-Za-z][\w-]*)\s*(?P<open>\[)?"
    r"(?P<list>(?<=\[)[^\]#]*)?(?P<close>\])?"
    r"(?P<reason>(?:(?!#\s*(?:noqa|torchlosslint)).)*)",
    re.IGNORECASE,
)
_CODE = re.compile(r"[A-Za-z]+[0-9]+")
_SLIP = re.compile(r"TLL\w*\d\w*", re.IGNORECASE)  # TLL1O1: no code, but meant as one
_ITEM = re.compile(r"[\s,]*([A-Za-z][\w-]*)(?=[\s,]|$)")


def has_words(text: str) -> bool:
    """Whether there may be suppressions in a text."""
    lower = text.lower()
    return any(word in lower for word in _WORDS)


@dataclass(slots=True, eq=False)
class Suppression:
    """One such comment. codes: as written, () for everything. line: of the comment, from 1. target:
    the line that it speaks of, 0 for the whole file. column, end_column: of the comment, from 1.
    wrong: why it cannot be understood, "" if it can. used: the codes that were of use. alone:
    nothing else stands on its line."""

    line: int
    column: int
    end_column: int
    target: int
    codes: tuple[str, ...]
    reason: str
    bare_noqa: bool = False
    wrong: str = ""
    text: str = ""
    own: bool = True
    alone: bool = False
    used: set[str] = field(default_factory=set)

    def hides(self, code: str, name: str) -> str | None:
        """Which of the codes hides a finding; None if none does, "" where everything is meant."""
        if self.wrong:
            return None
        for each in self.codes:
            if code.lower().startswith(each.lower()) if _CODE.fullmatch(each) else each.lower() == name:
                return each
        return None if self.codes else ""


def suppressions(text: str, names: Collection[str] = ()) -> list[Suppression]:
    """Every suppression in a text. names: of the rules, in small letters."""
    found = list(comments(text))
    mine = [one for each in found for one in _read(each, names)]
    if any(one.target < 0 for one in mine):
        _next_lines(mine, found, text)
    return mine


def _read(comment: Comment, names: Collection[str]) -> Iterator[Suppression]:
    if not has_words(comment.text):
        return
    for match in _NOQA.finditer(comment.text):
        rest = match["rest"] or ""
        codes, reason = _noqa_codes(rest, names)
        reason = reason if match["rest"] is not None else (match["tail"] or "")
        yield _make(comment, match, codes, reason, comment.line, bare_noqa=not codes, own=False)
    for match in _OWN.finditer(comment.text):
        word = match["word"].lower()
        codes = tuple(filter(None, re.split(r"[\s,]+", match["list"] or "")))
        if word not in _DIRECTIVES:
            if word.startswith(("ignor", "disable", "skip", "noqa", "suppress")) or match["open"]:
                known = ", ".join(_DIRECTIVES)
                yield _make(comment, match, codes, "", comment.line, wrong=f"{word!r} is none of {known}")
            continue
        wrong = ""
        if match["open"] and not match["close"]:
            wrong = "the bracket is never closed"
        elif match["open"] and not codes:
            wrong = "it names no rule"
        elif not match["open"] and _CODE.match(match["reason"].lstrip(" :=(")):
            wrong = "rules stand in brackets: ignore[TLL101]"
        target = {"ignore": comment.line, "ignore-next-line": -1}.get(word, 0)
        yield _make(comment, match, codes, match["reason"], target, wrong=wrong)


def _make(
    comment: Comment,
    match: re.Match[str],
    codes: tuple[str, ...],
    reason: str,
    target: int,
    *,
    bare_noqa: bool = False,
    wrong: str = "",
    own: bool = True,
) -> Suppression:
    text = match.group().rstrip()
    column = comment.column + match.start()
    return Suppression(
        comment.line,
        column,
        column + len(text),
        target,
        codes,
        reason.strip(" \t-:–—"),
        bare_noqa,
        wrong,
        text,
        own,
        comment.alone,
    )


def _noqa_codes(rest: str, names: Collection[str]) -> tuple[tuple[str, ...], str]:
    """The codes (and names) that a noqa lists, and the text that follows them."""
    codes: list[str] = []
    at = 0
    while (item := _ITEM.match(rest, at)) is not None:
        if _CODE.fullmatch(item[1]) is None and item[1].lower() not in names:
            if _SLIP.fullmatch(item[1]) is None:
                break
        codes.append(item[1])
        at = item.end()
    return tuple(codes), rest[at:].strip(" ,\t")


def _next_lines(mine: list[Suppression], found: list[Comment], text: str) -> None:
    """The next line with code, for those that speak of it."""
    alone = {comment.line for comment in found if comment.alone}
    lines = split_lines(text)
    for one in mine:
        if one.target < 0:
            line = one.line + 1
            while line <= len(lines) and (line in alone or not lines[line - 1].strip()):
                line += 1
            one.target = line
