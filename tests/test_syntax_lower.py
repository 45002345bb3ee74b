"""The lowering: what Python's ast says of real files, and the particulars of the IR."""

from __future__ import annotations

import ast
import sysconfig
import warnings
from pathlib import Path
from typing import Any, get_args

import ast_to_ir
import msgspec
import pytest
from hypothesis import given, strategies as st

from torchlosslint.flow import expressions
from torchlosslint.syntax import ir, limits
from torchlosslint.syntax.ast_lower import lower_ast
from torchlosslint.syntax.cst_literals import integer_value, string_value
from torchlosslint.syntax.cst_lower import Lowering, lower_tree
from torchlosslint.syntax.cst_tree import with_tree
from torchlosslint.syntax.guard import Prepared, own_tree
from torchlosslint.syntax.parse import count_lines, parse_safely

STDLIB = Path(sysconfig.get_paths()["stdlib"])
FILES = [
    *("argparse", "ast", "dataclasses", "enum", "functools", "inspect", "logging/__init__", "typing"),
    *("asyncio/tasks", "asyncio/base_events", "contextlib", "json/decoder", "statistics", "tokenize"),
    *("unittest/mock", "zipfile", "string", "textwrap", "fractions", "email/message", "traceback"),
]


def of_stdlib(name: str) -> str:
    path = STDLIB / f"{name}.py"
    if not path.is_file():
        path = STDLIB / name / "__init__.py"
    return path.read_text("utf-8")


def lower(text: str) -> ir.Module:
    """The IR of a text, without the guard; where both parsers read it, they come to the same."""
    module = with_tree(Prepared(text, text), lower_tree)
    tree = own_tree(text)
    if tree is not None:
        own = lower_ast(tree)
        assert numbered(own) == numbered(module)
        module = own
    module.lines = count_lines(text.encode())
    return module


def numbered(node: Any, in_string: bool = False) -> Any:
    """The IR as plain tuples with its ordinals, whatever the text between the expressions of strings."""
    if isinstance(node, list):
        return [numbered(item, in_string) for item in node]
    if in_string and isinstance(node, (ir.Const, ir.Opaque)):
        return node.o
    if isinstance(node, msgspec.Struct):
        inside = isinstance(node, ir.FString)
        fields = [numbered(getattr(node, name), inside) for name in node.__struct_fields__]
        return (type(node).__name__, *fields)
    return (type(node).__name__, node)


def one(text: str) -> Any:
    """The only statement of a text."""
    (statement,) = lower(text).body
    return statement


def value(text: str) -> Any:
    return one(f"x = {text}\n").value


@pytest.mark.parametrize("name", FILES)
def test_real_files_come_out_as_ast_says(name: str) -> None:
    text = of_stdlib(name)
    assert ast_to_ir.shape(lower(text).body) == ast_to_ir.shape(ast_to_ir.module(text))


SNIPPETS = """\
x = y = 1
a, *b = c
a: int
a: "int" = 2
a.b[c] += d @ e
x = 1 if a else 2
x = not a and b or c and d
x = a < b <= c is not d not in e != f == g is h > i >= j in k
x = -a ** ~b // +c % d << e >> f & g | h ^ i - j * k / l
x = a[1], a[1:2], a[::3], a[1:2, ..., None], a[b,], a[:]
x = {1: 2, **a, 'k': 3}, {1, *a}, [1, *a, 2], (), (1,), [], {}
f(a, *b, c=1, **d)
f(x for x in y)
x = [a for b in c if d if e for f in g], {a: b for c in d}, {a for b in c}
x = lambda a, /, b=1, *c, d, e=2, **f: g
x = lambda: (yield)
x = lambda *, a: a
if (n := f()) > 1: pass
print(f"a{b}c{d!r:>{w}}" "x" f"{e=}")
x = f"", "" f"", f"" "a", "a" f"{b}" "" f"{c}" r"\\d" f"{{}}{d:}"
x = f"{a = !s:{b}{c}}", f"{a=:>3}" "b" "\\ud800", b"x" b"y"
f(*a, b=1, *c, **d)
del a, b[c], d.e
assert a, b
global_ = 1; other = 2
import a, b.c as d, e.f
from . import a
from ..b.c import d as e, f
from x import *
raise X from y
for a, b in c: continue
else: break
while a: break
else: f()
with a as b, c, d() as (e, f): g()
with (a as b, c): d
def f(a: int, b: "str" = 1, /, c=2, *d: int, e, f=3, **g: int) -> h:
    "docstring"
    nonlocal q
    global r
    return
@deco(1)
async def f():
    async for x in y: await z
    async with a as b: yield c
    return [x async for x in y]
@a.b
class C(D, *F, metaclass=E, **G):
    x: int = 1
    def g(self): yield from h
class C: pass
try: a
except (X, Y) as e: b
except Z: c
except: d
else: e
finally: f
try: a
finally: b
if a: b
elif c: d
elif e: f
else: g
x = 0x10, 1_000, 0b11, 0o17, 1.5e3, 1_0.0, 2j, 1e999, 10**3
x = None, True, False, ..., b"x", 'it\\'s' "\\x41\\u00e9\\N{BULLET}\\n", r"\\d", u"u", '''a
b'''
x = 99999999999999999999999, 9223372036854775807, 9223372036854775808
"""


