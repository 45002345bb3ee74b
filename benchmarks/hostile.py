# ruff: noqa: E501
"""Lint made-up inputs of 100 KB that are as nasty as they can be; print what each takes, worst first.

    python benchmarks/hostile.py [--only WORD]... [--size BYTES] [--limit SECONDS]

Each is a training program (or notebook) with a loss in it, so that it is interpreted and not only parsed.
The figures are CPU seconds of one linter process, start and all. Exit status 1 where one takes more than the
limit, ends with an error, or tells of an internal one.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import child

HEAD = (
    "import argparse, copy, functools, itertools, os, sys\nimport numpy as np\nimport torch\nimport torch.nn as nn\n"
    "import torch.nn.functional as F\nfrom dataclasses import dataclass, field\nfrom torch.utils.data import DataLoader\n"
    "args = argparse.ArgumentParser().parse_args()\n"
)
LOSS = "F.cross_entropy(torch.softmax(nn.Linear(3, 4)(torch.randn(2, 3)), 1), torch.zeros(2).long()).backward()\n"
SIZE = 100_000
Make = Callable[[int], str | dict[str, str]]
KINDS: dict[str, Make] = {}


def kind(name: str) -> Callable[[Make], Make]:
    """Register a maker."""

    def register(make: Make) -> Make:
        KINDS[name] = make
        return make

    return register


def fill(size: int, piece: Callable[[int], str], start: int = 0) -> str:
    """Pieces until there are `size` characters."""
    out, length, i = [], 0, start
    while length < size:
        out.append(piece(i))
        length += len(out[-1])
        i += 1
    return "".join(out)


def count(size: int, piece: Callable[[int], str]) -> int:
    """How many pieces fit."""
    return max(size // len(piece(500)), 2)


def simple(name: str, piece: Callable[[int], str], before: str = "", after: str = "") -> None:
    """Register pieces that are laid one after the other, each given its number."""
    KINDS[name] = lambda size: (
        HEAD + before + fill(size - len(before) - len(after) - 600, piece) + after + LOSS
    )


NET = "class Net(nn.Module):\n    def __init__(self, n=4):\n        super().__init__()\n        self.fc = nn.Linear(3, n)\n    def forward(self, x):\n        return F.softmax(self.fc(x), dim=1)\n"
BODY = "    x, y = torch.randn(2, 3), torch.zeros(2).long()\n"

# ---- expressions
simple("brackets, deep", lambda i: f"a{i} = " + "(" * 150 + "args.x" + ")" * 150 + "\n")
simple("lists, deep", lambda i: f"a{i} = " + "[" * 90 + "torch.ones(2)" + "]" * 90 + "\n")
simple("calls, deep", lambda i: f"a{i} = " + "F.relu(" * 90 + "torch.ones(2, 3)" + ")" * 90 + "\n")
simple("methods, chained", lambda i: "x = x" + ".view(2, 3).float()" * 40 + "\n", "x = torch.randn(2, 3)\n")
simple("sums, long", lambda i: "x = x" + " + x * 2" * 400 + "\n", "x = nn.Linear(3, 4)(torch.randn(2, 3))\n")
simple("sums of losses", lambda i: "l = l" + " + F.cross_entropy(x, y)" * 40 + "\n", "x, y, l = nn.Linear(3, 4)(torch.randn(2, 3)), torch.ones(2).long(), 0\n", "l.backward()\n")  # fmt: skip
simple("conditionals, nested", lambda i: f"x = (F.relu(x) if args.a{i} else " * 30 + "x" + ")" * 30 + "\n", "x = nn.Linear(3, 4)(torch.randn(2, 3))\n")  # fmt: skip
simple("conditionals, different", lambda i: "x = " + "".join(f"(F.relu(x) if args.a{i}_{j} else " for j in range(30)) + "x" + ")" * 30 + "\n", "x = nn.Linear(3, 4)(torch.randn(2, 3))\n")  # fmt: skip
simple("and/or", lambda i: f"x = args.a{i} and x or " + " or ".join(f"args.b{i}_{j}" for j in range(100)) + " or x\n", "x = nn.Linear(3, 4)(torch.randn(2, 3))\n")  # fmt: skip
simple("comparisons", lambda i: f"if args.a{i} < args.b{i} <= 3 != args.c == {i}: x = F.relu(x)\n", "x = nn.Linear(3, 4)(torch.randn(2, 3))\n")  # fmt: skip
simple("lambdas, nested", lambda i: f"f{i} = " + "lambda x: " * 60 + "F.softmax(x, 1)\n")
simple(
    "lambdas, called",
    lambda i: f"f{i} = lambda x: f{max(i - 1, 0)}(f{max(i - 2, 0)}(x))\nx = f{i}(x)\n",
    "x = torch.randn(2, 3)\n",
)
simple("f-strings", lambda i: f"s{i} = f\"{{args.a}}{{x:{{args.w}}.{{args.p}}}}{{f'{{x!r}}'}}\" + f'{{s{max(i - 1, 0)}}}{{s{max(i - 1, 0)}}}'\n", "x = torch.randn(2, 3)\ns0 = 'a'\n")  # fmt: skip
simple(
    "strings, doubled",
    lambda i: "s = s + s\ns = s.replace('a', 'aa')\ns = '%s%s' % (s, s)\nt = s.split('a')\n",
    "s = 'a'\n",
)
simple("comprehensions, nested", lambda i: "x = [" * 20 + "F.relu(v)" + "".join(f" for a{j} in range(30)]" for j in range(20)) + "\n", "v = torch.randn(2, 3)\n")  # fmt: skip
simple("comprehensions, wide", lambda i: "x = [F.relu(v + a0)" + "".join(f" for a{j} in range(30) if args.b{j}" for j in range(12)) + "]\n", "v = torch.randn(2, 3)\n")  # fmt: skip
simple("comprehensions of each other", lambda i: f"l{i} = [a for a in l{max(i - 1, 0)} for b in l{max(i - 2, 0)}]\n", "l0 = [torch.randn(2, 3), 1]\n")  # fmt: skip
simple("slices", lambda i: "x = x[..., None][:, 0, ::2, None][[0, 1]][x > 0]\n", "x = torch.randn(8, 8, 8)\n")
simple("walrus", lambda i: f"if (a{i} := args.b{i}) and (x := F.relu(x)) is not None: x = F.softmax(x, a{i})\n", "x = nn.Linear(3, 4)(torch.randn(2, 3))\n")  # fmt: skip
simple("starred", lambda i: f"a{i} = [*a{max(i - 1, 0)}, *a{max(i - 2, 0)}]\nb{i} = {{**b{max(i - 1, 0)}, 'k{i}': x}}\n", "x = torch.ones(2)\na0 = [x, x]\nb0 = {'a': x}\n")  # fmt: skip
simple(
    "tuples, unpacked",
    lambda i: f"(a, (b, *c)), *d = ((x, (y, x, {i})), x, y)\nx, y = y, (a, b, c, d)\n",
    "x = y = torch.ones(2)\n",
)
simple("einsum and friends", lambda i: f"x = torch.einsum('ab,cb->ac', x, x)\ny = torch.cat([x, x], 0).chunk({i} + 1)\nz = x.permute(1, 0) @ x\n", "x = torch.randn(4, 4)\n")  # fmt: skip
simple(
    "cat, growing",
    lambda i: "x = torch.cat([x, x], 0)\ny = torch.stack([x, x]).sum(0)\nx = x.unsqueeze(0)\n",
    "x = torch.randn(4, 4)\n",
)
simple("shapes, symbolic", lambda i: "n = x.shape[0] * n + x.size(1) // 2\nx = x.view(n, -1)\nb, c = x.shape\nx = x.reshape(b * c, n)\n", "x = torch.randn(args.a, args.b)\nn = args.n\n")  # fmt: skip
simple("numbers, huge", lambda i: f"n = n * {10**60} + {i} ** 7\nx = torch.zeros(n, n)\n", "n = 3\n")
simple(
    "formats",
    lambda i: "s = '{:>{w}}{}'.format(s, s, w=args.w)\np = os.path.join(s, s, str(x), s)\n",
    "s = 'x'\nx = torch.ones(2)\n",
)

# ---- data
KINDS["dict, huge"] = lambda size: HEAD + "d = {\n" + fill(size - 800, lambda i: f"    'k{i}': nn.Linear({i}, 3),\n") + "}\nd['k3'](torch.randn(2, 3))\nfor k, v in d.items(): v(torch.randn(2, 3))\n" + LOSS  # fmt: skip
KINDS["dict of lambdas"] = lambda size: HEAD + "d = {\n" + fill(size - 900, lambda i: f"    'k{i}': lambda x, y: F.cross_entropy(F.softmax(x, {i}), y),\n") + "}\nfor k in d: d[k](torch.randn(2, 3), torch.ones(2).long()).backward()\nd[args.loss](torch.randn(2, 3), torch.ones(2)).backward()\n" + LOSS  # fmt: skip
KINDS["list of numbers"] = lambda size: (
    HEAD + "a = torch.tensor([" + fill(size - 800, lambda i: f"{i}, ") + "])\n" + LOSS
)
KINDS["list of lists"] = lambda size: (
    HEAD + "a = np.array([" + fill(size - 800, lambda i: f"[{i}, [x, x]], ") + "])\nfor r in a: r\n" + LOSS
)
KINDS["many small dicts"] = lambda size: HEAD + fill(size - 600, lambda i: f"d{i} = dict(a=d{max(i - 1, 0)}, b={{'x': torch.ones(2), 'y': d{max(i - 2, 0)}}})\n") + LOSS  # fmt: skip
simple(
    "dict, written",
    lambda i: f"d['k{i}'] = d\nd[args.k{i}] = nn.Linear(3, {i})\nx = d[args.n](x)\n",
    "d = {}\nx = torch.randn(2, 3)\n",
)
simple(
    "list, written",
    lambda i: f"l.append(nn.Linear(3, {i}))\nl[args.i{i}] = l\nx = l[{i}](x)\n",
    "l = []\nx = torch.randn(2, 3)\n",
)
simple(
    "copies",
    lambda i: "l.append(copy.deepcopy(m))\nm.x = copy.deepcopy(l)\n",
    "l = []\nm = nn.Linear(3, 4)\n",
)

# ---- branches
simple("ifs, one name", lambda i: f"if args.a{i}: x = F.softmax(x, 1)\n", "x = nn.Linear(3, 4)(torch.randn(2, 3))\n", "F.cross_entropy(x, torch.ones(2).long())\n")  # fmt: skip
simple("ifs, either", lambda i: f"if args.a{i}: x = nn.Linear(4, 4)(x)\nelse: x = F.relu(x)\n", "x = nn.Linear(3, 4)(torch.randn(2, 3))\n", "F.cross_entropy(x, torch.ones(2).long())\n")  # fmt: skip
simple("ifs, in a function", lambda i: f"    if a{i % 40}: x = nn.Linear(3, {i})(x)\n    else: x = F.softmax(x, 1)\n", "def f(x, y, " + ", ".join(f"a{i}" for i in range(40)) + "):\n", "    return F.cross_entropy(x, y)\n")  # fmt: skip
simple(
    "ifs, many names",
    lambda i: f"if args.a{i}: x{i} = {i}; y = x{max(i - 1, 0)}\nelse: x{i} = y\n",
    "y = x0 = torch.ones(2)\n",
)
simple("ifs, on data", lambda i: f"if x.sum() > {i}: x = F.softmax(x, 1)\nelif x.mean() < y: x = x.log()\n", "x = y = nn.Linear(3, 4)(torch.randn(2, 3))\n", "F.cross_entropy(x, torch.ones(2).long())\n")  # fmt: skip
KINDS["ifs, nested"] = lambda size: HEAD + "x = torch.randn(2, 3)\n" + fill(size - 900, lambda i: "".join(" " * j + f"if args.a{i}_{j}:\n" + " " * (j + 1) + f"x = F.relu(x) + {j}\n" for j in range(40))) + LOSS  # fmt: skip
KINDS["elif, a thousand"] = lambda size: HEAD + "def f(a, x):\n    if a == '': x = x\n" + fill(size - 900, lambda i: f"    elif a == 'k{i}': x = F.softmax(nn.Linear(3, {i})(x), 1)\n") + "    return F.cross_entropy(x, torch.ones(2).long())\nf(args.a, torch.randn(2, 3))\n" + LOSS  # fmt: skip
KINDS["elif, returns"] = lambda size: HEAD + "def f(a, x):\n" + fill(size - 900, lambda i: f"    if a == 'k{i}': return F.softmax(nn.Linear(3, {i})(x), 1)\n") + "F.cross_entropy(f(args.a, torch.randn(2, 3)), torch.ones(2).long())\n" + LOSS  # fmt: skip
KINDS["models by name"] = lambda size: HEAD + fill(size // 2, lambda i: f"class N{i}(nn.Module):\n    def forward(self, x): return F.softmax(x, {i})\n") + "def get(name):\n" + fill(size // 2 - 900, lambda i: f"    if name == 'n{i}': return N{i}()\n") + "m = get(args.model)\nF.cross_entropy(m(torch.randn(2, 3)), torch.ones(2).long())\n" + LOSS  # fmt: skip
KINDS["match"] = lambda size: HEAD + "def f(a, x):\n  match a:\n" + fill(size - 900, lambda i: f"    case 'k{i}': x = F.softmax(nn.Linear(3, {i})(x), 1)\n") + "  return F.cross_entropy(x, torch.ones(2).long())\nf(args.a, torch.randn(2, 3))\n" + LOSS  # fmt: skip
KINDS["match, patterns"] = lambda size: HEAD + "def f(a, x):\n  match a:\n" + fill(size - 900, lambda i: f"    case [K(a=b, c={i}), {{'x': y, **z}} | [y, z], *w] if b > {i}: x = F.relu(x) + y\n") + "  return F.cross_entropy(x, torch.ones(2).long())\nf(args.a, torch.randn(2, 3))\n" + LOSS  # fmt: skip
KINDS["match, nested"] = lambda size: HEAD + "def f(a, x):\n" + fill(size - 900, lambda i: "".join("  " * j + f"  match a.b{i % 7}_{j}:\n" + "  " * j + f"   case {j}: x = x + {j}\n" + "  " * j + "   case _:\n" for j in range(20)) + "  " * 22 + "x = x\n") + "  return F.cross_entropy(x, a)\n" + LOSS  # fmt: skip
simple("asserts", lambda i: f"    assert a{i % 40} or x.a{i} > 3\n    x = F.relu(x)\n", "def f(x, y, " + ", ".join(f"a{i}" for i in range(40)) + "):\n", "    return F.cross_entropy(x, y)\n")  # fmt: skip
simple("tries", lambda i: f"try:\n    import m{i}\n    x = m{i}.f(x)\nexcept ImportError:\n    x = F.relu(x); m{i} = None\nelse:\n    x = x\nfinally:\n    y = x\n", "x = torch.randn(2, 3)\n")  # fmt: skip
KINDS["tries, nested"] = lambda size: HEAD + "x = torch.randn(2, 3)\n" + fill(size - 900, lambda i: "".join(" " * j + "try:\n" + " " * j + f" x = f{j}(x)\n" for j in range(18)) + "".join(" " * j + "except E:\n" + " " * j + f" x = g{j}\n" for j in reversed(range(18)))) + LOSS  # fmt: skip
KINDS["tries in handlers"] = lambda size: HEAD + "x = torch.randn(2, 3)\n" + fill(size - 900, lambda i: "".join(" " * j + "try:\n" + " " * j + f" x = f{j}(x)\n" + " " * j + "except E:\n" for j in range(30)) + " " * 30 + "pass\n") + LOSS  # fmt: skip
simple(
    "withs",
    lambda i: f"with torch.no_grad() as a{i}, torch.autocast('cuda'), open('x') as f: x = F.relu(x)\n",
    "x = torch.randn(2, 3)\n",
)

# ---- loops
KINDS["loops, nested"] = lambda size: HEAD + "x = torch.randn(2, 3)\n" + fill(size - 900, lambda i: "".join(" " * j + f"for a{j} in range(30):\n" for j in range(15)) + " " * 15 + "x = F.relu(x) + a3\n") + LOSS  # fmt: skip
KINDS["loops, unknown"] = lambda size: HEAD + "x = torch.randn(2, 3)\n" + fill(size - 900, lambda i: "".join(" " * j + f"for a{j} in args.b{j}:\n" + " " * (j + 1) + f"x = x + a{j}\n" for j in range(12))) + LOSS  # fmt: skip
simple("loops, with ifs", lambda i: f"for j in range(30):\n    if args.a{i} == j: break\n    if j % 2: continue\n    x = nn.Linear(3, j)(x)\n", "x = torch.randn(2, 3)\n")  # fmt: skip
simple(
    "while",
    lambda i: (
        f"while x.sum() > {i}:\n    x = F.relu(x)\n    n{i} = n{max(i - 1, 0)} + 1\n    if n{i} > 3: break\n"
    ),
    "x = torch.randn(2, 3)\nn0 = 0\n",
)
simple("training loops", lambda i: f"for epoch in range({i}):\n    for x, y in DataLoader(args.d, batch_size=4):\n        opt.zero_grad()\n        out = net(x)\n        loss = F.cross_entropy(out, y)\n        loss.backward()\n        opt.step()\n        total += loss.item()\n", NET + "net = Net()\nopt = torch.optim.SGD(net.parameters(), 0.1)\ntotal = 0\n")  # fmt: skip
simple("closures in loops", lambda i: f"fs = []\nfor i in range(30):\n    def g(x, i=i): return fs[i - 1](F.relu(x)) if i else x\n    fs.append(g)\nx = fs[-1](x)\nh{i} = lambda x: g(h{max(i - 1, 0)}(x))\n", "x = torch.randn(2, 3)\nh0 = F.relu\n")  # fmt: skip
simple(
    "list built in loops",
    lambda i: f"l{i} = []\nfor a in l{max(i - 1, 0)}:\n    for b in l{max(i - 1, 0)}: l{i}.append((a, b))\n",
    "l0 = [torch.ones(2), 2, 3]\n",
)

# ---- functions
simple("functions, calling back", lambda i: f"def f{i}(x, y):\n    return f{max(i - 1, 0)}(x, f{max(i - 2, 0)}(x, y)) + F.cross_entropy(x, y)\n", after="f300(torch.randn(2, 3), torch.ones(2).long()).backward()\n")  # fmt: skip
simple(
    "functions, calling on",
    lambda i: f"def f{i}(x, y):\n    return f{i + 1}(x, f{i + 2}(x, y)) + F.cross_entropy(x, y)\n",
)
simple(
    "functions, a fan",
    lambda i: (
        f"def f{i}(x):\n    return {' + '.join(f'f{(i * 7 + j) % 900}(x)' for j in range(8))} + F.cross_entropy(x, x)\n"
    ),
)
simple("functions, different arguments", lambda i: f"def f{i}(x, n):\n    if n > {i}: return F.softmax(f{i + 1}(x, n + 1), n)\n    return f{i + 1}(x, n - 1) + f{i + 1}(F.relu(x), n)\n", after="F.cross_entropy(f0(torch.randn(2, 3), args.n), torch.ones(2).long())\n")  # fmt: skip
simple(
    "functions, mutual",
    lambda i: (
        f"def f{i}(x, y, f=None):\n    g = f or f{(i * 31 + 7) % 1000}\n    return F.nll_loss(g(g(x, y, f{i}), y), y)\n"
    ),
)
simple(
    "functions, unrelated",
    lambda i: f"def f{i}(x, y):\n    return F.cross_entropy(F.softmax(nn.Linear(3, {i})(x), 1), y)\n",
)
simple("functions, tiny losses", lambda i: f"def f{i}(x): F.nll_loss(x, x)\n")
simple("functions inside functions", lambda i: "".join(" " * j + f"def f{j}(x):\n" for j in range(30)) + " " * 30 + "return F.cross_entropy(x, x)\n" + "".join(" " * j + f"return f{j}(f{j}(x))\n" for j in range(29, 0, -1)))  # fmt: skip
simple("decorators", lambda i: f"def d{i}(f):\n    @functools.wraps(f)\n    def g(*a, **k): return f(*a, **k)\n    return g\n@d{i}\n@d{max(i - 1, 0)}\n@d{max(i - 2, 0)}\ndef f{i}(x): return F.cross_entropy(x, f{max(i - 1, 0)}(x))\n")  # fmt: skip
KINDS["decorators, many on one"] = lambda size: HEAD + "def d(f):\n    def g(*a): return f(f(*a))\n    return g\n" + fill(size - 900, lambda i: "@d\n") + "def f(x): return F.cross_entropy(x, x)\nf(torch.ones(2, 3))\n" + LOSS  # fmt: skip
simple("generators", lambda i: f"def f{i}(x):\n    yield from f{max(i - 1, 0)}(x)\n    for a in f{max(i - 2, 0)}(x): yield F.cross_entropy(a, x)\n", after="for l in f30(torch.ones(2, 3)): l.backward()\n")  # fmt: skip
simple(
    "partials",
    lambda i: f"p{i} = functools.partial(p{max(i - 1, 0)}, p{max(i - 2, 0)}, a{i}=x)\nx = p{i}(x)\n",
    "p0 = F.cross_entropy\nx = torch.ones(2)\n",
)
KINDS["parameters, many"] = lambda size: HEAD + "def f(" + fill(size - 900, lambda i: f"a{i}=None, ") + "*z):\n    return F.cross_entropy(a1, a2)\nf(torch.ones(2, 3))\n" + LOSS  # fmt: skip
KINDS["arguments, many"] = lambda size: HEAD + "def f(*a, **k): return F.cross_entropy(a[0], a[1], **k)\nf(" + fill(size - 900, lambda i: f"F.relu(args.a{i}), ") + ")\n" + LOSS  # fmt: skip
simple(
    "callbacks",
    lambda i: (
        f"def f{i}(g, x): return g(g, F.softmax(x, {i}))\nF.cross_entropy(f{i}(f{max(i - 1, 0)}, x), y)\n"
    ),
    "x, y = torch.ones(2, 3), torch.ones(2).long()\n",
)
simple(
    "async",
    lambda i: (
        f"async def f{i}(x):\n    async with args.a as b:\n        async for c in f{max(i - 1, 0)}(x): await F.cross_entropy(c, b)\n        return [d async for d in f{max(i - 2, 0)}(x)]\n"
    ),
)
simple(
    "globals",
    lambda i: (
        f"def f{i}():\n    global x, y\n    x = F.relu(x); y = f{max(i - 1, 0)}\n    return F.cross_entropy(x, x)\nf{i}()\n"
    ),
    "x = torch.ones(2, 3)\n",
)
simple(
    "main blocks",
    lambda i: (
        f"if __name__ == '__main__':\n    x = F.softmax(torch.ones(2, {i}), 1)\n    F.cross_entropy(x, x)\n"
    ),
)

KINDS["functions, and empty lines"] = lambda size: (
    KINDS["functions inside functions"](size // 2) + "\n" * (size // 2)
)

# ---- classes
simple("inheritance, deep", lambda i: f"class A{i}({f'A{i - 1}' if i else 'nn.Module'}):\n    def forward(self, x): return F.relu(super().forward(x))\n    def m{i}(self): return F.cross_entropy(self(torch.ones(2, 3)), self.m{max(i - 1, 0)}())\n")  # fmt: skip
simple("inheritance, constructed", lambda i: f"class A{i}({f'A{i - 1}' if i else 'nn.Module'}):\n    def __init__(self):\n        super().__init__()\n        self.l{i} = nn.Linear(3, 3)\n    def forward(self, x): return self.l{i}(super().forward(x))\nF.cross_entropy(A{i}()(torch.ones(2, 3)), args.y)\n")  # fmt: skip
simple("inheritance, diamonds", lambda i: f"class A{i}({f'A{i - 1}, B{i - 1}' if i else 'nn.Module'}):\n    def f(self, x): return super().f(x)\nclass B{i}({f'A{i - 1}, B{i - 1}' if i else 'nn.Module'}): pass\n")  # fmt: skip
KINDS["bases, many"] = lambda size: HEAD + fill(size // 2, lambda i: f"class A{i}: pass\n") + "class B(" + ", ".join(f"A{i}" for i in range(count(size // 2, lambda i: f"class A{i}: pass\n"))) + "): pass\nB().x\n" + LOSS  # fmt: skip
simple("classes that hold one another", lambda i: f"class A{i}(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.a, self.b = A{max(i - 1, 0)}(), A{max(i - 2, 0)}()\n    def forward(self, x): return self.a(self.b(x))\n", after="F.cross_entropy(A500()(torch.ones(2, 3)), args.y)\n")  # fmt: skip
simple("classes that hold the next", lambda i: f"class A{i}(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.a, self.b = A{i + 1}(), A{i + 2}()\n    def forward(self, x): return self.a(self.b(x))\n    def loss(self, x): return F.cross_entropy(self(x), x)\n")  # fmt: skip
simple("models with a loss", lambda i: f"class A{i}(nn.Module):\n    def __init__(self, n={i}):\n        super().__init__()\n        self.net = nn.Sequential(nn.Linear(3, n), nn.ReLU(), nn.Linear(n, n), nn.Softmax(1))\n        self.crit = nn.CrossEntropyLoss()\n    def training_step(self, b): return self.crit(self.net(b[0]), b[1])\n")  # fmt: skip
simple("dataclasses", lambda i: f"@dataclass\nclass C{i}:\n    a: 'C{i}' = None\n    b: int = field(default_factory=lambda: C{max(i - 1, 0)}())\n    c: object = C{max(i - 1, 0)}\n    def loss(self): return F.cross_entropy(self.a.b.c, self.b.b.b.b)\nC{i}(C{max(i - 1, 0)}())\n", "class C0: pass\n")  # fmt: skip
simple(
    "properties",
    lambda i: (
        f"    @property\n    def p{i}(self): return (self.p{i + 1}, self.p{i + 2}, F.cross_entropy(self.x, self.x))\n"
    ),
    "class A:\n",
    "A().p0\n",
)
KINDS["methods, a thousand"] = lambda size: HEAD + "class A(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.fc = nn.Linear(3, 4)\n" + fill(size - 900, lambda i: f"    def m{i}(self, x): return F.cross_entropy(F.softmax(self.fc(self.m{max(i - 1, 0)}(x)), 1), x)\n") + "A()\n" + LOSS  # fmt: skip
KINDS["attributes, thousands"] = lambda size: HEAD + "class A(nn.Module):\n    def __init__(self):\n        super().__init__()\n" + fill(size - 900, lambda i: f"        self.a{i} = nn.Linear({i}, 4)\n") + "    def forward(self, x):\n        for m in self.children(): x = m(x)\n        return x\nF.cross_entropy(A()(torch.ones(2, 3)), args.y)\n" + LOSS  # fmt: skip
KINDS["attributes and forward"] = lambda size: HEAD + "class A(nn.Module):\n    def __init__(self):\n        super().__init__()\n" + fill(size // 2, lambda i: f"        self.a{i} = nn.Linear(3, 3)\n") + "    def forward(self, x):\n" + fill(size // 2 - 900, lambda i: f"        x = F.relu(self.a{i}(x)) + x\n") + "        return F.softmax(x, 1)\nfor e in range(3): F.cross_entropy(A()(torch.ones(2, 3)), args.y)\n" + LOSS  # fmt: skip
simple("metaclasses", lambda i: f"class M{i}(type):\n    def __call__(cls, *a): return super().__call__(*a)\n    def __getattr__(cls, n): return getattr(M{max(i - 1, 0)}, n)\nclass A{i}(metaclass=M{i}):\n    def __getattr__(self, n): return getattr(A{max(i - 1, 0)}(), n)\n    def __call__(self, x): return F.cross_entropy(self.y, A{max(i - 1, 0)}()(x))\nA{i}()(1).z\n")  # fmt: skip
simple("operators", lambda i: f"class A{i}:\n    def __add__(self, o): return A{max(i - 1, 0)}() + o\n    def __getitem__(self, k): return A{max(i - 1, 0)}()[k]\n    def __iter__(self): return iter(A{max(i - 1, 0)}())\n    def __len__(self): return len(A{max(i - 1, 0)}())\nfor q in A{i}() + A{i}(): F.cross_entropy(q[0], q)\n", "class A0: pass\n")  # fmt: skip
simple("setattr", lambda i: f"setattr(m, f'a{{i}}{i}', getattr(m, 'a{max(i - 1, 0)}', m))\nm.b{i} = m\nm.register_buffer('c{i}', m.b{max(i - 1, 0)})\n", "m = nn.Linear(3, 4)\ni = args.i\n")  # fmt: skip

# ---- models
KINDS["Sequential, giant"] = lambda size: HEAD + "m = nn.Sequential(\n" + fill(size - 900, lambda i: "    nn.Linear(3, 3), nn.ReLU(),\n") + ")\nF.cross_entropy(F.softmax(m(torch.ones(2, 3)), 1), args.y)\nm.eval()\nm(torch.ones(2, 3))\n" + LOSS  # fmt: skip
KINDS["Sequential, nested"] = lambda size: HEAD + "m = nn.Linear(3, 3)\n" + fill(size - 900, lambda i: "m = nn.Sequential(m, nn.ReLU(), m)\n") + "F.cross_entropy(m(torch.ones(2, 3)), args.y)\n" + LOSS  # fmt: skip
KINDS["Sequential, called often"] = lambda size: HEAD + "m = nn.Sequential(" + "nn.Linear(3, 3), " * 200 + ")\n" + fill(size - 5000, lambda i: "x = m(torch.ones(2, 3))\n") + LOSS  # fmt: skip
KINDS["layers in a list"] = lambda size: HEAD + "l = []\n" + fill(size - 900, lambda i: f"l += [nn.Linear(3, {i}), nn.ReLU()]\n") + "m = nn.Sequential(*l)\nF.cross_entropy(m(torch.ones(2, 3)), args.y)\n" + LOSS  # fmt: skip
KINDS["ModuleList of lists"] = lambda size: HEAD + "m = nn.ModuleList()\n" + fill(size - 900, lambda i: "m.append(nn.ModuleList([m, nn.Linear(3, 3)]))\nfor k in m.modules(): x = k\n") + LOSS  # fmt: skip
KINDS["generated model"] = lambda size: HEAD + "class Block(nn.Module):\n    def __init__(self, i, o, s=1):\n        super().__init__()\n        self.conv = nn.Conv2d(i, o, 3, s, 1)\n        self.bn = nn.BatchNorm2d(o)\n    def forward(self, x):\n        return F.relu(self.bn(self.conv(x)))\nclass Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n" + fill(size // 2 - 900, lambda i: f"        self.block{i} = Block(64, 64)\n") + "        self.fc = nn.Linear(64, 10)\n    def forward(self, x):\n" + fill(size // 2 - 900, lambda i: f"        x{i + 1} = self.block{i}(x{i} if {i} else x)\n") + "        return F.softmax(self.fc(x9.mean((2, 3))), 1)\nnet = Net()\nfor x, y in DataLoader(args.d): F.cross_entropy(net(x), y).backward()\n" + LOSS  # fmt: skip
simple("nets, unlike", lambda i: f"class N{i}(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.f = nn.Linear(3, {i})\n        self.g = nn.ModuleList([nn.Linear(3, 3) for _ in range({i})])\n    def forward(self, x):\n        for g in self.g: x = g(x)\n        return F.log_softmax(self.f(x), 1)\nF.cross_entropy(N{i}()(torch.ones(2, 3)), args.y).backward()\n")  # fmt: skip
simple(
    "recurrent",
    lambda i: "h, c = r(x, (h, c))\nx, _ = nn.GRU(3, 3)(h)\n",
    "r = nn.LSTM(3, 3)\nx = torch.ones(2, 3, 3)\nh = c = None\n",
)
simple("losses, own", lambda i: f"class L{i}(nn.Module):\n    def __init__(self, w=None):\n        super().__init__()\n        self.l = L{max(i - 1, 0)}() if w else nn.CrossEntropyLoss(weight=w)\n    def forward(self, x, y): return self.l(x, y) + F.kl_div(x, y)\n", after="L500()(torch.ones(2, 3), args.y)\n")  # fmt: skip
simple("wrong losses", lambda i: f"F.cross_entropy(p, y)\nF.nll_loss(p, y.float())\nF.binary_cross_entropy(z{i % 3}, y)\n", "z0 = z1 = z2 = nn.Linear(3, 4)(torch.randn(2, 3))\np, y = F.softmax(z0, 1), torch.ones(2).long()\n")  # fmt: skip
simple("alternatives of losses", lambda i: f"c = nn.CrossEntropyLoss() if args.c{i} else c\nm = m if args.m{i} else nn.Sequential(m, nn.Softmax(1))\nc(m(x), y)\n", "c, m = nn.NLLLoss(), nn.Linear(3, 4)\nx, y = torch.ones(2, 3), args.y\n")  # fmt: skip
simple("alternatives of eight", lambda i: f"x{i} = a if args.n == {i % 8} else x{max(i - 1, 0)}\ny = x{i} + x{max(i - 1, 0)} * x{max(i - 2, 0)}\nF.cross_entropy(y, y)\n", "a, x0 = nn.Linear(3, 4)(torch.randn(2, 3)), torch.ones(2)\n")  # fmt: skip
simple(
    "optimizers",
    lambda i: (
        f"o{i} = torch.optim.Adam(net.parameters())\no{i}.zero_grad()\nF.cross_entropy(net(x), y).backward()\no{i}.step()\n"
    ),
    NET + "net, x, y = Net(), torch.ones(2, 3), args.y\n",
)


# ---- many files, notebooks, text
def _spread(size: int, each: Callable[[int, int], str]) -> dict[str, str]:
    files = max(size // 1000, 3)
    return {f"m{i}.py": each(i, files) for i in range(files)}


KINDS["modules in a circle"] = lambda size: _spread(size, lambda i, n: f"from m{(i + 1) % n} import *\nfrom m{(i + 7) % n} import *\nimport m{(i + 3) % n}\n" + HEAD + f"def f{i}(x): return F.cross_entropy(f{(i + 1) % n}(x), m{(i + 3) % n}.f{(i + 3) % n}(x))\n" + LOSS)  # fmt: skip
KINDS["star imports"] = lambda size: _spread(size, lambda i, n: HEAD + "".join(f"from m{j} import *\n" for j in range(i)) + f"x{i} = F.softmax(torch.ones(2, 3), 1)\n" + LOSS)  # fmt: skip
simple(
    "imports",
    lambda i: (
        f"import torch.nn as n{i}, a{i}.b.c as d{i}\nfrom . import e{i}\nfrom .f{i} import *\nx = d{i}.g(e{i}.h)\n"
    ),
)
simple(
    "comments",
    lambda i: "# torchlosslint: ignore[TLL101] -- x\nx = 1  # noqa: TLL101 # torchlosslint: ignore\n",
)
simple("blank lines", lambda i: "\n   \n\t\n")
KINDS["one line"] = lambda size: (
    HEAD + "x = torch.ones(2, 3)\n" + fill(size - 900, lambda i: "x = F.relu(x);") + "\n" + LOSS
)
KINDS["a string"] = lambda size: (
    HEAD
    + "s = '''"
    + "F.cross_entropy(softmax(x)) import torch \\n" * (size // 44)
    + "'''\ns.split()\n"
    + LOSS
)
KINDS["quotes"] = lambda size: HEAD + "\"'\\" * (size // 3) + "\n" + LOSS
KINDS["open brackets"] = lambda size: HEAD + "x = [\n" * (size // 6) + LOSS
KINDS["broken lines"] = lambda size: HEAD + fill(size - 900, lambda i: f"x{i} = F.relu(x\nif y: = 3\n") + LOSS
KINDS["print statements"] = lambda size: HEAD + fill(size - 900, lambda i: f"print 'a', {i}\n") + LOSS
KINDS["new syntax"] = lambda size: HEAD + fill(size - 900, lambda i: f"type A{i}[T: int = str] = list[T]\ndef f{i}[T](x: T): return F.cross_entropy(x, f'{{x[\"a\"]}}')\n") + LOSS  # fmt: skip
KINDS["new syntax, chained"] = lambda size: (
    HEAD + "type A = int\n" + fill(size - 900, lambda i: "x = x" + " + x" * 400 + "\n") + LOSS
)
KINDS["form feeds"] = lambda size: HEAD + "\f" * (size - 900) + "\n" + LOSS
KINDS["spaces"] = lambda size: HEAD + " " * (size - 900) + "x = 1\n" + LOSS
KINDS["continued lines"] = lambda size: HEAD + "x = 1 " + "\\\n" * (size // 2) + "\n" + LOSS
KINDS["names, long"] = lambda size: (
    HEAD + fill(size - 900, lambda i: "a" * 10_000 + f"{i} = F.relu(torch.ones(2))\n") + LOSS
)
KINDS["words of losses"] = lambda size: HEAD + fill(size - 900, lambda i: "cross_entropy softmax log .backward( ".replace(" ", "_") + f"{i}\n") + LOSS  # fmt: skip


def _book(cells: list[str]) -> dict[str, str]:
    made = [{"cell_type": "code", "source": c, "outputs": [], "metadata": {}} for c in cells]
    return {"book.ipynb": json.dumps({"cells": made, "metadata": {}, "nbformat": 4})}


def book(name: str, cell: Callable[[int], str], weight: int = 65) -> None:
    """Register a notebook of cells, each given its number."""
    KINDS[f"notebook: {name}"] = lambda size: _book(
        [HEAD, *[cell(i) for i in range(count(size, lambda i: cell(i) + " " * weight))], LOSS]
    )


book("tiny cells", lambda i: "1")
book(
    "losses",
    lambda i: f"x{i} = F.softmax(nn.Linear(3, {i})(torch.ones(2, 3)), 1)\nF.cross_entropy(x{i}, args.y)",
)
book("magics", lambda i: f"%%time\n!ls {i}\nx = y?\n%matplotlib inline")
book("broken cells", lambda i: f"x = ({i}")
book("one broken", lambda i: "x = (" if i == 500 else f"x{i} = F.relu(torch.ones(2))")
book("ifs", lambda i: f"if args.a{i}: x = F.softmax(x, {i})\nelse: x = F.relu(x)")
KINDS["notebook: one cell"] = lambda size: _book(
    [HEAD + fill(size - 900, lambda i: f"!ls {i}\nx = F.relu(x)\n%time y = x\n") + LOSS]
)


def main() -> int:
    """Lint each, print."""
    parser = argparse.ArgumentParser(description="Lint made-up hostile inputs.")
    parser.add_argument(
        "--only", action="append", default=[], metavar="WORD", help="kinds with this in the name"
    )
    parser.add_argument("--size", type=int, default=SIZE, metavar="BYTES", help="of each input")
    parser.add_argument("--limit", type=float, default=5.0, metavar="SECONDS", help="of CPU time for each")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="write the inputs there, to look at them")
    options = parser.parse_args()
    rows: list[tuple[float, float, str, str]] = []
    with tempfile.TemporaryDirectory() as scratch:
        for number, (name, make) in enumerate(KINDS.items()):
            if options.only and not any(word in name for word in options.only):
                continue
            folder = (options.keep or Path(scratch)) / str(number)
            folder.mkdir(parents=True, exist_ok=True)
            made = make(options.size)
            for file, text in ({"program.py": made} if isinstance(made, str) else made).items():
                (folder / file).write_text(text)
            command = ["-m", "torchlosslint", "check", "--isolated", "--no-cache", "--jobs=1", "--exit-zero"]
            cost = child.run([*command, "--format=json", str(folder)])
            rows.append((cost.cpu, cost.peak / 1e6, name, _outcome(cost)))
    rows.sort(reverse=True)
    print(f"{'CPU s':>6}{'MB':>6}  input")
    for cpu, peak, name, outcome in rows:
        print(f"{cpu:6.2f}{peak:6.0f}  {name}: {outcome}")
    return int(any(cpu > options.limit or "error" in outcome for cpu, _, _, outcome in rows))


def _outcome(cost: child.Cost) -> str:
    """What came out, in a few words."""
    try:
        report = json.loads(cost.output)
    except ValueError:
        return f"error: status {cost.status}: {cost.errors[-300:]}"
    summary = report["summary"]
    reasons = sorted({skipped["reason"][:60] for skipped in summary["skipped"]})
    calls = summary["loss_calls"]
    words = [f"{summary['findings']} findings, {calls['judged']} of {calls['seen']} losses judged", *reasons]
    return "; ".join(words[:4])


if __name__ == "__main__":
    sys.exit(main())
