"""The way into libcst, and what becomes of its exceptions."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import libcst as cst

from torchlosslint.syntax.guard import Prepared, SyntaxTrouble, on_large_stack, trouble_of

T = TypeVar("T")


def with_tree(prepared: Prepared, use: Callable[[cst.Module], T]) -> T:
    """`use(tree)` of a prepared text, both on a large stack."""

    def parse_and_use() -> T:
        return use(_parse(prepared))

    try:
        return on_large_stack(parse_and_use)
    except (RecursionError, MemoryError):
        raise SyntaxTrouble(1, 1, "nested too deep to be read") from None


def _parse(prepared: Prepared) -> cst.Module:
    try:
        return cst.parse_module(prepared.text)
    except cst.ParserSyntaxError as error:
        raise trouble_of(prepared, error.raw_line, error.raw_column) from None
    except (RecursionError, MemoryError):
        raise
    except Exception as error:  # libcst's own checks of its nodes
        raise SyntaxTrouble(1, 1, f"libcst could not read this file ({type(error).__name__})") from None
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # what a panic in Rust becomes
            raise
        raise SyntaxTrouble(1, 1, "libcst could not read this file (it panicked)") from None
