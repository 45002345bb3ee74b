"""TLL001."""

from __future__ import annotations

from torchlosslint.rule import Rule


class UnreadableSource(Rule):
    """A file that was named or needed cannot be decoded or parsed.

    What it does
        Reports each file that the analysis needed (or that was named on the command line) and could not
        read: where and why. The engine makes these findings itself.

    Why it is bad
        A file that could not be read was not checked. It must never look clean.

    Example
        Wrong::

            print "loss:", loss          # Python 2

        Right::

            print("loss:", loss)

    When it is wrong to fix
        The file is not meant to be Python 3; leave it out of the paths that are linted.
    """

    code = "TLL001"
    name = "unreadable-source"
    severity = "error"
