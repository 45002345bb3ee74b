"""What is wrong with a configuration, and the right name that was probably meant."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

_ALIKE = str.maketrans("oil", "011")


class ConfigError(Exception):
    """The user asked for something that cannot be had; the run ends with exit status 2."""


def nearest(text: str, choices: Iterable[str]) -> str | None:
    """The choice that is spelt most like `text`, whatever the case; None where none is near."""
    by_lower = {choice.lower(): choice for choice in choices}
    # An O for a zero, an l or I for a one: the slip that similarity alone does not see.
    looks = {choice.translate(_ALIKE): choice for choice in reversed(by_lower)}
    if text.lower().translate(_ALIKE) in looks:
        return by_lower[looks[text.lower().translate(_ALIKE)]]
    # Codes are short and much alike: one letter may be wrong.
    cutoff = 0.8 if re.fullmatch(r"[A-Za-z]+\d+", text) else 0.6
    near = difflib.get_close_matches(text.lower(), by_lower, n=1, cutoff=cutoff)
    return by_lower[near[0]] if near else None


def did_you_mean(text: str, choices: Iterable[str], otherwise: str = "") -> str:
    """`did you mean X?`, or what to say where nothing is near."""
    near = nearest(text, choices)
    return f"did you mean {near}?" if near else otherwise
