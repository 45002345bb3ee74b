"""A run: paths -> discovery -> screen -> program -> flow -> rules -> report."""

from __future__ import annotations

import gc
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from torchlosslint.config import Configuration, Settings
from torchlosslint.finding import Confidence, Finding, FlowStep, Location, Report, Skipped
from torchlosslint.flow import unused
from torchlosslint.flow.declared import Declarations
from torchlosslint.flow.entries import run_program
from torchlosslint.flow.interpreter import Interpreter
from torchlosslint.flow.values import Place
from torchlosslint.judge import Judge, Raw
from torchlosslint.program.program import Program
from torchlosslint.program.resolve import Resolver
from torchlosslint.rule import Rule, load_rules
from torchlosslint.sieve import Sieve
from torchlosslint.sources.decode import SourceError
from torchlosslint.sources.discovery import Discovery, Root, discover
from torchlosslint.sources.exclude import Exclusion
from torchlosslint.sources.notebook import Source, bytes_of, read
from torchlosslint.sources.screen import ImportEdge, Screened, needed, screen
from torchlosslint.syntax import ir
from torchlosslint.syntax.guard import SyntaxTrouble, on_large_stack, parse_safely
from torchlosslint.syntax.positions import locate

UNREADABLE = "TLL001"
# Files after which the memory of finished parts is collected: syntax trees and heaps have cycles.
COLLECT_EVERY = 200


def lint(
    paths: Sequence[Path | str], settings: Settings, configuration: Configuration | None = None
) -> Report:
    """Lint files and folders.

    configuration: the settings of each file; without it, `settings` are those of all files and no
    configuration file is read. Of `settings`, what concerns the whole run counts (the baseline).
    Raises DiscoveryError for a path that is not there and ConfigError for a setting that cannot be had.
    """
    rules = load_rules()
    if configuration is None:
        configuration = Configuration(settings=settings, rules=rules, isolated=True)
    found, exclusion = discovered(paths, configuration)
    run = _Run(settings, configuration, rules)
    run.report.skipped.extend(found.skipped)
    run.named = found.named
    run.report.files_checked = len(found.files)
    for error in found.errors:
        run.unreadable(error.path, error.line, error.column, error.message)
    was_enabled = gc.isenabled()
    gc.disable()
    gc.freeze()  # what is there already outlives the run: no collection need look at it
    try:
        on_large_stack(lambda: run.roots(found.roots))
    finally:
        gc.unfreeze()
        if was_enabled:
            gc.enable()
    checked = set(found.files)
    walked = checked - found.named
    sieve = Sieve(configuration, rules, checked, walked, lambda path: bool(exclusion.excluded(path)))
    sieve.run(run.report, run.hidden, run.worded, settings)
    return run.report


def discovered(paths: Sequence[Path | str], configuration: Configuration) -> tuple[Discovery, Exclusion]:
    """The files to check, and what decides which are left out."""
    exclusion = Exclusion(
        lambda folder: tuple((p.folder, p.patterns) for p in configuration.of(folder).exclude),
        lambda folder: configuration.of(folder).respect_gitignore,
        lambda folder: configuration.of(folder).force_exclude,
    )
    found = discover(paths, exclusion)
    for path in found.files:
        configuration.of_file(path)
    return found, exclusion


