"""Every limit of the syntax layer, with the measurement behind it.

They are libcst's, and hold for all files, whichever parser reads them: CPython's own parser, which
is asked first, stands more. libcst 1.9 (x86-64, CPython 3.11) is recursive native code. Measured there:

- Stack. A level of brackets takes up to 5 KB, up to 25 KB when it is a call inside an
  operator inside a conditional; a `lambda` or a conditional up to 9 KB, a `not` or an
  `elif` about 1 KB. On the usual 8 MB, 1,600 nested parentheses, 1,000 nested lambda
  defaults or 10,000 branches of one if/elif end the process; on 1 MB, 70 to 190 levels.
- Time. Chains are quadratic: `1+1+...` takes 0.2 s at 1,000 terms and 1.1 s at 2,000,
  `a[1][1]...` 1.2 s at 1,000, `a.b(1).b(1)...` 3.4 s at 1,000. So is depth: 200 nested
  calls take 0.3 s. Nested patterns after `case` are exponential: `[` at 20 levels takes
  3 s, `{1:` at 10 levels 2.4 s.
- Size. An element of a table takes 37 us and 4 KB (100,000 ints: 3.8 s, 400 MB), a
  statement 47 us and 9 KB.
"""

from __future__ import annotations

# ---- what libcst is given (scan.py, guard.py) --------------------------------------

STACK_BYTES = 128 * 1024 * 1024
"""Stack of the thread that libcst runs on: reserved, not used. The largest file that
passes the limits below needs about 36 MB."""

MAX_BRACKETS = 200
"""Depth of brackets. CPython refuses more, too."""

MAX_TERMS = 1_500
"""Words and operators between two commas, those of the enclosing brackets included:
an upper bound on the depth of the tree. At most 2 s."""

BRACKET_TERMS = 2
"""What a pair of brackets counts for: `a[1][1]...` is the slowest chain there is."""

MAX_BRANCHES = 2_000
"""Branches of one if/elif chain: 2 MB of stack, 0.1 s."""

MAX_PATTERN = 6
"""Brackets inside brackets in a `case` pattern: below 0.1 s."""

MAX_ELEMENTS = 1_000
"""Elements of one bracket that libcst is given. Where there are more, the text after
the first KEPT_ELEMENTS is cut."""

KEPT_ELEMENTS = 600
"""More than MAX_ITEMS, so that the lowering sees that something is missing."""

MAX_OPEN_QUOTES = 40
"""Quotes that nothing closes. No parser takes the first one, and to look for the end of each in vain is
quadratic."""

MAX_STATEMENTS = 100_000
"""Statements, and elements outside what was cut: 5 s, 900 MB."""

MAX_CHARACTERS = 4_000_000
"""Length of a file after the cuts."""

MAX_EFFORT_US = 1_000_000
EFFORT_US_A_CHARACTER = 15
"""Estimated microseconds for what is quadratic in a file, all of it together: so many and a
few more for each character. A file with a finding is parsed twice."""

# Below all of these a file is not looked at token by token.

CALM_BRACKETS = 20
CALM_DEPTH = 6
CALM_DEEP = 100
"""Brackets with more than CALM_DEPTH levels inside."""
CALM_GROUP = 400
"""Operators, spaces and line ends inside one bracket (or one line)."""
CALM_BRANCHES = 100

# ---- what the IR keeps (lower.py) --------------------------------------------------

MAX_ITEMS = 512
"""Elements of one collection display that are lowered; the rest is one opaque `*rest`.
A table of data must not cost, and no list of layers is longer."""

MAX_DEPTH = 120
"""How deep the expressions of the IR nest; what is deeper is `Opaque`.

Readers of the IR recurse, with several Python frames a level, and msgspec counts levels
against the recursion limit: both are at ease with this depth. Ordinary code stays
below 30."""

MAX_CHAIN = 64
"""Branches of one if/elif chain that nest in `orelse`; the rest are laid side by side."""

MAX_STRING = 65_536
"""Characters of a string constant that the IR keeps; a longer one is `Opaque`."""
