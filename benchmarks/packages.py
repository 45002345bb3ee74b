"""Lint the public packages of packages.toml and compare the findings with expected.json.

    python benchmarks/packages.py [--cache FOLDER] [--only NAME]... [--list]

Downloads the wheels with pip (once; nothing of them is run), unpacks them into the cache folder and lints
each with the default settings. expected.json holds the findings that somebody read and found true; all
others are printed as new, and have to be read. Needs Python 3.11 and torchlosslint in the environment it
runs in. Exit status 1 where something is new or vanished, or a run failed.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import child
import tomllib

HERE = Path(__file__).parent
Key = tuple[str, str, int, str]  # package, path, line, code


def main() -> int:
    """Lint, print, compare."""
    parser = argparse.ArgumentParser(description="Lint pinned public packages.")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "torchlosslint-packages")
    parser.add_argument(
        "--only", action="append", default=[], metavar="NAME", help="lint this one; repeatable"
    )
    parser.add_argument("--list", action="store_true", help="print every finding, not only the new ones")
    options = parser.parse_args()
    packages = tomllib.loads((HERE / "packages.toml").read_text())["package"]
    unknown = set(options.only) - {p["name"] for p in packages}
    if unknown:
        parser.error(f"not in packages.toml: {', '.join(sorted(unknown))}")
    chosen = [p for p in packages if p["name"] in options.only or not options.only]
    names = {p["name"] for p in chosen}
    expected = {_key(e["package"], e): e for e in json.loads((HERE / "expected.json").read_text())}
    expected = {k: e for k, e in expected.items() if k[0] in names}
    found: dict[Key, dict[str, Any]] = {}
    failed = False
    print(
        f"{'package':37}{'files':>7}{'parsed':>8}{'lines':>9}{'CPU s':>8}{'MB':>6}"
        f"{'seen':>7}{'judged':>8}{'unknown':>9}  findings"
    )
    for package in chosen:
        report = lint(package, unpacked(package, options.cache))
        failed |= report is None
        for finding in report or []:
            found[_key(package["name"], finding)] = finding
    for key, finding in found.items():
        if options.list or key not in expected:
            _show("new" if key not in expected else "expected", key, finding["message"])
            for step in finding["flow"]:
                print(f"        {step['path']}:{step['line']}: {step['note']}")
    vanished = [] if failed else [k for k in expected if k not in found]
    for key in vanished:
        _show("vanished", key, expected[key]["why"])
    new = sum(key not in expected for key in found)
    print(f"{len(found)} findings: {len(found) - new} expected, {new} new; {len(vanished)} vanished")
    return int(failed or bool(new) or bool(vanished))


def unpacked(package: dict[str, str], cache: Path) -> Path:
    """The folder of the cache that holds a package, downloaded and unpacked if it is not there."""
    folder = cache / f"{package['name']}-{package['version']}"
    if folder.is_dir():
        return folder
    with tempfile.TemporaryDirectory() as download:
        pin = f"{package['name']}=={package['version']}"
        command = ["-m", "pip", "download", "--no-deps", "--no-binary", ":none:", "--only-binary", ":all:"]
        cost = child.run([*command, "--quiet", "--dest", download, pin])
        wheels = list(Path(download).glob("*.whl"))
        if len(wheels) != 1:
            raise SystemExit(f"cannot download {pin}:\n{cost.errors}")
        cache.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(dir=cache))
        try:
            with zipfile.ZipFile(wheels[0]) as wheel:
                wheel.extractall(part)
            part.rename(folder)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    return folder


def lint(package: dict[str, str], folder: Path) -> list[dict[str, Any]] | None:
    """The findings in a package, after one line of numbers; None where the run failed."""
    with tempfile.TemporaryDirectory() as scratch:
        record = Path(scratch) / "record.json"
        arguments = [str(child.RECORDED), str(record), "check", package["folder"], "--no-cache", "--jobs=1"]
        cost = child.run([*arguments, "--format", "json", "--exit-zero"], folder)
        name = f"{package['name']} {package['version']}"
        if cost.status != 0:
            print(f"{name:37}failed with status {cost.status}\n{cost.errors[-4000:]}")
            return None
        lines = sum(count for _, count in json.loads(record.read_text()))
    report = json.loads(cost.output)
    summary, calls = report["summary"], report["summary"]["loss_calls"]
    by_code = Counter(finding["code"] for finding in report["findings"])
    print(
        f"{name:37}{summary['files_checked']:7}{summary['files_parsed']:8}{lines:9}{cost.cpu:8.1f}"
        f"{cost.peak / 1e6:6.0f}{calls['seen']:7}{calls['judged']:8}{calls['unknown']:9}  "
        + (", ".join(f"{code} {count}" for code, count in sorted(by_code.items())) or "-"),
        flush=True,
    )
    findings: list[dict[str, Any]] = report["findings"]
    return findings


def _key(package: str, finding: dict[str, Any]) -> Key:
    return package, finding["path"], finding["line"], finding["code"]


def _show(state: str, key: Key, text: str) -> None:
    package, path, line, code = key
    print(f"{state:9}{package} {path}:{line} {code} {text}")


if __name__ == "__main__":
    sys.exit(main())
