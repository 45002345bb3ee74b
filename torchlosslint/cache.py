"""What earlier runs found out, in files whose names say what it was found out from.

A key is a digest of everything that the entry depends on and that is known beforehand, so that an entry
is never out of date; what is no longer asked for goes when the cache grows too large. Entries are written
whole or not at all (several runs may share a cache), carry a checksum, and are data that is checked when
it is decoded: a cache that came with a pull request can be wrong, but it runs nothing. Nothing here raises:
where the disk is full or the tree cannot be written, a run goes on without a cache and says so once.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
import sys
import time
from collections.abc import Iterable
from hashlib import blake2b
from importlib.metadata import version

FOLDER = ".torchlosslint_cache"
VARIABLE = "TORCHLOSSLINT_CACHE_DIR"
MAX_BYTES = 256_000_000
MAX_ENTRY = 64_000_000
SIZE = 16  # bytes of a digest
# An entry that is used is marked as used once a day: the oldest go first.
DAY = 86_400
FORGOTTEN = 3600  # seconds after which the draft of an entry was left behind by a run that was killed

_ENTRY = re.compile(r"(?:[a-z]-[0-9a-f]{32}|draft-[0-9]+-[0-9a-f]{16})\Z")
_IGNORE = "# Made by torchlosslint.\n*\n"
_TAG = (
    "Signature: 8a477f597d28d172789f06886806bc55\n# Made by torchlosslint; see https://bford.info/cachedir/\n"
)
_FIXED = {".gitignore": _IGNORE, "CACHEDIR.TAG": _TAG}
_READ = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def default_folder() -> str:
    """Where the cache is: below the working directory, if no variable says otherwise."""
    return os.environ.get(VARIABLE) or FOLDER


def digest(*parts: bytes | str) -> bytes:
    """A digest of these, in this order."""
    pieces: list[bytes] = []
    for part in parts:
        data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        pieces += (b"%d:" % len(data), data)
    return blake2b(b"".join(pieces), digest_size=SIZE).digest()


class Cache:
    """The entries in a folder. stamp: a digest of the tool; entries of another tool are not seen.

    trouble: why nothing can be kept, "" while all is well.
    """

    def __init__(self, folder: str, stamp: bytes) -> None:
        self.folder = folder
        self.stamp = stamp
        self.trouble = ""
        self.written = 0
        self._made = False

    def load(self, kind: str, key: bytes) -> bytes | None:
        """The entry of a kind (a letter) and a key, None where there is none that is whole."""
        path = self._path(kind, key)
        try:
            handle = os.open(path, _READ)
        except OSError:
            return None
        try:
            with os.fdopen(handle, "rb") as file:
                about = os.fstat(handle)
                if not stat.S_ISREG(about.st_mode) or about.st_size > MAX_ENTRY:
                    return None
                data = file.read(MAX_ENTRY + 1)
        except OSError:
            return None
        if digest(data[SIZE:]) != data[:SIZE]:
            self.discard(kind, key)
            return None
        if time.time() - about.st_mtime > DAY:
            with contextlib.suppress(OSError):
                os.utime(path)
        return data[SIZE:]

    def store(self, kind: str, key: bytes, data: bytes) -> None:
        """Keep an entry."""
        if self.trouble or len(data) + SIZE > MAX_ENTRY:
            return
        try:
            self._make()
            draft = os.path.join(self.folder, f"draft-{os.getpid()}-{os.urandom(8).hex()}")
            try:
                with open(draft, "xb") as file:
                    file.write(digest(data))
                    file.write(data)
                os.replace(draft, self._path(kind, key))
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(draft)
                raise
            self.written += 1
        except OSError as error:
            self.trouble = error.strerror or str(error)

    def discard(self, kind: str, key: bytes) -> None:
        """Forget an entry that is of no use."""
        if not os.path.islink(self.folder):
            with contextlib.suppress(OSError):
                os.unlink(self._path(kind, key))

    def prune(self, limit: int = MAX_BYTES) -> None:
        """Make room: the entries that were used last stay, in four fifths of the limit."""
        entries = []
        with contextlib.suppress(OSError), os.scandir(self.folder) as found:
            for entry in found:
                if _ENTRY.match(entry.name):
                    with contextlib.suppress(OSError):
                        about = entry.stat(follow_symlinks=False)
                        entries.append((about.st_mtime, about.st_size, entry.path))
        total = sum(size for _, size, _ in entries)
        goal = limit * 4 // 5 if total > limit else total
        now = time.time()
        for used, size, path in sorted(entries):
            is_draft = os.path.basename(path).startswith("draft-")
            if total > goal or (is_draft and now - used > FORGOTTEN):
                with contextlib.suppress(OSError):
                    os.unlink(path)
                total -= size

    def _path(self, kind: str, key: bytes) -> str:
        return os.path.join(self.folder, f"{kind}-{digest(self.stamp, kind, key).hex()}")

    def _make(self) -> None:
        if self._made:
            return
        if os.path.islink(self.folder):
            raise OSError(f"{self.folder} is a link")
        os.makedirs(self.folder, exist_ok=True)
        for name, text in _FIXED.items():
            with contextlib.suppress(FileExistsError), open(os.path.join(self.folder, name), "x") as file:
                file.write(text)
        self._made = True


def clean(folder: str) -> int:
    """Remove a cache, and nothing in its folder that is not of it; how many entries there were.
    Raises OSError."""
    if os.path.islink(folder):
        raise OSError(f"{folder} is a link")
    count = 0
    try:
        with os.scandir(folder) as found:
            names = [entry.name for entry in found]
    except FileNotFoundError:
        return 0
    for name in names:
        if _ENTRY.match(name) or name in _FIXED:
            with contextlib.suppress(FileNotFoundError):  # another run was quicker
                os.unlink(os.path.join(folder, name))
            count += name not in _FIXED
    with contextlib.suppress(OSError):  # something else is in it
        os.rmdir(folder)
    return count


def stamp_of(modules: Iterable[str]) -> bytes:
    """A digest of the tool: its own sources and those of the rules (by the names of their modules), and
    the Python and the parser that it runs on."""
    folders: set[str] = set()
    files: set[str] = set()
    for module in {__name__, *modules}:
        names = module.split(".")
        found = [sys.modules.get(".".join(names[:n])) for n in range(1, len(names) + 1)]
        paths = [os.path.abspath(path) for each in found if (path := getattr(each, "__file__", None))]
        folders.update(os.path.dirname(path) for path in paths if os.path.basename(path) == "__init__.py")
        files.update(path for path in paths if os.path.basename(path) != "__init__.py")
    for folder in folders:
        for top, below, inside in os.walk(folder):
            below[:] = [name for name in below if name != "__pycache__"]
            files.update(os.path.join(top, name) for name in inside if name.endswith(".py"))
    parts: list[bytes | str] = [sys.version, version("libcst")]
    for path in sorted(files):
        with contextlib.suppress(OSError), open(path, "rb", buffering=0) as file:
            parts += [os.path.basename(path), file.read()]
    return digest(*parts)
