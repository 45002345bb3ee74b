"""Since which version of torch (major, minor) something is as the contracts and rules have it.

Contracts are held against the torch that is installed for the tests; these are the changes that the rules
speak of. Source: the release notes, and the pull requests that they name.
"""

from __future__ import annotations

Version = tuple[int, int]

# A loss has no dimension, and .item() gives its number; an index into it raises since 1.0.
NUMBERS_WITHOUT_DIMENSION: Version = (0, 4)
INDEX_RAISES: Version = (1, 0)
# `reduction` takes the place of size_average and reduce (0.4.1); KLDivLoss knows "batchmean".
REDUCTION: Version = (1, 0)
# BCELoss raises on a target of another shape with as many elements; before, it took them one by one.
BCE_SAME_SHAPE: Version = (1, 5)
# KLDivLoss takes log_target.
LOG_TARGET: Version = (1, 6)
# torch.full of an integer or a bool gives these; before, floats or an exception.
FULL_KEEPS_TYPE: Version = (1, 7)
# Distributions check their parameters unless they are told not to.
CHECKED_DISTRIBUTIONS: Version = (1, 8)
# CrossEntropyLoss takes class probabilities; it and NLLLoss take uint8 class indices.
CLASS_PROBABILITIES: Version = (1, 10)
UINT8_INDICES: Version = (1, 10)


def before(torch: Version | None, since: Version) -> bool:
    """Whether code runs on a torch that is older; without a word about it, it runs on a new one."""
    return torch is not None and torch < since


def shown(version: Version) -> str:
    """A version as people write it."""
    return f"{version[0]}.{version[1]}"
