"""The guard: hostile files end in an answer, never in a dead process or a long wait."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading
import time

import msgspec
import pytest
from hypothesis import given, settings, strategies as st

from torchlosslint.syntax import limits
from torchlosslint.syntax.guard import SyntaxTrouble, on_large_stack, prepare
from torchlosslint.syntax.parse import parse_safely
from torchlosslint.syntax.positions import locate
from torchlosslint.syntax.scan import OverLimit, calm, measure

# Each is an expression of n. A size that ends a process, or takes it minutes, is in SIZES.
HOSTILE = {
    "parentheses": "'x = ' + '(' * n + ')' * n",
    "lists": "'x = ' + '[' * n + ']' * n",
    "dicts": "'x = ' + '{1: ' * n + '1' + '}' * n",
    "calls": "'x = ' + 'f(' * n + ')' * n",
    "calls in conditionals": "'x = ' + '(a+b*(-c if d else not (e and 1' * n + ')))' * n",
    "lambda defaults": "'x = ' + 'lambda a=' * n + '1' + ': a' * n",
    "lambdas": "'x = ' + 'lambda: ' * n + 'a'",
    "unclosed": "'x = ' + '(' * n",
    "broken deep inside": "'x = ' + '(' * n + '1 1' + ')' * n",
    "elif": "'if a: pass\\n' + 'elif b: pass\\n' * n",
    "sum": "'x = ' + '1+' * n + '1'",
    "sum over lines": "'x = (' + '1 +\\n' * n + '1)'",
    "sum with backslashes": "'x = ' + '1 + \\\\\\n' * n + '1'",
    "products": "'x = ' + 'a*b+' * n + '1'",
    "powers": "'x = ' + 'a**' * n + '1'",
    "not": "'x = ' + 'not ' * n + 'a'",
    "not over lines": "'x = (' + 'not\\n' * n + 'a)'",
    "conditionals": "'x = ' + 'a if b else ' * n + 'c'",
    "and": "'x = ' + 'a and ' * n + 'a'",
    "comparisons": "'x = ' + 'a < ' * n + 'a'",
    "attributes": "'x = a' + '.b' * n",
    "methods": "'x = a' + '.b(1)' * n",
    "method lines": "'x = (a' + '\\n.b(1)' * n + ')'",
    "call chain": "'x = a' + '()' * n",
    "subscripts": "'x = a' + '[1]' * n",
    "dotted import": "'import a' + '.b' * n",
    "strings": "'x = (' + '\"a\"\\n' * n + ')'",
    "comprehension": "'x = [a ' + 'for a in b ' * n + ']'",
    "targets": "'x = ' * n + '1'",
    "formatted strings": "'x = ' + 'f\"{' * n + 'a' + '}\"' * n",
    "inside a formatted string": "'x = f\"{' + '(' * n + 'a' + ')' * n + '}\"'",
    "inside a long formatted string": "'x = f\"\"\"{' + '1+' * n + '1' + '}\"\"\"'",
    "behind a formatted string": "'x = f\"{d[\"#\"]}\" + ' + '(' * n + ')' * n",
    "behind a string with a quote": "'y = \"f\\'\"; x = f\"\\'{' + '(' * n + ')' * n + '}\"'",
    "fields": "'x = f\"' + '{a}' * n + '\"'",
    "not on long lines": "'x = (' + ('not ' * 700 + '\\n') * (n // 700) + 'a)'",
    "format specifications": "'x = f\"{a:' + '{a:' * n + '}' * n + '}\"'",
    "patterns": "'match x:\\n case ' + '[' * n + '1' + ']' * n + ': pass'",
    "class patterns": "'match x:\\n case ' + 'A(b=' * n + '1' + ')' * n + ': pass'",
    "mapping patterns": "'match x:\\n case ' + '{1: ' * n + '1' + '}' * n + ': pass'",
    "indentation": "''.join(' ' * i + 'if a:\\n' for i in range(min(n, 2000))) + ' ' * min(n, 2000) + 'pass'",
    "numbers": "'x = [' + '1, ' * n + ']'",
    "number lines": "'x = [' + '1,\\n' * n + ']'",
    "texts": "'x = [' + '\"abc\", ' * n + ']'",
    "rows": "'x = [' + '[1, 2, 3],\\n' * n + ']'",
    "calls in a table": "'x = [' + 'f(1, a=2), ' * n + ']'",
    "arguments": "'f(' + 'a=1, ' * n + ')'",
    "long string": "'x = \"' + 'a' * n + '\"'",
    "blank lines": "'x = [' + '\\n' * n + ']'",
    "open strings": "'x = ' + '\"\"\" \\' ' * n",
    "open quotes": "'x = ' + '\"\\'\\\\' * 2 * n",
    "open triple quotes": "'x = ' + '\"\"\"a\"\\\\' * n",
    "open formatted strings": "'f\"{' * n",
    "opening words": "'from ' * n + 'import (' * n",
    "null": "'x = 1\\0' * n",
    "surrogate": "'x = \"\\ud800\"' * n",
}
SIZES = (6, 25, 190, 1_200, 20_000)

SCRIPT = """\
import sys, time
try:
    import resource
    resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))
