"""What comes out of the work on one part, in a form that processes and the cache can pass on."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from torchlosslint.finding import Finding, Report
from torchlosslint.sources.screen import Screened

OUTCOME = "o"
PACK = "p"


class Trouble(msgspec.Struct, array_like=True):
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


class Outcome(msgspec.Struct, array_like=True):
    """What a part adds to the report of the run. hidden: findings that are not shown, but may be what a
    suppression is for. times: seconds by phase, and by the codes of rules."""

    report: Report = msgspec.field(default_factory=Report)
    hidden: list[Finding] = []
    troubles: list[Trouble] = []
    times: dict[str, float] = {}


class Kept(msgspec.Struct, array_like=True):
    """An outcome in the cache, with what it depends on besides its key.

    files: further files by key, how findings name them, and digests of their bytes (b"" where they cannot
    be read) and of their settings. lookups: folder, name and the kind of what was found (see
    Resolver.asked). steady: whether everything stayed as it was while the work went on; what was made
    from a moving target is not kept.
    """

    outcome: Outcome
    files: dict[str, tuple[str, bytes, bytes]] = {}
    lookups: list[tuple[str, str, str]] = []
    steady: bool = True


class Seen(msgspec.Struct, array_like=True):
    """What was seen of a file.

    stat: by which its being unchanged is known, () where it is too new to tell. digest: of its bytes.
    worded: whether it may have suppressions of the tool's own. silent: whether it has none of any kind.
    """

    stat: tuple[int, ...]
    digest: bytes
    worded: bool
    silent: bool


class Packed(msgspec.Struct, array_like=True):
    """A part in a pack: its key, its outcome, and (encoded) the Bonds."""

    key: bytes
    outcome: Outcome
    bonds: msgspec.Raw


class Bonds(msgspec.Struct, array_like=True):
    """What an outcome depends on besides its key; see Kept."""

    files: dict[str, tuple[str, bytes, bytes]]
    lookups: list[tuple[str, str, str]]


class Pack(msgspec.Struct, array_like=True):
    """All parts of a root in one entry.

    sign: a digest of the root's files and of all that is known of them before an import is looked up. Where
    it is as it was, and so are these, the parts are what they were: files, what the parts and the screen
    read besides (see Kept); listings, a digest of what is in the folders in which names were looked up.
    """

    sign: bytes
    files: dict[str, tuple[str, bytes, bytes]]
    folders: list[str]
    listings: bytes
    parts: list[Packed]


Screens = dict[str, tuple[bytes, Screened]]  # what the screen saw, and in which bytes

_encoder = msgspec.msgpack.Encoder()
_kept = msgspec.msgpack.Decoder(Kept)
_index = msgspec.msgpack.Decoder(dict[str, Seen])
_screens = msgspec.msgpack.Decoder(Screens)
_pack = msgspec.msgpack.Decoder(Pack)
_bonds = msgspec.msgpack.Decoder(Bonds)


def encode(thing: Kept | Pack | Bonds | Screens | dict[str, Seen]) -> bytes | None:
    """None for what the format cannot hold (a message with a lone surrogate)."""
    try:
        return _encoder.encode(thing)
    except (ValueError, TypeError, OverflowError):
        return None


def encode_rows(rows: list[object]) -> bytes:
    """Rows to make a digest of: strings, bytes, what is made of them."""
    try:
        return _encoder.encode(rows)
    except ValueError:  # the name of a file is not text
        return repr(rows).encode("utf-8", "surrogatepass")


def decode_kept(data: bytes) -> Kept | None:
    """None for data that is not what it should be."""
    return _decoded(_kept, data)


def decode_index(data: bytes) -> dict[str, Seen] | None:
    """None for data that is not what it should be."""
    return _decoded(_index, data)


def decode_screens(data: bytes) -> Screens | None:
    """None for data that is not what it should be."""
    return _decoded(_screens, data)


def decode_pack(data: bytes) -> Pack | None:
    """None for data that is not what it should be."""
    return _decoded(_pack, data)


def decode_bonds(data: bytes | msgspec.Raw) -> Bonds | None:
    """None for data that is not what it should be."""
    return _decoded(_bonds, data)


T = TypeVar("T")


def _decoded(decoder: msgspec.msgpack.Decoder[T], data: bytes | msgspec.Raw) -> T | None:
    try:
        return decoder.decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
