"""Made-up findings for the tests of the output formats and of the command line."""

from __future__ import annotations

from typing import Any

from torchlosslint.finding import Finding, FlowStep, Location, LossCalls, Report, Skipped


def at(path: str, line: int, column: int, end_column: int, end_line: int | None = None) -> Location:
    return Location(path, line, column, end_line or line, end_column)


def finding(location: Location, *flow: FlowStep, **changes: Any) -> Finding:
    fields: dict[str, Any] = {
        "code": "TLL101",
        "name": "softmax-before-cross-entropy",
        "severity": "error",
        "confidence": "certain",
        "message": "cross-entropy gets probabilities, it applies log_softmax itself",
        "help": "return the scores of the last layer",
        **changes,
    }
    return Finding(location=location, flow=flow, **fields)


MODEL = """\
class Net(nn.Module):
    def forward(self, x):
        return F.softmax(self.fc(x), dim=1)
"""
TRAIN = """\
for x, y in loader:
\tloss = criterion(net(x), y)
"""


def report() -> Report:
    """Findings in two files, as a run would give them."""
    softmax = FlowStep(at("model.py", 3, 16, 44), "softmax over dim 1 makes probabilities")
    loss = FlowStep(at("train.py", 2, 9, 29), "criterion is nn.CrossEntropyLoss")
    return Report(
        findings=[
            finding(at("train.py", 2, 19, 25), softmax, loss),
            finding(
                at("train.py", 1, 13, 19),
                code="TLL118",
                name="softmax-implicit-dim",
                severity="warning",
                confidence="likely",
                message="no dim is given",
                help="",
            ),
        ],
        files_checked=3,
        files_parsed=2,
        skipped=[Skipped("build", "build output")],
        loss_calls=LossCalls(3, 2, 1, [("train.py", 9, "module not found: secrets")]),
    )
