"""The work on one part of a program: files that import one another, interpreted and judged.

A part knows nothing of the others, so parts can be worked on in any order and in any process.
"""

from __future__ import annotations

import gc
import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from torchlosslint.cache import Cache, digest
from torchlosslint.contracts.declared import Declared
from torchlosslint.finding import IN_PART, Confidence, Finding, FlowStep, Location, Skipped
from torchlosslint.flow import tallies, unused
from torchlosslint.flow.declared import Declarations
from torchlosslint.flow.entries import forget, run_program
from torchlosslint.flow.interpreter import Interpreter
from torchlosslint.flow.values import Place
from torchlosslint.judge import Judge, Raw
from torchlosslint.outcome import OUTCOME, Kept, Outcome, Trouble, encode
from torchlosslint.program.program import Program
from torchlosslint.program.resolve import Resolver
from torchlosslint.rule import Rule
from torchlosslint.sources.decode import SourceError
from torchlosslint.sources.notebook import Source, raw_bytes, text_of
from torchlosslint.syntax import ir
from torchlosslint.syntax.compact import compact
from torchlosslint.syntax.guard import SyntaxTrouble
from torchlosslint.syntax.parse import count_lines, parse_safely
from torchlosslint.syntax.positions import locate
from torchlosslint.view import View

# Files after which the memory of finished parts is collected: syntax trees and heaps have cycles.
COLLECT_EVERY = 500
# Bytes of source above which a part's syntax is kept in less memory, which takes time.
LARGE = 2_000_000
IR = "i"


@dataclass(frozen=True, slots=True)
class Job:
    """The files of one part (importers before what they import), and what finds its outcome again.

    starts: the folder that the run was given, and more in which absolute imports are looked up. shown: how
    findings name files, where that is not as here. worded: those in the folder that may have suppressions.
    digests: of the bytes of the files. size: their sum. key: a digest of all that and of the settings.
    """

    starts: tuple[str, ...]
    files: tuple[str, ...]
    shown: dict[str, str]
    worded: frozenset[str]
    digests: tuple[bytes, ...]
    size: int
    key: bytes


class Shop:
    """Does jobs, one after the other."""

    def __init__(
        self,
        view: View,
        rules: Iterable[Rule],
        cache: Cache | None,
        watched: bool = False,
    ) -> None:
        self.view = view
        self.rules = list(rules)
        self.cache = cache
        self.resolvers: dict[tuple[str, ...], Resolver] = {}
        self.reading: Callable[[str], None] | None = None  # is told of each file that is read
        self.ahead: dict[bytes, bytes] = {}  # modules that were parsed elsewhere, by the digest of their text
        self.rule_times: dict[str, float] = defaultdict(float)
        self.since_collection = 0
        self.tight = False  # whether the job at hand has so much code that its memory counts
        if watched:
            for rule in self.rules:
                self._watch(rule)

    def do(self, job: Job) -> Outcome:
        """The outcome of a job, which goes into the cache as well."""
        if job.starts not in self.resolvers:
            self.resolvers[job.starts] = Resolver(job.starts, self.view.roots)
        self.tight = job.size > LARGE
        part = Part(self, job, self.resolvers[job.starts].recording())
        start = time.process_time()
        part.run()
        self._times(part, time.process_time() - start)
        kept = part.kept
        if self.cache is not None and kept.steady:
            times, kept.outcome.times = kept.outcome.times, {}
            data = encode(kept)
            kept.outcome.times = times
            if data is not None:
                self.cache.store(OUTCOME, job.key, data)
        self.since_collection += len(job.files)
        if self.since_collection > COLLECT_EVERY:
            gc.collect()
            self.since_collection = 0
        return kept.outcome

    def module(self, path: str, text: str) -> ir.Module:
        """The IR of a text; raises SyntaxTrouble."""
        if self.reading is not None:
            self.reading(path)
        if self.cache is None and not self.ahead:
            return self._kept(parse_safely(path, text))
        key = digest(text)
        data = self.ahead.pop(key, None)
        if data is None and self.cache is not None:
            data = self.cache.load(IR, key)
        if data is not None:
            try:
                module = _decoder.decode(data)
                # The steps that a file may take follow from it: it must not be what a cache says.
                module.lines = count_lines(text.encode())
                return self._kept(module)
            except (msgspec.MsgspecError, ValueError, RecursionError):
                if self.cache is not None:
                    self.cache.discard(IR, key)
        module = parse_safely(path, text)
        if self.cache is not None and (encoded := encoded_module(module)) is not None:
            self.cache.store(IR, key, encoded)
        return self._kept(module)

    def _kept(self, module: ir.Module) -> ir.Module:
        return compact(module) if self.tight else module

    def parse_ahead(self, paths: Iterable[str]) -> dict[bytes, bytes]:
        """Modules of files that somebody will want: into the cache, or returned where that is not to be
        had. What goes wrong here goes wrong again there, where it is told."""
        out: dict[bytes, bytes] = {}
        for path in paths:
            data = raw_bytes(path)
            source = data if isinstance(data, SourceError) else text_of(data, path)
            if isinstance(source, SourceError) or source.cells is not None:
                continue
            key = digest(source.text)
            if self.cache is not None and self.cache.load(IR, key) is not None:
                continue
            try:
                encoded = encoded_module(parse_safely(path, source.text))
            except SyntaxTrouble:
                continue
            if encoded is not None:
                if self.cache is not None:
                    self.cache.store(IR, key, encoded)
                if self.cache is None or self.cache.trouble:
                    out[key] = encoded
        return out

    def _times(self, part: Part, total: float) -> None:
        """Flow is what remains of the whole."""
        times = part.kept.outcome.times
        times["flow"] = total - sum(times.values()) - sum(self.rule_times.values())
        times.update(self.rule_times)
        self.rule_times.clear()

    def _watch(self, rule: Rule) -> None:
        """Take the time of a rule's answers."""
        for name in ("check_loss", "check_event", "check_program"):
            if getattr(type(rule), name) is not getattr(Rule, name):
                setattr(rule, name, _timed(getattr(rule, name), rule.code, self.rule_times))


