"""The runtime guard, installed as `torchlosslint.runtime`. Needs the extra `runtime` (torch).

It watches the losses of a running training, and reports misuse under the codes of the linter.
"""

from importlib.util import find_spec

if find_spec("torch") is None:
    raise ImportError("torchlosslint.runtime watches tensors, and torch is not installed", name="torch")

from torchlosslint.runtime.api import guard, guarded, install, unguard, uninstall
from torchlosslint.runtime.findings import Finding, LossMisuseError, LossMisuseWarning
from torchlosslint.runtime.report import Report, report

__all__ = [
    "Finding",
    "LossMisuseError",
    "LossMisuseWarning",
    "Report",
    "guard",
    "guarded",
    "install",
    "report",
    "unguard",
    "uninstall",
]
