"""Values of literals and spellings of operators, for the lowering."""

from __future__ import annotations

import re
import unicodedata

import libcst as cst

from torchlosslint.syntax.limits import MAX_STRING

BINARY_OPS: dict[type, str] = {
    cst.Add: "+",
    cst.Subtract: "-",
    cst.Multiply: "*",
    cst.Divide: "/",
    cst.FloorDivide: "//",
    cst.Modulo: "%",
    cst.Power: "**",
    cst.MatrixMultiply: "@",
    cst.LeftShift: "<<",
    cst.RightShift: ">>",
    cst.BitAnd: "&",
    cst.BitOr: "|",
    cst.BitXor: "^",
}

AUG_OPS: dict[type, str] = {
    cst.AddAssign: "+",
    cst.SubtractAssign: "-",
    cst.MultiplyAssign: "*",
    cst.DivideAssign: "/",
    cst.FloorDivideAssign: "//",
    cst.ModuloAssign: "%",
    cst.PowerAssign: "**",
    cst.MatrixMultiplyAssign: "@",
    cst.LeftShiftAssign: "<<",
    cst.RightShiftAssign: ">>",
    cst.BitAndAssign: "&",
    cst.BitOrAssign: "|",
    cst.BitXorAssign: "^",
}

UNARY_OPS: dict[type, str] = {cst.Not: "not", cst.Minus: "-", cst.Plus: "+", cst.BitInvert: "~"}

COMPARE_OPS: dict[type, str] = {
    cst.Equal: "==",
    cst.NotEqual: "!=",
    cst.LessThan: "<",
    cst.GreaterThan: ">",
    cst.LessThanEqual: "<=",
    cst.GreaterThanEqual: ">=",
    cst.In: "in",
    cst.NotIn: "not in",
    cst.Is: "is",
    cst.IsNot: "is not",
}

SINGLETONS: dict[str, bool | None] = {"None": None, "True": True, "False": False}


_LITERAL = re.compile(r"""([a-zA-Z]*)("{3}|'{3}|"|')(.*)\2""", re.DOTALL)
_ESCAPE = re.compile(
    r"""\\(?:(\r\n|[\\'"abfnrtv\r\n])|([0-7]{1,3})|(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))"""
    r"""|N\{([^}]*)\})"""
)
_ONE = {
    "\\": "\\",
    "'": "'",
    '"': '"',
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
}


def string_value(source: str) -> str | None:
    """The text of one string literal; None for bytes and for what the IR cannot hold."""
    if len(source) > MAX_STRING:
        return None
    if "\\" not in source and "\r" not in source and source[0] in "\"'":
        return source[3:-3] if source[:3] in ('"""', "'''") else source[1:-1]
    found = _LITERAL.fullmatch(source)
    if found is None or "b" in found[1].lower():
        return None
    return _unescaped(found[3], "r" in found[1].lower())


def fragment_value(source: str, prefix: str) -> str | None:
    """The text of one literal piece of an f-string; None for what the IR cannot hold."""
    return _unescaped(source.replace("{{", "{").replace("}}", "}"), "r" in prefix.lower())


def _unescaped(text: str, raw: bool) -> str | None:
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if raw or "\\" not in text:
        return text
    try:
        text = _ESCAPE.sub(_escape, text)
        text.encode()  # no UTF-8 encoder takes a lone surrogate
    except (ValueError, KeyError):
        return None
    return text


def _escape(found: re.Match[str]) -> str:
    if found[1] is not None:
        return _ONE.get(found[1], "")
    if found[2] is not None:
        return chr(int(found[2], 8))
    if found[6] is not None:
        return unicodedata.lookup(found[6])
    return chr(int(found[3] or found[4] or found[5], 16))


def integer_value(source: str) -> int | None:
    """The value of an integer literal; None beyond 64 bits."""
    if len(source) > 100:
        return None
    try:
        value = int(source, 0)
    except ValueError:
        return None
    return value if value < 2**63 else None
