"""Places of nodes: libcst's own PositionProvider says the same, in every kind of text."""

from __future__ import annotations

import sysconfig
from pathlib import Path

import libcst as cst
import pytest
from hypothesis import given, strategies as st
from libcst.metadata import MetadataWrapper, PositionProvider

from torchlosslint.syntax import ir
from torchlosslint.syntax.cst_lower import Lowering
from torchlosslint.syntax.cst_positions import find_nodes
from torchlosslint.syntax.parse import parse_safely
from torchlosslint.syntax.positions import Place, locate

STDLIB = Path(sysconfig.get_paths()["stdlib"])


def by_provider(text: str) -> dict[int, Place]:
    wrapper = MetadataWrapper(cst.parse_module(text), unsafe_skip_copy=True)
    positions = wrapper.resolve(PositionProvider)
    count = parse_safely("x.py", text).nodes
    lowering = Lowering(set(range(count)))
    lowering.module(wrapper.module)
    assert len(lowering.found) == count
    out = {}
    for o, node in lowering.found.items():
        found = positions[node]
        out[o] = (found.start.line, found.start.column + 1, found.end.line, found.end.column + 1)
    return out


def check(text: str) -> None:
    expected = by_provider(text)
    assert locate(text, set(expected)) == expected
    assert locate(text, set(expected), parse_safely("x.py", text)) == expected


def place_of(text: str, name: str) -> Place:
    """The place of the call of the function `name`."""
    module = parse_safely("x.py", text)
    todo: list[object] = list(module.body)
    while todo:
        node = todo.pop()
        if isinstance(node, ir.Call) and isinstance(node.func, ir.Name) and node.func.id == name:
            return locate(text, {node.o}, module)[node.o]
        if isinstance(node, (list, tuple)):
            todo.extend(node)
        elif hasattr(node, "__struct_fields__"):
            todo.extend(getattr(node, field) for field in node.__struct_fields__)
    raise AssertionError(name)


@pytest.mark.parametrize("name", ["dataclasses", "enum", "contextlib", "json/decoder", "textwrap", "ast"])
def test_every_node_of_real_files(name: str) -> None:
    check((STDLIB / f"{name}.py").read_text("utf-8"))


CODE = """\
# comment
@deco(1,
      2)
def f(a, b=(1)):
    '''doc'''
    if a : x = (loss( a,
        b )) ; y=2   # c
    elif b:
    \tpass
    else:
        é = "ü𝒳" + g(é) + f"{h(1)!r:>{w}}"
    with (a) as b , c : z [1:2, ...] = - 1

    for (a) , b in ( c ): return  (yield  x)
\x0c
class C( D, metaclass = E ):
    x : int=1
    lambda *a, b = 1: (a , )
try: pass
except (X): pass
x = [ a for b in c if d ] ; del (x)
"""


@pytest.mark.parametrize(
    "text",
    [
        CODE,
        CODE.replace("\n", "\r\n"),
        CODE.replace("\n", "\r"),
        CODE.replace("    ", "\t"),
        CODE.rstrip("\n"),
        CODE + "   \n\n  # end",
        "\n\n" + CODE,
        "x = 1",
        "f(a) ; g(b)",
        "if a: f(\\\n  b)\n",
    ],
)
def test_every_kind_of_text(text: str) -> None:
    check(text)


@given(
    st.lists(
        st.sampled_from([*CODE.replace("\x0c", "").splitlines(keepends=True), "f(a)\r\n", "x = [\n", "]\n"]),
        max_size=8,
    )
)
def test_any_lines_that_parse(lines: list[str]) -> None:
    text = "".join(lines)
    try:
        cst.parse_module(text)
    except Exception:
        return
    check(text)


def test_a_call_is_the_whole_expression() -> None:
    assert place_of("x = 1 + loss(a,\n  b) + 2\n", "loss") == (1, 9, 2, 5)


def test_columns_are_code_points() -> None:
    assert place_of('é = "𝒳" + loss(a)\n', "loss") == (1, 11, 1, 18)


def test_a_byte_order_mark_has_no_column() -> None:
    assert place_of("\ufeffloss(a)\n", "loss") == (1, 1, 1, 8)
    assert place_of("\ufeff\nloss(a)\n", "loss") == (2, 1, 2, 8)


def test_form_feeds_and_lone_returns_do_not_shift_lines() -> None:
    assert place_of("x = 1\n\x0c\n\x0closs(a)\n", "loss")[0] == 3
    assert place_of("x = 1\rloss(a)\r", "loss")[:2] == (2, 1)
    assert place_of("x = '\u2028\x1c'\nloss(a)\n", "loss")[:2] == (2, 1)


def test_what_was_cut_shifts_nothing() -> None:
    table = "T = [\n" + "".join(f"    [{i}, 'é'],\n" for i in range(5_000)) + "]; loss(a)\nloss2(b)\n"
    assert place_of(table, "loss") == (5_002, 4, 5_002, 11)
    assert place_of(table, "loss2") == (5_003, 1, 5_003, 9)
    line = "T = (" + "1, " * 5_000 + "), loss(a)\n"
    assert place_of(line, "loss") == (1, 15_009, 1, 15_016)
    nested = "T = [" + ("[" + "1, " * 2_000 + "], ") * 3 + "f(x), " + "2, " * 3_000 + "]; loss(a)\n"
    assert nested[place_of(nested, "loss")[1] - 1 :] == "loss(a)\n"
    assert nested[place_of(nested, "f")[1] - 1 :].startswith("f(x)")


def test_deep_trees_are_located() -> None:
    text = "x = " + "not " * 1_000 + "loss(a)\nloss(b)\n"
    assert place_of(text, "loss")[0] == 2
    chain = "if a: pass\n" + "elif b: pass\n" * 1_500 + "else: loss(c)\n"
    assert place_of(chain, "loss") == (1_502, 7, 1_502, 14)


def test_nodes_for_edits() -> None:
    text = "x = loss(a)\n"
    module = parse_safely("x.py", text)
    (assign,) = module.body
    assert isinstance(assign, ir.Assign)
    tree, found = find_nodes(text, {assign.value.o})
    assert tree.code_for_node(found[assign.value.o]) == "loss(a)"
