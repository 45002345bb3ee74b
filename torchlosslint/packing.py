"""The parts of a root in one entry of the cache.

A root may have thousands of parts. Where nothing changed, one entry that says so spares to look up every
import again and to open an entry for each part; where little changed, it has most of the parts.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

import msgspec

from torchlosslint.cache import Cache, digest
from torchlosslint.index import Index
from torchlosslint.outcome import (
    OUTCOME,
    PACK,
    Bonds,
    Outcome,
    Pack,
    Packed,
    decode_bonds,
    decode_kept,
    decode_pack,
    encode,
    encode_rows,
)
from torchlosslint.program.resolve import Resolver
from torchlosslint.sources.discovery import Root
from torchlosslint.view import View


class Packing:
    """What is known of the parts of a root from earlier runs, and what will be in the next.

    shown: how findings name the files of the root, by their keys. worded: those that may have
    suppressions. others: files elsewhere that the screen looked at.
    """

    def __init__(
        self,
        root: Root,
        view: View,
        resolver: Resolver,
        index: Index,
        shown: dict[str, str],
        worded: frozenset[str],
    ) -> None:
        self.root = root
        self.view = view
        self.resolver = resolver
        self.index = index
        self.shown = shown
        self.worded = worded
        self.other = {key: path for key, path in shown.items() if key != path}
        self.others: set[str] = set()
        self.before: list[Packed] = []
        self.key = b""
        self.sign = b""
        self.pack: Pack | None = None
        self._by_key: dict[bytes, Packed] = {}
        self._parts: dict[
            bytes, Packed | None
        ] = {}  # of this run; None: will be in the cache when its job is done
        self._files: dict[str, tuple[str, bytes, bytes]] = {}

    # ---- before the work

    def load(self, cache: Cache, seen: set[str], named: set[str]) -> None:
        """Fetch the pack of the last run. seen: keys of the files that can be read. named: by the user."""
        is_named = named.issuperset(self.root.files)
        self.key = digest(os.getcwd(), self.root.path, self.view.common, str(is_named))
        digest_of, told = self.index.digest, self.view.told
        rows: list[object] = [self.resolver.roots]
        for key, path in self.shown.items():
            read = digest_of(path) if key in seen else None
            rows += (key, path, read, told(path, self.worded), path in named)
        self.sign = digest(encode_rows(rows))
        data = cache.load(PACK, self.key)
        self.pack = decode_pack(data) if data is not None else None
        if self.pack is not None:
            self.before = self.pack.parts
            self._by_key = {part.key: part for part in self.before}

    def holds(self) -> bool:
        """Whether all is as it was, so that the parts are those of the pack, in its order."""
        pack = self.pack
        return (
            pack is not None
            and pack.sign == self.sign
            and self._listings(pack.folders) == pack.listings
            and all(self._is_as_it_was(key, *was) for key, was in pack.files.items())
        )

    def part(self, cache: Cache, key: bytes) -> Outcome | None:
        """The outcome of a part, None if it is not known or out of date."""
        packed = self._by_key.get(key)
        bonds = decode_bonds(packed.bonds) if packed is not None else None
        if packed is None or bonds is None:
            packed, bonds = self._single(cache, key)
        if packed is not None and bonds is not None and self._last(bonds):
            self._parts[key] = packed
            self._files.update(bonds.files)
            return packed.outcome
        self._parts[key] = None
        return None

    def _single(self, cache: Cache, key: bytes) -> tuple[Packed | None, Bonds | None]:
        """A part from an entry of its own."""
        data = cache.load(OUTCOME, key)
        kept = decode_kept(data) if data is not None else None
        if kept is None:
            return None, None
        bonds = Bonds(kept.files, kept.lookups)
        raw = encode(bonds)
        return (Packed(key, kept.outcome, msgspec.Raw(raw)) if raw is not None else None), bonds

    def _last(self, bonds: Bonds) -> bool:
        """Whether everything that an outcome depends on is as it was."""
        kind = self.resolver.kind
        return all(self._is_as_it_was(key, *was) for key, was in bonds.files.items()) and all(
            kind(folder, name) == known for folder, name, known in bonds.lookups
        )

    def _is_as_it_was(self, key: str, path: str, read: bytes, told: bytes) -> bool:
        if path in self.index.before:
            self.index.look(path)  # which need not read it
        return (
            path == self.other.get(key, key)
            and read == self.index.digest(path)
            and told == self.view.told(path, self.worded)
        )

    def _listings(self, folders: Iterable[str]) -> bytes:
        """A digest of what an import finds in folders."""
        rows: list[object] = []
        for folder in folders:
            files, below = self.resolver.listing(folder)
            rows += (sorted(files), sorted(below))
        return digest(encode_rows(rows))

    # ---- after it

    def store(self, cache: Cache) -> None:
        """Pack the parts for the next run, if all are to be had."""
        files = {o: (o, self.index.digest(o), self.view.told(o, self.worded)) for o in self.others}
        parts = []
        for key, packed in self._parts.items():
            if packed is None:
                if self.part(cache, key) is None:
                    return
                packed = self._parts[key]
                assert packed is not None
            parts.append(packed)
        files.update(self._files)
        folders = list(self.resolver.listed())
        data = encode(Pack(self.sign, files, folders, self._listings(folders), parts))
        if data is not None:
            cache.store(PACK, self.key, data)