def snippets() -> list[str]:
    """SNIPPETS cut where a line starts a new statement of the module."""
    tree = ast.parse(SNIPPETS)
    return [ast.get_source_segment(SNIPPETS, node) or "" for node in tree.body]


@pytest.mark.parametrize("text", snippets())
def test_every_kind_comes_out_as_ast_says(text: str) -> None:
    decorated = f"@deco\n{text}" if text.startswith(("async def", "class")) else text
    assert ast_to_ir.shape(lower(decorated).body) == ast_to_ir.shape(ast_to_ir.module(decorated))


def test_ordinals_count_the_nodes() -> None:
    module = lower(of_stdlib("argparse"))
    seen = sorted(ordinals(module.body))
    assert seen == list(range(module.nodes))


def ordinals(node: Any) -> list[int]:
    out, todo = [], [node]
    while todo:
        item = todo.pop()
        if isinstance(item, list):
            todo.extend(item)
        elif isinstance(item, msgspec.Struct):
            out.extend([item.o] if isinstance(item, ir.Node) else [])
            todo.extend(getattr(item, name) for name in item.__struct_fields__)
    return out


def test_the_walk_finds_the_cst_nodes_of_wanted_ordinals() -> None:
    import libcst as cst

    tree = cst.parse_module("x = f(a)[0]\nif b:\n    pass\nelif g(c):\n    pass\n")
    module: Any = Lowering().module(tree)
    lowering = Lowering(set(range(module.nodes)))
    lowering.module(tree)
    assert len(lowering.found) == module.nodes
    call = module.body[0].value.value
    found = lowering.found[call.o]
    assert isinstance(found, cst.Call)
    assert tree.code_for_node(found) == "f(a)"
    elif_ = module.body[1].orelse[0]
    found = lowering.found[elif_.o]
    assert isinstance(found, cst.If)
    assert isinstance(found.test, cst.Call)


def test_match() -> None:
    text = """\
match kind:
    case "a" | "b" if ok: one()
    case 1 | -2 | None as n: two()
    case Color.RED: three()
    case [x, *rest]: four()
    case {"k": y, **more}: five()
    case Point(x=0, y=z) | (z, _): six()
    case "q" | _: seven()
    case other: eight()
    case _: nine()
"""
    cases = one(text).cases
    assert [[getattr(v, "value", "?") for v in c.values] for c in cases[:1]] == [["a", "b"]]
    assert ast_to_ir.shape(cases[1].values[0]) == ("Const", "int", 1)
    assert isinstance(cases[2].values[0], ir.Attr)
    assert [c.values for c in cases[3:]] == [[]] * 3 + [[]] * 3
    assert [c.binds for c in cases] == [[], ["n"], [], ["x", "rest"], ["y", "more"], ["z"], [], ["other"], []]
    assert [c.wildcard for c in cases] == [False] * 6 + [True] * 3
    assert [c.guard is not None for c in cases] == [True] + [False] * 8
    assert all(len(c.body) == 1 for c in cases)


def test_a_starred_index_is_a_tuple() -> None:
    assert [type(t.index) for t in one("x[*a] = x[*a, 1] = b").targets] == [ir.Tuple, ir.Tuple]


def test_del_of_a_tuple_is_del_of_its_items() -> None:
    assert ast_to_ir.shape(one("del (a, b)")) == ast_to_ir.shape(one("del a, b"))


def test_new_syntax_is_read() -> None:
    # Whatever Python runs this: what it is too old for comes from libcst.
    module = parse_safely(
        "x.py", "type X[T] = list[T]\ndef f[T: int](a: T) -> T: return a\nclass C[*Ts, **P]: pass\n"
    )
    assert [type(s) for s in module.body] == [ir.FuncDef, ir.ClassDef]
    tried: Any = parse_safely("x.py", "try: a()\nexcept* ValueError as e: b()\n").body[0]
    assert tried.handlers[0].name == "e"
    nested = value('f"{x["a"]}{f"{y}"}"')
    assert [type(p) for p in nested.parts] == [ir.Sub, ir.FString]


def test_formatted_strings_say_what_is_done() -> None:
    parts = value('f"{{a}}\\n{b:.3f}{c!r}{d=}" " end"').parts
    assert parts[0].value == "{a}\n"
    assert (parts[1].func.id, parts[1].args[1].value.parts[0].value) == ("format", ".3f")
    assert (parts[2].func.id, parts[2].args[0].value.id) == ("repr", "c")
    assert [type(p) for p in parts[4:]] == [ir.Call, ir.Const]


def test_generators() -> None:
    text = "def f():\n    def g(): yield 1\n    return [lambda: (yield)]\n"
    outer = one(text)
    assert not outer.is_generator
    assert outer.body[0].is_generator


