"""Bytes of a Python file to text, by Python's own rules, without ever raising."""

from __future__ import annotations

import codecs
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

# PEP 263: a comment in the first two lines, the first of which may only be blank or a comment.
_COOKIE = re.compile(rb"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")
_BLANK = re.compile(rb"^[ \t\f]*(?:#.*)?$")
_SUFFIX = re.compile(r"[-_](?:unix|dos|mac)$")  # what Emacs adds and Python forgives
_NEWLINE = re.compile(r"\r\n|\r|\n")
# Text encodings to Python's codec registry, but Python refuses them for source, or they make
# something else of it; punycode takes quadratic time.
_REFUSED = re.compile(r"utf-?(16|32)|punycode|idna|undefined|raw.unicode.escape|unicode.escape")


@dataclass(frozen=True, slots=True)
class SourceError:
    """Why a file cannot be linted. Line and column count from 1."""

    path: str
    line: int
    column: int
    message: str


# Bytes that are read in place of what files hold, by absolute path.
_INSTEAD: dict[str, bytes] = {}


@contextmanager
def instead(path: str, data: bytes) -> Iterator[None]:
    """Within, a file (which need not exist) holds `data`: a program from standard input."""
    key = os.path.abspath(path)
    _INSTEAD[key] = data
    try:
        yield
    finally:
        del _INSTEAD[key]


def is_file(path: str) -> bool:
    """Whether there is a file to read."""
    return os.path.isfile(path) or (bool(_INSTEAD) and os.path.abspath(path) in _INSTEAD)


def read_bytes(path: str) -> bytes | SourceError:
    """The bytes of a file, or a clear reason why not."""
    if _INSTEAD and (data := _INSTEAD.get(os.path.abspath(path))) is not None:
        return data
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return SourceError(path, 1, 1, "cannot read the file: it does not exist (any more)")
    except PermissionError:
        return SourceError(path, 1, 1, "cannot read the file: no permission")
    except OSError as error:
        return SourceError(path, 1, 1, f"cannot read the file: {error.strerror or error}")
    except ValueError as error:  # a null byte in the path
        return SourceError(path, 1, 1, f"cannot read the file: {error}")


def read_source(path: str) -> str | SourceError:
    """The text of a file."""
    data = read_bytes(path)
    return data if isinstance(data, SourceError) else decode(data, path)


def decode(data: bytes, path: str) -> str | SourceError:
    """`data` as text, without a BOM; line ends and form feeds stay as they are."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return SourceError(path, 1, 1, "the file is UTF-16; Python source is UTF-8 unless it says otherwise")
    bom = data.startswith(codecs.BOM_UTF8)
    body = data[3:] if bom else data
    null = body.find(b"\0")
    if null >= 0:
        return _error(body, null, "utf-8", path, "null byte: this is a binary file, not Python source")
    declared, line = _cookie(body)
    if declared is None:
        encoding = "utf-8"
    else:
        try:
            encoding = codecs.lookup(_SUFFIX.sub("", declared)).name
        except (LookupError, ValueError):
            return SourceError(path, line, 1, f"unknown encoding {declared!r} declared")
        if bom and encoding not in ("utf-8", "utf-8-sig"):
            message = f"the file begins with a UTF-8 byte order mark but declares the encoding {declared!r}"
            return SourceError(path, line, 1, message)
        if _REFUSED.match(encoding):
            return SourceError(path, line, 1, f"encoding {declared!r} cannot be used for Python source")
    try:
        return body.decode(encoding)
    except UnicodeDecodeError as error:
        at = min(error.start, len(body) - 1)
        said = "" if declared else "; the file declares no encoding, so it has to be UTF-8"
        message = f"byte 0x{body[at]:02x} cannot be decoded as {declared or 'UTF-8'}{said}"
        return _error(body, at, encoding, path, message)
    except (LookupError, ValueError):  # a codec, but not one from bytes to text (hex, zlib)
        return SourceError(path, line, 1, f"encoding {declared!r} cannot be used for Python source")


def encoding_of(data: bytes) -> tuple[str, bytes]:
    """The encoding that `decode` reads these bytes with, and the byte order mark in front of them."""
    mark = codecs.BOM_UTF8 if data.startswith(codecs.BOM_UTF8) else b""
    declared, _ = _cookie(data.removeprefix(mark))
    return codecs.lookup(_SUFFIX.sub("", declared)).name if declared else "utf-8", mark


def split_lines(text: str) -> list[str]:
    """Lines as Python counts them: `str.splitlines` also splits at form feeds and the like."""
    return _NEWLINE.split(text)


def _cookie(body: bytes) -> tuple[str | None, int]:
    """The declared encoding and the line that declares it."""
    if b"coding" not in body[:4000]:  # quick way out for nearly every file
        return None, 1
    for number, line in enumerate(re.split(rb"\r\n|\r|\n", body[:4000], maxsplit=2)[:2], 1):
        match = _COOKIE.match(line)
        if match:
            return match[1].decode("latin-1"), number
        if not _BLANK.match(line):
            break
    return None, 1


def _error(body: bytes, at: int, encoding: str, path: str, message: str) -> SourceError:
    """An error at a byte, as line and column in code points."""
    before = split_lines(body[:at].decode(encoding, "replace"))
    return SourceError(path, len(before), len(before[-1]) + 1, message)