except (ImportError, ValueError, OSError):
    pass
import msgspec
from torchlosslint.syntax.guard import SyntaxTrouble
from torchlosslint.syntax.parse import parse_safely
from torchlosslint.syntax.positions import locate
for n in {sizes}:
    text = {text} + "\\nlast()\\n"
    start = time.process_time()
    try:
        module = parse_safely("x.py", text)
        msgspec.msgpack.encode(module)
        assert locate(text, {{module.nodes - 1}})
        said = "parsed"
    except SyntaxTrouble as trouble:
        said = str(trouble)
        assert 1 <= trouble.line <= text.count("\\n") + 1 and trouble.column >= 1, said
        assert len(said) < 150, said
    print(n, round(time.process_time() - start, 1), said, flush=True)
"""


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_text(kind: str) -> None:
    script = SCRIPT.format(sizes=SIZES, text=HOSTILE[kind])
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"{kind} after {done.stdout}: {done.returncode} {done.stderr[-2000:]}"
    lines = done.stdout.splitlines()
    assert len(lines) == len(SIZES)
    assert all(float(line.split()[1]) < 15 for line in lines), done.stdout


def trouble(text: str) -> SyntaxTrouble:
    with pytest.raises(SyntaxTrouble) as caught:
        parse_safely("some/x.py", text)
    assert caught.value.path == "some/x.py"
    return caught.value


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("x = = 1\n", 1, 5, "invalid syntax"),
        ("x = 1\ny = (1\nz = 2\n", 2, 5, "'(' was never closed"),
        ("def f():\npass\n", 2, 1, "expected an indented block after function definition on line 1"),
        ("if a:\n    b\n   c\n", 3, 0, "unindent does not match any outer indentation level"),
        ("x = 'abc\n", 1, 5, "unterminated string literal"),
        ('x = 1\ny = """abc\n', 2, 5, "unterminated triple-quoted string literal"),
        ("x = 1\ny = é +\n", 2, 8, "invalid syntax"),
        ("\ufeffx = = 1\n", 1, 5, "invalid syntax"),
        ("a\r\nb = = 1\r\n", 2, 5, "invalid syntax"),
        ("x = 1\0", 1, 6, "null byte"),
        ("x = '\udc80'\n", 1, 6, "not valid Unicode"),
    ],
)
def test_errors_have_a_place_and_words(text: str, line: int, column: int, message: str) -> None:
    found = trouble(text)
    assert message in found.message
    assert found.line == line
    assert found.column == (column or found.column)  # 0: versions of Python differ


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("x = 1\nprint 'hello'\n", 2, "print"),
        ("if a:\n    print x, y\n", 2, "print"),
        ("print >>sys.stderr, 'x'\nprint 1\n", 2, "print"),
        ("exec 'x = 1'\n", 1, "exec"),
        ("raise ValueError, 'x'\n", 1, "raise"),
        ("x = `y`\n", 1, "backticks"),
        ("if a <> b: pass\n", 1, "<>"),
        ("x = 0777\n", 1, "number"),
        ("x = 10L\n", 1, "number"),
        ("x = ur'a'\n", 1, "ur"),
    ],
)
def test_python_2_is_recognised(text: str, line: int, what: str) -> None:
    found = trouble(text)
    assert "Python 2" in found.message
    assert what in found.message
    assert found.line == line


@pytest.mark.parametrize("text", ["print(x y)\n", "print = = 1\n", "f(a b)\n", "x = '`a`' b\n"])
def test_python_3_is_not_called_python_2(text: str) -> None:
    assert "Python 2" not in trouble(text).message


def test_limits_are_named_with_their_place() -> None:
    found = trouble("\nx = " + "(" * 2_000 + ")" * 2_000 + "\n")
    assert found.message == "nested 2,000 brackets deep, more than 200"
    assert (found.line, found.column) == (2, 5 + limits.MAX_BRACKETS)
    assert "2,000 branches" in trouble("if a: pass\n" + "elif b: pass\n" * 3_000).message
    assert "1,500 words and operators" in trouble("x = " + "1+" * 4_000 + "1\n").message
    assert "case pattern" in trouble("match x:\n  case " + "[" * 9 + "]" * 9 + ": pass\n").message
    deep = ("f(" * 15 + "x" + ")" * 15 + "\n") * 2_000
    assert "parsing it would take too long" in trouble(deep).message
    assert "100,000 statements" in trouble("x = 1\n" * 200_000).message
    assert "characters" in trouble("x = '" + "a" * 5_000_000 + "'\n").message


