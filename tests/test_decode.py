"""Bytes to text."""

from __future__ import annotations

import ast
import os
import sys
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from torchlosslint.sources.decode import SourceError, decode, read_bytes, read_source, split_lines


def error(data: bytes) -> SourceError:
    result = decode(data, "a.py")
    assert isinstance(result, SourceError)
    assert result.path == "a.py"
    return result


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", ""),
        (b"x = 1\r\ny = 2\r", "x = 1\r\ny = 2\r"),
        (b"x = 1\n\x0c\ny = 2\n", "x = 1\n\x0c\ny = 2\n"),
        ("x = 'é漢'\n".encode(), "x = 'é漢'\n"),
        (b"\xef\xbb\xbfx = 1\n", "x = 1\n"),
        (b"\xef\xbb\xbf# coding: utf-8\n", "# coding: utf-8\n"),
        (b"# -*- coding: latin-1 -*-\nx = '\xe9'\n", "# -*- coding: latin-1 -*-\nx = 'é'\n"),
        (
            b"#!/usr/bin/python\n# vim: set fileencoding=cp1252 :\n'\x80'\n",
            "#!/usr/bin/python\n# vim: set fileencoding=cp1252 :\n'€'\n",
        ),
        ("# coding: gbk\nx = '漢'\n".encode("gbk"), "# coding: gbk\nx = '漢'\n"),
        ("# coding: utf-8-unix\n'é'".encode(), "# coding: utf-8-unix\n'é'"),
        # Not a cookie: after code, in the third line, in a string.
        ("x = 1\n# coding: latin-1\n'é'".encode(), "x = 1\n# coding: latin-1\n'é'"),
        ("\n\n# coding: latin-1\n'é'".encode(), "\n\n# coding: latin-1\n'é'"),
        ("s = '# coding: latin-1 é'".encode(), "s = '# coding: latin-1 é'"),
    ],
)
def test_decoded(data: bytes, text: str) -> None:
    assert decode(data, "a.py") == text


@pytest.mark.parametrize(
    ("data", "line", "column", "message"),
    [
        (b"x = 1\ny = '\xc3\xa9\xe9'\n", 2, 7, "byte 0xe9 cannot be decoded as UTF-8; the file declares no"),
        (b"x = 1\r\ry\xff", 3, 2, "byte 0xff"),
        (b"x = 1\n\0\0", 2, 1, "binary file"),
        (b"\x7fELF\x02\x01\0", 1, 7, "binary file"),
        ("x = 1\n".encode("utf-16"), 1, 1, "UTF-16"),
        (b"# coding: klingon\n", 1, 1, "unknown encoding 'klingon'"),
        (b"#!x\n# coding: ascii\n'\xe9'", 3, 2, "cannot be decoded as ascii"),
        (b"\xef\xbb\xbf# coding: latin-1\n", 1, 1, "byte order mark but declares the encoding 'latin-1'"),
        (b"# coding: hex\n", 1, 1, "cannot be used"),
        (b"# coding: rot13\n", 1, 1, "cannot be used"),
        (b"# coding: utf-16\n", 1, 1, "cannot be used"),
        (b"# coding: punycode\n", 1, 1, "cannot be used"),
        (b"# coding: undefined\n", 1, 1, "cannot be used"),
    ],
)
def test_undecodable(data: bytes, line: int, column: int, message: str) -> None:
    result = error(data)
    assert (result.line, result.column) == (line, column)
    assert message in result.message


@given(
    st.binary(max_size=60),
    st.sampled_from([b"", b"# coding: latin-1\n", b"\xef\xbb\xbf", b"#\n#coding=gbk\n"]),
)
def test_any_bytes_give_text_or_a_place(data: bytes, head: bytes) -> None:
    result = decode(head + data, "a.py")
    if isinstance(result, SourceError):
        assert 1 <= result.line <= len(split_lines((head + data).decode("latin-1")))
        assert result.column >= 1
    else:
        assert "\0" not in result


@given(st.text(alphabet="ab #\n\r\x0c\x0b\x1c\x85\u2028é", max_size=30))
def test_lines_are_counted_as_python_counts_them(text: str) -> None:
    source = f"x = '''{text}'''\nlast = 1"
    assert len(split_lines(source)) == ast.parse(source).body[-1].lineno


def test_reading_files(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_bytes(b"x = 1\n")
    assert read_source(str(path)) == "x = 1\n"
    missing = read_bytes(str(tmp_path / "gone.py"))
    assert isinstance(missing, SourceError)
    assert "does not exist" in missing.message
    folder = read_source(str(tmp_path))
    assert isinstance(folder, SourceError)
    assert "cannot read the file" in folder.message
    assert isinstance(read_bytes("a\0b.py"), SourceError)


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="nothing is forbidden to root")
def test_no_permission(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_bytes(b"")
    path.chmod(0)
    result = read_source(str(path))
    assert isinstance(result, SourceError)
    assert "no permission" in result.message
