"""`python -m torchlosslint`."""

from torchlosslint.cli.main import main

raise SystemExit(main())
