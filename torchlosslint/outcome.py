"""What comes out of the work on one part, in a form that processes and the cache can pass on."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from torchlosslint.finding import Finding, Report
from torchlosslint.sources.screen import Screened

OUTCOME = "o"


@dataclass(slots=True)
class Trouble:
    """What cannot be read or parsed: a file, or a cell of a notebook."""

    path: str
    line: int
    column: int
    message: str
    cell: int | None = None

    @property
    def what(self) -> str:
        """The name of it in the summary."""
        return self.path if self.cell is None else f"{self.path}: cell {self.cell}"


@dataclass(slots=True)
class Outcome:
    """What a part adds to the report of the run. hidden: findings that are not shown, but may be what a
    suppression is for. times: seconds by phase, and by the codes of rules."""

    report: Report = field(default_factory=Report)
    hidden: list[Finding] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)
    times: dict[str, float] = field(default_factory=dict)


@dataclass(slots=True)
class Kept:
    """An outcome in the cache, with what it depends on besides its key.

    files: further files by key, how findings name them, and digests of their bytes (b"" where they cannot
    be read) and of their settings. lookups: folder, name and the kind of what was found (see
    Resolver.asked). steady: whether everything stayed as it was while the work went on; what was made
    from a moving target is not kept.
    """

    outcome: Outcome
    files: dict[str, tuple[str, bytes, bytes]] = field(default_factory=dict)
    lookups: list[tuple[str, str, str]] = field(default_factory=list)
    steady: bool = True


@dataclass(slots=True)
class Seen:
    """What was seen of a file.

    stat: by which its being unchanged is known, () where it is too new to tell. digest: of its bytes.
    worded: whether it may have suppressions.
    """

    stat: tuple[int, ...]
    digest: bytes
    worded: bool
    screened: Screened


_encoder = msgspec.msgpack.Encoder()
_kept = msgspec.msgpack.Decoder(Kept)
_index = msgspec.msgpack.Decoder(dict[str, Seen])


def encode(thing: Kept | dict[str, Seen]) -> bytes | None:
    """None for what the format cannot hold (a message with a lone surrogate)."""
    try:
        return _encoder.encode(thing)
    except (ValueError, TypeError, OverflowError):
        return None


def decode_kept(data: bytes) -> Kept | None:
    """None for data that is not what it should be."""
    try:
        return _kept.decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def decode_index(data: bytes) -> dict[str, Seen] | None:
    """None for data that is not what it should be."""
    try:
        return _index.decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
