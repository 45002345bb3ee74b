"""Coverage-guided fuzzing of everything that a user may hand over.

    pip install atheris
    python benchmarks/fuzz.py FOLDER [--what source,...] [-max_total_time=SECONDS] [options of libFuzzer]

FOLDER becomes the corpus: the first run fills it with the fixtures and with samples of the other formats,
later ones go on from what was found to reach new code. The first byte of an input says what the rest is:
source, notebook, suppressions, configuration, baseline or cache. Inputs are mutated by words, not only by
bytes, so that most stay Python. An internal error, an exception that the command line does not catch, or an
input that takes longer than its length allows ends the run; the input is left in the working directory, and

    python benchmarks/fuzz.py FOLDER crash-0123abcd

runs it again. Nothing of the inputs is run.
"""

from __future__ import annotations

import argparse
import io
import json
import random
import re
import sys
import tempfile
import time
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["torchlosslint"]):
    # What is imported only when it is needed must be imported here, or its coverage is not seen.
    from torchlosslint.cli.main import main as command
    from torchlosslint.config import Settings
    from torchlosslint.engine import lint
    from torchlosslint.finding import IN_PART, Report
    from torchlosslint.rule import load_rules
    from torchlosslint.syntax.cst_lower import lower_tree
    from torchlosslint.syntax.cst_tree import with_tree
    from torchlosslint.syntax.guard import SyntaxTrouble, prepare

    load_rules()

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"
WHAT = ("source", "notebook", "suppressions", "configuration", "baseline", "cache")
PROGRAM = """\
import torch
import torch.nn.functional as F
from torch import nn

scores = torch.softmax(nn.Linear(3, 4)(torch.randn(2, 3)), 1)
F.cross_entropy(scores, torch.zeros(2).long())  # torchlosslint: ignore[TLL101] -- known
F.cross_entropy(scores, torch.zeros(2).long())
"""
SAMPLES = {
    "suppressions": [
        "# torchlosslint: ignore[TLL101, softmax-before-cross-entropy] -- why",
        "# noqa: TLL101,TLL1",
        "# torchlosslint: ignore-next-line",
        "# torchlosslint: ignore-file[TLL101] until 2030-01-01",
        "# type: ignore # noqa",
    ],
    "configuration": [
        'extend-select = ["TLL401", "ALL"]\nexclude = ["build/", "!a.py"]\nconfidence = "likely"\n'
        'torch = "2.4"\n'
        '[per-file-ignores]\n"*_demo.py" = ["ALL"]\n[severity]\nTLL109 = "note"\n'
        '[losses."pkg.FocalLoss"]\ninput = "logits"\narguments = ["input", "target"]\n'
        'switches = [{when = {from_logits = false}, input = "probabilities"}]\n'
    ],
    "baseline": ['{"version": 1, "files": {"program.py": {"TLL101": 2, "TLL116": 1}}}'],
}
WORD = re.compile(r"\"[^\"\n]*\"|'[^'\n]*'|\w+|\s+|.", re.DOTALL)
SECONDS, SECONDS_A_KB = 3.0, 0.3  # of CPU time for one input


def samples() -> list[tuple[str, str]]:
    """What to begin with."""
    out = [(name, text) for name, texts in SAMPLES.items() for text in texts]
    for path in sorted(FIXTURES.rglob("*.py")):
        text = path.read_text(errors="replace")
        out.append(("source", text))
        cells = [{"cell_type": "code", "source": part + "\n%time\n"} for part in text.split("\n\n")]
        if len(out) % 20 == 0:
            out.append(("notebook", json.dumps({"cells": cells, "metadata": {}, "nbformat": 4})))
    return out


class Vocabulary:
    """Words of the samples, to put into inputs."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self.lines: list[str] = []
        for _, text in samples():
            self.words += WORD.findall(text)
            self.lines += text.splitlines(keepends=True)
        self.words = sorted(set(self.words))
        self.lines = sorted(set(self.lines))

    def mutated(self, data: bytes, most: int, seed: int) -> bytes:
        """Words and lines deleted, doubled, moved or replaced; now and then libFuzzer's own mutation."""
        dice = random.Random(seed)
        if not data or dice.random() < 0.15:
            return bytes(atheris.Mutate(data, most))
        text = data[1:].decode("utf-8", "replace")
        by_line = dice.random() < 0.5
        parts = text.splitlines(keepends=True) if by_line else WORD.findall(text)
        for _ in range(dice.choice((1, 1, 2, 4))):
            at, other = dice.randrange(len(parts) + 1), dice.randrange(len(parts) + 1)
            match dice.randrange(5):
                case 0:
                    del parts[at : at + 1]
                case 1:
                    parts[at:at] = parts[other : other + dice.choice((1, 3))]
                case 2:
                    parts[at:at] = [dice.choice(self.lines if by_line else self.words)]
                case 3:
                    parts[at : at + 1] = [dice.choice(self.lines if by_line else self.words)]
                case _:
                    moved = parts[other : other + 1]
                    parts[other : other + 1] = parts[at : at + 1]
                    parts[at : at + 1] = moved
        return data[:1] + "".join(parts).encode("utf-8", "replace")[: most - 1]