def test_what_people_write_is_below_the_limits() -> None:
    for text in (
        "x = " + "(" * 190 + ")" * 190,
        ("f(" * 12 + "x" + ")" * 12 + "\n") * 20,
        ("f(" * 4 + "x" + ")" * 4 + "\n") * 2_000,
        "x = " + " + ".join(f"a{i}" for i in range(700)),
        "if a: b\n" + "elif c: d\n" * 500,
        "x = (\n" + "    'text'\n" * 1_000 + ")",
        "case = f(" + "(" * 50 + ")" * 50 + ")\nmatch = 1",
        "\n".join(f"{' ' * i}if a:" for i in range(99)) + "\n" + " " * 99 + "b",
        "x = {" + ", ".join(f"'k{i}': [{i}, (1, 2)]" for i in range(900)) + "}",
        "x = '" + "([{" * 5_000 + "'  # " + "((((" * 5_000,
        'x = """' + "((((\n" * 5_000 + '"""\ny = 1',
        "f'''" + "{a} (\n" * 2_000 + "'''",
        'x = f"{d["#"]}(" + f(\n  1)\ndef g(): pass',
    ):
        assert parse_safely("x.py", text).nodes


def test_tables_of_data_are_cut() -> None:
    row = "[1, 'a,]', lambda a, b: 1],  # ] , (\n"
    text = "T = [\n" + row * 5_000 + "]\nU = {" + "1: 2, " * 4_000 + "}\nV = 1\n"
    prepared = prepare(text)
    assert len(prepared.cuts) == 2
    assert len(prepared.text) < len(text) / 5
    assert len(parse_safely("x.py", text).body) == 3
    assert prepared.place(prepared.offset(prepared.text.index("V"))) == (5_004, 1)
    assert prepare("x = 1\n").cuts == []


def test_errors_behind_a_cut_are_in_their_place() -> None:
    found = trouble("T = [\n" + "1,\n" * 5_000 + "]\nx = = 1\n")
    assert (found.line, found.column) == (5_003, 5)


PIECES = [
    *("(", ")", "[", "]", "{", "}", ",", ":", ";", "\n", "\n    ", "\\\n", "\r\n", " ", "#", '"', "'", '"""'),
    *("f'", 'f"{', "}", "rb'", "x", "1", "lambda ", "if ", "else ", "def f", "class A", "return ", "import "),
    *("from ", "print ", "match ", "case ", "not ", "=", "+", ".", "*", "\0", "é", "\ufeff", "\x0c", "\\"),
]


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join) | st.text(max_size=30))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        module = parse_safely("x.py", text)
    except SyntaxTrouble as error:
        refused: SyntaxTrouble | None = error
    else:
        refused = None
    if refused is not None:
        assert 1 <= refused.line <= len(text) + 1
        assert 1 <= refused.column <= len(text) + 1
        return
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(module), type=type(module)) == module
    locate(text, set(range(module.nodes)))


@settings(deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=40).map("".join))
def test_the_slow_scan_accepts_what_the_quick_one_does(text: str) -> None:
    if calm(text):
        try:
            said, cuts = "", measure(text)
        except OverLimit as error:
            said, cuts = error.message, []
        assert cuts == []
        assert not said or "never closed" in said


def test_a_deep_caller_changes_nothing() -> None:
    text = "x = " + "f(" * 100 + ")" * 100 + "\n"

    def at_depth(n: int) -> int:
        return at_depth(n - 1) if n else parse_safely("x.py", text).nodes

    assert at_depth(900) == parse_safely("x.py", text).nodes


def test_the_large_stack_is_used_again_inside() -> None:
    outer = on_large_stack(lambda: (threading.get_ident(), on_large_stack(threading.get_ident)))
    assert outer[0] == outer[1] != threading.get_ident()
    size = threading.stack_size()
    on_large_stack(int)
    assert threading.stack_size() == size
    with pytest.raises(ZeroDivisionError):
        on_large_stack(lambda: 1 // 0)


def test_a_large_table_costs_little() -> None:
    text = "x = [" + "1, " * 1_700_000 + "]\n"
    start = time.process_time()
    parse_safely("x.py", text)
    assert time.process_time() - start < 10


def test_warnings_of_the_source_are_not_ours(recwarn: pytest.WarningsRecorder) -> None:
    parse_safely("x.py", textwrap.dedent("x = '\\d'\nassert (1, 2)\nif x is 'a': pass\n"))
    assert not recwarn.list
