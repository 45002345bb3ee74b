"""The JSON interface: every key, in order."""

from __future__ import annotations

import json

import pytest
from msgspec.structs import replace
from reports import at, finding, report

from torchlosslint.finding import Edit, Fix, Report
from torchlosslint.report.base import Options, renderer


def rendered(what: Report) -> str:
    return "".join(renderer("json")(what, Options(verbose=True, color=True, width=10)))


def test_the_whole_document() -> None:
    text = rendered(report())
    assert text.endswith("}\n")
    expected = {
        "version": 1,
        "findings": [
            {
                "code": "TLL101",
                "name": "softmax-before-cross-entropy",
                "severity": "error",
                "confidence": "certain",
                "message": "cross-entropy gets probabilities, it applies log_softmax itself",
                "path": "train.py",
                "line": 2,
                "column": 19,
                "end_line": 2,
                "end_column": 25,
                "cell": None,
                "flow": [
                    {
                        "path": "model.py",
                        "line": 3,
                        "column": 16,
                        "cell": None,
                        "note": "softmax over dim 1 makes probabilities",
                    },
                    {
                        "path": "train.py",
                        "line": 2,
                        "column": 9,
                        "cell": None,
                        "note": "criterion is nn.CrossEntropyLoss",
                    },
                ],
                "fix": None,
            },
            {
                "code": "TLL118",
                "name": "softmax-implicit-dim",
                "severity": "warning",
                "confidence": "likely",
                "message": "no dim is given",
                "path": "train.py",
                "line": 1,
                "column": 13,
                "end_line": 1,
                "end_column": 19,
                "cell": None,
                "flow": [],
                "fix": None,
            },
        ],
        "summary": {
            "files_checked": 3,
            "files_parsed": 2,
            "findings": 2,
            "by_code": {"TLL101": 1, "TLL118": 1},
            "skipped": [{"path": "build", "reason": "build output"}],
            "loss_calls": {"seen": 3, "judged": 2, "unknown": 1},
        },
    }
    # As text, so that the order of keys counts too.
    assert json.dumps(json.loads(text)) == json.dumps(expected)


def test_a_fix() -> None:
    place = at("model.py", 3, 16, 44)
    fixed = replace(finding(place), fix=Fix("unsafe", "drop the softmax", (Edit(place, "self.fc(x)"),)))
    assert json.dumps(json.loads(rendered(Report([fixed])))["findings"][0]["fix"]) == json.dumps(
        {
            "safety": "unsafe",
            "description": "drop the softmax",
            "edits": [
                {
                    "path": "model.py",
                    "line": 3,
                    "column": 16,
                    "end_line": 3,
                    "end_column": 44,
                    "text": "self.fc(x)",
                }
            ],
        }
    )


@pytest.mark.parametrize("path", ["漢/é.py", "with\x1bescape.py", "undecodable\udcff.py"])
def test_odd_paths_survive(path: str) -> None:
    text = rendered(Report([finding(at(path, 1, 1, 2))]))
    assert text.isascii()
    assert "\x1b" not in text
    assert json.loads(text)["findings"][0]["path"] == path


def test_an_empty_report() -> None:
    assert json.loads(rendered(Report()))["findings"] == []


def test_an_unknown_format() -> None:
    with pytest.raises(ValueError, match="unknown format 'yaml'"):
        renderer("yaml")