def test_long_collections_are_cut() -> None:
    many = ", ".join(map(str, range(3_000)))
    for text, kind in ((f"[{many}]", "List"), (f"({many})", "Tuple"), (f"{{{many}}}", "Set")):
        lowered = value(text)
        assert type(lowered).__name__ == kind
        assert len(lowered.items) == limits.MAX_ITEMS + 1
        assert isinstance(lowered.items[-1].value, ir.Opaque)
    table = value("{" + ", ".join(f"{i}: {i}" for i in range(3_000)) + "}")
    assert len(table.keys) == len(table.values) == limits.MAX_ITEMS + 1
    assert table.keys[-1] is None


def test_long_chains_nest_only_so_deep() -> None:
    def depth(node: Any) -> int:
        if isinstance(node, list):
            return max(map(depth, node), default=0)
        if not isinstance(node, msgspec.Struct):
            return 0
        inner = max((depth(getattr(node, n)) for n in node.__struct_fields__), default=0)
        return inner + isinstance(node, ir.Node)

    for text in ("1" + "+1" * 400, "a" + ".b(1)" * 150, "not " * 400 + "a", "a if b else " * 300 + "c"):
        assert depth(value(text)) <= limits.MAX_DEPTH + 3
    chain = "if a0: b0()\n" + "".join(f"elif a{i}: b{i}()\n" for i in range(1, 300)) + "else: last()\n"
    lowered = one(chain)
    assert depth(lowered) <= limits.MAX_CHAIN + 10
    names = set(ast_names(lowered))
    assert {"a0", "b0", "a150", "b299", "last"} <= names


def ast_names(node: Any) -> list[str]:
    if isinstance(node, list):
        return [name for item in node for name in ast_names(item)]
    if isinstance(node, ir.Name):
        return [node.id]
    if isinstance(node, msgspec.Struct):
        return [name for field in node.__struct_fields__ for name in ast_names(getattr(node, field))]
    return []


@pytest.mark.parametrize("name", FILES[:6])
def test_msgpack_round_trip(name: str) -> None:
    module = lower(of_stdlib(name))
    data = msgspec.msgpack.encode(module)
    again = msgspec.msgpack.decode(data, type=ir.Module)
    assert msgspec.msgpack.encode(again) == data
    assert again == module
    assert ast_to_ir.shape(again.body) == ast_to_ir.shape(module.body)


def test_a_cache_of_another_shape_is_refused() -> None:
    for data in (b"", msgspec.msgpack.encode([1, 2, 3]), msgspec.msgpack.encode([[["zz", 0]], 1, 1])):
        with pytest.raises((msgspec.DecodeError, msgspec.ValidationError)):
            msgspec.msgpack.decode(data, type=ir.Module)


@given(st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("\\\"'nxu0N{}rb")), st.data())
def test_string_literals_mean_what_python_says(text: str, data: st.DataObject) -> None:
    quote = data.draw(st.sampled_from(['"', "'", '"""', "'''"]))
    prefix = data.draw(st.sampled_from(["", "r", "u", "R", "b", "Rb"]))
    source = f"{prefix}{quote}{text}{quote}"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source, mode="eval").body
    except (SyntaxError, ValueError):
        return
    if not isinstance(tree, ast.Constant) or tree.end_col_offset != len(source.splitlines()[-1].encode()):
        return
    expected = tree.value
    if isinstance(expected, bytes):
        assert string_value(source) is None
    elif isinstance(expected, str) and "\0" not in text:
        try:
            expected.encode()
        except UnicodeEncodeError:
            assert string_value(source) is None
        else:
            assert string_value(source) == expected


@given(st.integers(min_value=0))
def test_integers_of_64_bits_are_kept(number: int) -> None:
    for source in (str(number), hex(number), oct(number), bin(number), f"{number:_}"):
        assert integer_value(source) == (number if number < 2**63 else None)


def test_lines_are_counted() -> None:
    assert [lower(t).lines for t in ("", "x", "x\n", "x\ny", "x\r\ny\r\n", "\n\n")] == [0, 1, 1, 2, 2, 2]
    assert lower("\n" * 50_000).lines == 2_562


def test_a_module_in_less_memory_is_the_same_module() -> None:
    from torchlosslint.syntax.compact import compact

    source = (
        "class A(B):\n    def f(self, x, *, y=3):\n        return self.f(x, y=x)[1:]\n\n\nprint(A, [], {})\n"
    )
    module, other = lower(source), lower(source)
    assert compact(module) == other
    first, second = module.body[0], compact(lower(source)).body[0]
    assert isinstance(first, ir.ClassDef)
    assert isinstance(second, ir.ClassDef)
    assert first.name is second.name
    # A number that a hostile cache made up takes no memory.
    other.nodes = 10**15
    assert compact(other).nodes == 10**15


def test_every_kind_of_expression_is_followed() -> None:
    assert set(get_args(ir.Expr)) == set(expressions._HANDLERS)
