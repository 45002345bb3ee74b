"""The scanner that finds comments in any text, and suppressions in comments."""

from __future__ import annotations

import io
import tokenize

import pytest
from hypothesis import given, strategies as st

from torchlosslint.sources.comments import comments, open_lines
from torchlosslint.sources.suppressions import suppressions

_PIECES = st.sampled_from(
    ["x", " ", "=", "(", ")", "[", "]", "{", "}", ":", "#", "'", '"', "'''", '"""', "\\", "\n", "\r\n", "\r"]
    + [
        "f",
        "rb",
        "f'",
        'F"""',
        "{{",
        "}}",
        "!r",
        "# noqa: TLL101",
        "# torchlosslint: ignore[",
        "]",
        "\f",
        "é",
        "\0",
    ]
)


@given(st.lists(_PIECES, max_size=40).map("".join) | st.text(max_size=60))
def test_any_text_can_be_scanned(text: str) -> None:
    found = suppressions(text, {"softmax-before-cross-entropy"})
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for one in found:
        assert lines[one.line - 1][one.column - 1 : one.end_column - 1] == one.text
    assert open_lines(text) <= set(range(1, len(lines) + 1))


@given(st.lists(_PIECES, max_size=30).map("".join))
def test_comments_are_those_of_python(text: str) -> None:
    if "f" in text.lower() or "\0" in text or "\r" in text.replace("\r\n", ""):
        return  # what is in formatted strings depends on Python's version
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(text, newline="").readline))
    except (tokenize.TokenError, SyntaxError):
        return
    if any(token.type == tokenize.ERRORTOKEN and token.string != " " for token in tokens):
        return
    theirs = [
        (t.start[0], t.start[1] + 1, t.string.rstrip("\r")) for t in tokens if t.type == tokenize.COMMENT
    ]
    assert [(c.line, c.column, c.text) for c in comments(text)] == theirs


@given(st.text(alphabet="x #'\"\\{}\n:nqTL10", max_size=30), st.sampled_from(["", "r", "b", "rb", "u"]))
def test_strings_are_never_read(inside: str, prefix: str) -> None:
    literal = prefix + '"""' + inside.replace("\\", "").replace('"', "'") + ' # noqa: TLL101 """'
    assert [one.text for one in suppressions(f"x = {literal}  # noqa: TLL102\n")] == ["# noqa: TLL102"]


@pytest.mark.parametrize(
    "text",
    [
        'f"{d["# noqa"]}"  # yes',
        "f'{x:{width}} # no'  # yes",
        'f"{{ # no }}"  # yes',
        'f"""{x}\n# no\n{y:>{n}} # no"""  # yes',
        "rf'\\{x} # no'  # yes",
        'f"{x!r:#x} # no"  # yes',
        'f"{a[1:2]} {b:{c}} # no"  # yes',
        "f'{(lambda: 1)()} # no'  # yes",
        'f"{\n x\n} # no"  # yes',
        "x = 'never closed # no\n# yes",
        "x = b'\\' # no'  # yes",
        "x = '\\\n# no'  # yes",
    ],
)
def test_formatted_and_odd_strings(text: str) -> None:
    assert [comment.text for comment in comments(text)] == ["# yes"]
