"""What names an import finds in a folder."""

from __future__ import annotations

import os
from collections.abc import Iterable

Listing = tuple[frozenset[str], frozenset[str]]  # names of the .py files, and of the folders


def listing_of(entries: Iterable[os.DirEntry[str]]) -> Listing:
    """The names in a folder, by its entries."""
    files, folders = [], []
    for entry in entries:
        name = entry.name
        try:
            if name.endswith(".py"):
                if not entry.is_dir():
                    files.append(name)
            # Links to folders lead out of the tree, or round in it.
            elif "." not in name and entry.is_dir(follow_symlinks=False):
                folders.append(name)
        except OSError:  # a link that leads to itself, or where we may not look
            continue
    return frozenset(files), frozenset(folders)


def listing(folder: str) -> Listing:
    """The names in a folder; none where it cannot be read."""
    try:
        with os.scandir(folder or ".") as entries:
            return listing_of(entries)
    except OSError:
        return frozenset(), frozenset()