def _timed(check: Callable[..., Iterable[Any]], code: str, times: dict[str, float]) -> Callable[..., Any]:
    def timed(what: object) -> list[Any]:
        start = time.process_time()
        answers = list(check(what))
        times[code] += time.process_time() - start
        return answers

    return timed


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(ir.Module)


def encoded_module(module: ir.Module) -> bytes | None:
    """None for what the format cannot hold: very large integers, lone surrogates."""
    try:
        return _encoder.encode(module)
    except (ValueError, TypeError, OverflowError, RecursionError):
        return None


class Part:
    """The state of the work on one part."""

    def __init__(self, shop: Shop, job: Job, resolver: Resolver) -> None:
        self.shop = shop
        self.job = job
        self.resolver = resolver
        self.view = shop.view
        self.shown = job.shown
        self.kept = Kept(Outcome())
        self.report = self.kept.outcome.report
        self.own = dict(zip(job.files, job.digests, strict=True))
        self.failed: set[str] = set()
        self.modules: dict[str, ir.Module] = {}

    def run(self) -> None:
        """Interpret the files; report."""
        parsed: dict[str, ir.Module | None] = {}

        def parse(key: str) -> ir.Module | None:
            if key not in parsed:
                start = time.process_time()
                parsed[key] = self.parse(key)
                self.spent("parse", start)
            return parsed[key]

        program = Program(self.resolver, parse)
        judge = Judge(self.shop.rules, self.torch if self.view.has_versions else None)
        interpreter = Interpreter(program, judge)
        if self.view.declared:
            interpreter.declared = Declarations(self.declared, self.view.declared)
        run_program(interpreter, self.job.files)
        for key, reason in sorted(interpreter.failures.items()):
            self.report.skipped.append(Skipped(self.shown.get(key, key), reason))
        for key in sorted(interpreter.limited):
            self.report.skipped.append(Skipped(self.shown.get(key, key), IN_PART))
        # What went wrong may go right another time.
        self.kept.steady = self.kept.steady and not interpreter.failures
        if unused.UNUSED in judge.watched:
            unused.tell(interpreter)
        if tallies.COUNTED in judge.watched:
            tallies.tell(interpreter)
        judge.finish()
        start = time.process_time()
        self.conclude(judge)
        self.spent("locate", start)
        forget(interpreter)
        asked = self.resolver.asked or {}
        self.kept.lookups = [(folder, name, kind) for (folder, name), kind in asked.items()]

    def torch(self, key: str) -> tuple[int, int] | None:
        """The version of torch that a file runs on, where that is known."""
        return self.view.of(self.shown.get(key, key)).torch

    def declared(self, key: str) -> Declared:
        """What the settings of a file declare."""
        return self.view.of(self.shown.get(key, key)).declared

    def spent(self, phase: str, start: float) -> None:
        """Book the time since `start`."""
        times = self.kept.outcome.times
        times[phase] = times.get(phase, 0.0) + time.process_time() - start

    def parse(self, key: str) -> ir.Module | None:
        """The IR of a file; what cannot be read or parsed becomes a TLL001."""
        path = self.shown.get(key, key)
        source = self.source(key)
        if isinstance(source, SourceError):
            self.unreadable(path, source.line, source.column, source.message)
            return None
        try:
            module = self.shop.module(path, source.text)
        except SyntaxTrouble as trouble:
            self.unreadable(path, trouble.line, trouble.column, trouble.message)
            return None
        self.report.files_parsed += 1
        self.modules[key] = module
        return module

    def source(self, key: str) -> Source | SourceError:
        """The text of a file; of a notebook without the cells that cannot be parsed, which are told."""
        path = self.shown.get(key, key)
        data = raw_bytes(path)
        self.depends(key, b"" if isinstance(data, SourceError) else digest(data))
        source = data if isinstance(data, SourceError) else text_of(data, path)
        if isinstance(source, SourceError) or source.cells is None:
            return source
        try:
            parse_safely(path, source.text)
        except SyntaxTrouble:
            bad = set()
            for cell, text in source.by_cell().items():
                try:
                    parse_safely(path, text)
                except SyntaxTrouble as trouble:
                    bad.add(cell)
                    self.unreadable(path, trouble.line, trouble.column, trouble.message, cell)
            return source.without(bad)
        return source

    def depends(self, key: str, read: bytes) -> None:
        """The outcome depends on a file, of which this was read."""
        own = self.own.get(key)
        if own is None:
            path = self.shown.get(key, key)
            told = self.view.told(path, self.job.worded)
            _, own, _ = self.kept.files.setdefault(key, (path, read, told))
        if read != own:
            self.kept.steady = False

    def unreadable(self, path: str, line: int, column: int, message: str, cell: int | None = None) -> None:
        """What becomes a TLL001, once."""
        trouble = Trouble(path, line, column, message, cell)
        if trouble.what not in self.failed:
            self.failed.add(trouble.what)
            self.kept.outcome.troubles.append(trouble)

    def conclude(self, judge: Judge) -> None:
        """Raw findings and unjudged losses to the report, with positions."""
        raws: list[tuple[Raw, Confidence, bool]] = []
        for raw in judge.found.values():
            confidence = judge.confidence(raw)
            path = self.shown.get(raw.place.path, raw.place.path)
            seen = self.view.of(path).shows(confidence) and not self.quiet(raw, path)
            if seen or any(self.shown.get(p.path, p.path) in self.job.worded for p in _places(raw)):
                raws.append((raw, confidence, seen))
        calls = self.report.loss_calls
        calls.judged += len(judge.judged)
        calls.unknown += len(judge.seen)
        calls.seen = calls.judged + calls.unknown
        places = [p for raw, _, _ in raws for p in _places(raw)]
        places.extend(judge.seen if self.view.verbose else ())
        where = self.locations(places)
        for place, reason in judge.seen.items():
            if self.view.verbose and place in where:
                calls.reasons.append((where[place].path, where[place].line, reason))
        for raw, confidence, seen in raws:
            location = where.get(raw.place)
            if location is None:
                continue
            here = (location.path, location.line)
            steps = [
                FlowStep(at, s.note)
                for s in raw.steps
                # The blamed line itself says that the value comes back there.
                if (at := where.get(s.place)) is not None
                and (s.dom is not None or (at.path, at.line) != here)
            ]
            if raw.loss_place is not None and raw.loss_place != raw.place and raw.loss_place in where:
                steps.append(FlowStep(where[raw.loss_place], raw.inside))
            rule = raw.rule
            problem = raw.problem
            (self.report.findings if seen else self.kept.outcome.hidden).append(
                Finding(
                    rule.code,
                    rule.name,
                    raw.severity,
                    confidence,
                    problem.message,
                    problem.help,
                    location,
                    tuple(steps),
                )
            )

    def quiet(self, raw: Raw, path: str) -> bool:
        """Whether a note is only counted: the rule says so, and nobody selected it by name."""
        what = raw.rule.quiet_notes
        if not what or raw.severity != "note":
            return False
        if self.view.is_explicit(raw.rule.code, path):
            return False
        if not self.view.selects(raw.rule.code, path):
            return True
        key = (raw.rule.code, what)
        self.report.quiet[key] = self.report.quiet.get(key, 0) + 1
        return True

    def locations(self, places: Iterable[Place]) -> dict[Place, Location]:
        """Positions of nodes: what is around findings is parsed once more."""
        by_file: dict[str, set[int]] = defaultdict(set)
        for place in places:
            by_file[place.path].add(place.o)
        out: dict[Place, Location] = {}
        for key, ordinals in by_file.items():
            path = self.shown.get(key, key)
            source = self.source(key)
            if isinstance(source, SourceError):
                self.unreadable(path, source.line, source.column, source.message)  # gone since it was parsed
                continue
            located = locate(source.text, ordinals, self.modules.get(key))
            for ordinal, (line, column, end_line, end_column) in located.items():
                cell = None
                if source.cells is not None:
                    (cell, line), (_, end_line) = source.cells.place(line), source.cells.place(end_line)
                out[Place(key, ordinal)] = Location(
                    path.replace(os.sep, "/"), line, column, end_line, end_column, cell
                )
        return out


def _places(raw: Raw) -> list[Place]:
    places = [raw.place, *(s.place for s in raw.steps)]
    if raw.loss_place is not None:
        places.append(raw.loss_place)
    return places