class Target:
    """Lints one input."""

    def __init__(self, folder: Path, what: tuple[str, ...]) -> None:
        self.folder = folder
        self.what = what
        self.program = folder / "program.py"

    def __call__(self, data: bytes) -> None:
        if not data:
            return
        what = self.what[data[0] % len(self.what)]
        start = time.process_time()
        getattr(self, what)(data[1:])
        taken = time.process_time() - start
        if taken > SECONDS + SECONDS_A_KB * len(data) / 1000:
            raise TimeoutError(f"{taken:.1f} s of CPU time for {what}")

    def source(self, data: bytes) -> None:
        """A module; by libcst as well, which reads only what the running Python refuses."""
        self.program.write_bytes(data)
        checked(lint([self.program], settings()))
        try:
            text = data.decode()
            with_tree(prepare(text), lower_tree)
        except (UnicodeDecodeError, SyntaxTrouble):
            pass

    def notebook(self, data: bytes) -> None:
        """A notebook."""
        path = self.folder / "book.ipynb"
        path.write_bytes(data)
        checked(lint([path], settings()))

    def suppressions(self, data: bytes) -> None:
        """Comments."""
        text = "".join(c for c in data.decode("utf-8", "replace") if c not in "\r\n\0\f")
        self.program.write_text(PROGRAM + f"F.cross_entropy(scores, 1){text}\n")
        checked(lint([self.program], settings()))

    def configuration(self, data: bytes) -> None:
        """A configuration file of the tool's own."""
        self._with("torchlosslint.toml", data, "--config", str(self.folder / "torchlosslint.toml"))

    def baseline(self, data: bytes) -> None:
        """A baseline."""
        self._with("baseline.json", data, "--isolated", "--baseline", str(self.folder / "baseline.json"))

    def cache(self, data: bytes) -> None:
        """All files of a cache replaced."""
        cache = self.folder / "cache"
        self.program.write_text(PROGRAM)
        if not cache.exists():
            checked(lint([self.program], settings(), cache=str(cache)))
        for path in [p for p in cache.rglob("*") if p.is_file()]:
            kept = path.read_bytes()
            at = data[0] * len(kept) // 256 if data else 0
            path.write_bytes(kept[:at] + data[1:] + kept[at + len(data) // 2 :])
        report = lint([self.program], settings(), cache=str(cache))
        checked(report)
        if [f.code for f in report.findings if f.code == "TLL101"] != ["TLL101"]:
            raise RuntimeError("a damaged cache changes the findings")

    def _with(self, name: str, data: bytes, *arguments: str) -> None:
        self.program.write_text(PROGRAM)
        (self.folder / name).write_bytes(data)
        output = io.StringIO()
        with redirect_stdout(output), redirect_stderr(output):
            status = command(["check", "--jobs=1", *arguments, str(self.program)])
        if status not in (0, 1, 2) or "internal" in output.getvalue() or "Traceback" in output.getvalue():
            raise RuntimeError(output.getvalue()[-2000:])


def settings() -> Settings:
    """Everything is reported."""
    return Settings(no_cache=True, verbose=True, confidence="possible", jobs=1)


def checked(report: Report) -> None:
    """Raise where a report tells of an internal error."""
    for skipped in report.skipped:
        if "internal" in skipped.reason and skipped.reason != IN_PART:
            raise RuntimeError(skipped.reason)


def main() -> None:
    """Fill the corpus, fuzz."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--what", default=",".join(WHAT))
    options, rest = parser.parse_known_args()
    what = tuple(options.what.split(","))
    options.folder.mkdir(parents=True, exist_ok=True)
    if not any(options.folder.iterdir()):
        for number, (name, text) in enumerate(samples()):
            if name in what:
                data = bytes([what.index(name)]) + text.encode()
                (options.folder / f"sample-{number}").write_bytes(data)
    vocabulary = Vocabulary()
    with tempfile.TemporaryDirectory() as scratch:
        target = Target(Path(scratch), what)
        runs = [a for a in rest if not a.startswith("-")]
        flags = [a for a in rest if a.startswith("-")]
        arguments = [sys.argv[0], *flags, *(runs or [str(options.folder)])]
        atheris.Setup(arguments, target, custom_mutator=vocabulary.mutated)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
