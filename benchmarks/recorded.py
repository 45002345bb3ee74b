"""torchlosslint as the command line runs it, which also writes down the files that it parsed.

    python recorded.py RECORD ARGUMENT...

RECORD becomes a JSON list of [path, lines]; a file that is parsed again counts once.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from torchlosslint import part
from torchlosslint.cli.main import main
from torchlosslint.syntax import ir
from torchlosslint.syntax.parse import parse_safely

parsed: dict[str, int] = {}


def recording(path: str, text: str) -> ir.Module:
    """What part.parse_safely does, with a note of it."""
    module = parse_safely(path, text)
    parsed[path] = module.lines
    return module


assert part.__dict__["parse_safely"] is parse_safely
part.__dict__["parse_safely"] = recording
record = Path(sys.argv.pop(1)).absolute()
try:
    main()
finally:
    record.write_text(json.dumps(list(parsed.items())))