class _Run:
    """The state of one run over all roots."""

    def __init__(self, settings: Settings, configuration: Configuration, rules: list[Rule]) -> None:
        self.settings = settings
        self.configuration = configuration
        # One interpretation for all: what some file selects runs, and the sieve takes away the rest.
        chosen = frozenset[str]().union(*(configuration.selection(s).codes for s in configuration.met()))
        self.rules = [r for r in rules if r.code in chosen]
        self.by_code = {r.code: r for r in self.rules}
        self.hidden: list[Finding] = []  # not shown anyway, but perhaps what a suppression is for
        self.worded: set[str] = set()  # files that may have suppressions
        self.report = Report()
        self.named: set[str] = set()
        self.texts: dict[str, str] = {}
        self.failed: set[str] = set()
        self.since_collection = 0

    def roots(self, roots: Iterable[Root]) -> None:
        """Lint all roots, one after the other."""
        for root in roots:
            self.root(root)

    def root(self, root: Root) -> None:
        """Lint the files of one root, one connected part of its import graph at a time."""
        resolver = Resolver([root.path], lambda folder: self.configuration.of(folder).roots)
        shown = {_key(path): path for path in root.files}
        screened: dict[str, Screened] = {}
        declared = [loss for s in self.configuration.met() for loss in s.declared.losses]
        words = tuple({loss.name.rsplit(".", 1)[-1].encode() for loss in declared})
        for key, path in shown.items():
            data = bytes_of(path)
            if isinstance(data, SourceError):
                self.unreadable(path, data.line, data.column, data.message)
            else:
                screened[key] = screen(data, words)
                if b"TLL" in data or b"torchlosslint:" in data:
                    self.worded.add(path)
        edges: dict[tuple[str, ImportEdge], list[str]] = {}

        def resolve(path: str, edge: ImportEdge) -> list[str]:
            ident = (path, edge)
            if ident not in edges:
                edges[ident] = resolver.files_of(edge, path)
            return edges[ident]

        # What is imported from elsewhere (the package around the root, import roots) counts too: it may
        # be why a file is needed. It is parsed when something imports it.
        todo = list(screened) if any(path not in self.named for path in root.files) else []
        while todo:
            path = todo.pop()
            for edge in screened[path].imports:
                for other in resolve(path, edge):
                    if other not in screened and other not in shown:
                        data = bytes_of(other)
                        if not isinstance(data, SourceError):
                            screened[other] = screen(data, words)
                            todo.append(other)
        wanted = needed(screened, resolve) & shown.keys()
        wanted |= {k for k, path in shown.items() if path in self.named and k in screened}
        for part in components(wanted, screened, resolve):
            self.part(part, resolver, shown)
            self.since_collection += len(part)
            if self.since_collection > COLLECT_EVERY:
                gc.collect()
                self.since_collection = 0

    def part(self, files: list[str], resolver: Resolver, shown: dict[str, str]) -> None:
        """Interpret files that import one another; report; give the memory back."""
        parsed: dict[str, ir.Module | None] = {}

        def parse(key: str) -> ir.Module | None:
            if key not in parsed:
                parsed[key] = self.parse(shown.get(key, key))
            return parsed[key]

        program = Program(resolver, parse)
        judge = Judge(self.rules, self.torch(shown))
        interpreter = Interpreter(program, judge)
        interpreter.declared = self.declarations(shown)
        run_program(interpreter, files)
        for key, reason in sorted(interpreter.failures.items()):
            self.report.skipped.append(Skipped(shown.get(key, key), reason))
        for key in sorted(interpreter.limited):
            self.report.skipped.append(
                Skipped(shown.get(key, key), "too large to follow to the end: losses may be missing")
            )
        if unused.UNUSED in judge.watched:
            unused.tell(interpreter)
        judge.finish()
        self.conclude(judge, shown)
        self.texts.clear()

    def torch(self, shown: dict[str, str]) -> Callable[[str], tuple[int, int] | None] | None:
        """For a file, the version of torch that it runs on; None where no configuration says that."""
        of_file = self.configuration.of_file
        if all(settings.torch is None for settings in self.configuration.met()):
            return None
        return lambda key: of_file(shown.get(key, key)).torch

    def declarations(self, shown: dict[str, str]) -> Declarations | None:
        """The contracts that configurations declare; None where none does."""
        found = [settings.declared for settings in self.configuration.met() if settings.declared]
        if not found:
            return None
        of_file = self.configuration.of_file
        return Declarations(lambda key: of_file(shown.get(key, key)).declared, found)

    def parse(self, path: str) -> ir.Module | None:
        """The IR of a file; what cannot be read or parsed becomes a TLL001."""
        source = self.source(path)
        if isinstance(source, SourceError):
            self.unreadable(path, source.line, source.column, source.message)
            return None
        try:
            module = parse_safely(path, source.text)
        except SyntaxTrouble as trouble:
            self.unreadable(path, trouble.line, trouble.column, trouble.message)
            return None
        self.report.files_parsed += 1
        return module

    def source(self, path: str) -> Source | SourceError:
        """The text of a file; of a notebook without the cells that cannot be parsed, which are told."""
        source = read(path)
        if isinstance(source, SourceError) or source.cells is None:
            return source
        try:
            parse_safely(path, source.text)
        except SyntaxTrouble:
            bad = set()
            for cell in source.cells.numbers():
                try:
                    parse_safely(path, source.cell(cell))
                except SyntaxTrouble as trouble:
                    bad.add(cell)
                    self.unreadable(path, trouble.line, trouble.column, trouble.message, cell)
            return source.without(bad)
        return source

    def unreadable(self, path: str, line: int, column: int, message: str, cell: int | None = None) -> None:
        """TLL001 for a file (or a cell of a notebook), once."""
        what = path if cell is None else f"{path}: cell {cell}"
        if what in self.failed:
            return
        self.failed.add(what)
        self.report.skipped.append(Skipped(what, message))
        rule = self.by_code.get(UNREADABLE)
        if rule is not None:
            where = Location(path, max(line, 1), max(column, 1), max(line, 1), max(column, 1), cell)
            help_text = "Mend the file, or leave it out of the paths that are linted."
            if cell is not None:
                help_text = "Mend the cell; the others are linted without it."
            self.report.findings.append(
                Finding(rule.code, rule.name, rule.severity, "certain", message, help_text, where)
            )

    def conclude(self, judge: Judge, shown: dict[str, str]) -> None:
        """Raw findings and unjudged losses to the report, with positions."""
        raws: list[tuple[Raw, Confidence, bool]] = []
        for raw in judge.found.values():
            confidence = judge.confidence(raw)
            path = shown.get(raw.place.path, raw.place.path)
            seen = self.configuration.of_file(path).shows(confidence) and not self.quiet(raw, path)
            if seen or any(shown.get(p.path, p.path) in self.worded for p in _places(raw)):
                raws.append((raw, confidence, seen))
        calls = self.report.loss_calls
        calls.judged += len(judge.judged)
        calls.unknown += len(judge.seen)
        calls.seen = calls.judged + calls.unknown
        places = [p for raw, _, _ in raws for p in _places(raw)]
        places.extend(judge.seen if self.settings.verbose else ())
        where = self.locations(places, shown)
        for place, reason in judge.seen.items():
            if self.settings.verbose and place in where:
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
                steps.append(FlowStep(where[raw.loss_place], "the torch loss is called here"))
            rule = raw.rule
            problem = raw.problem
            (self.report.findings if seen else self.hidden).append(
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
        chosen = self.configuration.selection(self.configuration.of_file(path))
        if raw.rule.code in chosen.explicit:
            return False
        if raw.rule.code not in chosen:
            return True
        key = (raw.rule.code, what)
        self.report.quiet[key] = self.report.quiet.get(key, 0) + 1
        return True

    def locations(self, places: Iterable[Place], shown: dict[str, str]) -> dict[Place, Location]:
        """Positions of nodes: files with findings are parsed once more."""
        by_file: dict[str, set[int]] = defaultdict(set)
        for place in places:
            by_file[place.path].add(place.o)
        out: dict[Place, Location] = {}
        for key, ordinals in by_file.items():
            path = shown.get(key, key)
            source = self.source(path)
            if isinstance(source, SourceError):
                self.unreadable(path, source.line, source.column, source.message)  # gone since it was parsed
                continue
            for ordinal, (line, column, end_line, end_column) in locate(source.text, ordinals).items():
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


def _key(path: str) -> str:
    return os.path.normpath(path)


def components(
    wanted: Iterable[str], screened: dict[str, Screened], resolve: Callable[[str, ImportEdge], list[str]]
) -> list[list[str]]:
    """The needed files in groups that import one another, importers before what they import."""
    wanted = sorted(wanted)
    inside = set(wanted)
    parent = {p: p for p in wanted}

    def find(path: str) -> str:
        while parent[path] != path:
            parent[path] = parent[parent[path]]
            path = parent[path]
        return path

    imported: dict[str, int] = dict.fromkeys(wanted, 0)
    for path in wanted:
        for edge in screened[path].imports:
            for other in resolve(path, edge):
                if other in inside and other != path:
                    imported[other] += 1
                    a, b = find(path), find(other)
                    if a != b:
                        parent[b] = a
    groups: dict[str, list[str]] = defaultdict(list)
    for path in wanted:
        groups[find(path)].append(path)
    return [sorted(group, key=lambda p: (imported[p] > 0, p)) for group in groups.values()]
