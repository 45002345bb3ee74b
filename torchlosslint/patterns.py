"""Patterns as in a .gitignore: which of them can be used."""

from __future__ import annotations

import re
import warnings
from functools import lru_cache

# Stars of one pattern, and between two slashes: each is a loop inside those before it, over a name that
# somebody else chose.
MAX_STARS = 8
MAX_STARS_IN_A_NAME = 3


@lru_cache(maxsize=4096)
def refused(pattern: str) -> str:
    """What is wrong with a pattern, "" if nothing is."""
    from pathspec import GitIgnoreSpec

    names = [part for part in pattern.split("/") if part != "**"]
    if pattern.count("*") > MAX_STARS or any(part.count("*") > MAX_STARS_IN_A_NAME for part in names):
        return f"a pattern with more than {MAX_STARS_IN_A_NAME} stars in a name"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about brackets in brackets
            GitIgnoreSpec.from_lines([pattern])
    except (ValueError, re.error):
        return "no pattern as in a .gitignore"
    return ""
