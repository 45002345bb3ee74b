"""The runtime guard, installed as `torchlosslint.runtime`. Needs the extra `runtime` (torch)."""
