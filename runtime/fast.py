"""The short way of a call that was seen before: code with the parameters of the loss itself.

A loss of two tensors gets a replacement that is written for it: one look-up by call site, instance
and shape, a few comparisons of what the tensors say of themselves, a counter, and then torch's
function. It makes no packed arguments and enters no frame of its own. Whatever is not exactly as it
was goes the long way (`watch`), which is also who puts calls in here.
"""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable
from types import CodeType, FunctionType, SimpleNamespace
from typing import Any

import torch

from torchlosslint.contracts import LossContract
from torchlosslint.runtime.sites import Site

MOST = 2048  # remembered calls; all are forgotten then
MOST_WEIGHTS = 65_536  # numbers of a weight that is kept to know it again
# (instruction, instance or loss, shape of the input) -> what the call was; empty whenever anything changes.
HOT: dict[tuple[Any, ...], tuple[Any, ...]] = {}
_FILE = "<torchlosslint guard>"
_DEPTH = 3  # a class's forward, _call_impl, _wrapped_call_impl, the caller

# While torch.compile looks at it, only the first two lines are there. An input that was computed carries
# gradient: its loss can be cut from the graph under no_grad alone, where nobody wants to go back.
_HEAD = """
def replaced({params}):
    if tll_compiling():
        return tll_original({passed})
    {x}_seen = None
    if tll_type({x}) is tll_tensor and tll_type({y}) is tll_tensor:
        try:
            {state}{x}_frame = tll_frame({depth})
            {x}_seen = tll_hot.get(({x}_frame.f_lasti, {which}, {x}.shape))
            if {x}_seen is not None:
                {facts} = {x}_seen
                if (
                    {x}_frame.f_code is {x}_code
                    and {x}_site.left > 0
                    and {x}.dtype is {x}_dtype
                    and tll_type({x}.grad_fn) is {x}_made
                    and {y}.shape == {y}_shape
                    and {y}.dtype is {y}_dtype
                    and ({y}_grad is None or {y}.requires_grad is {y}_grad)
                    {tests}
                ):
                    {fetched}{x}_site.left -= 1
                else:
                    {x}_seen = None
        except Exception:
            {x}_seen = None
    if {x}_seen is None:
        return tll_run(({passed},), {{}})
    try:
        {x}_result = tll_direct({given})
    except Exception as error:
        tll_explain({x}_site, ({passed},), error)
        raise
    if {x}_site.keep or ({x}_made is tll_none and not {x}_result.requires_grad):
        tll_after({x}_site, {x}_result)
    return {x}_result
"""
_FACTS = "{x}_code {x}_site {x}_config {x}_dtype {x}_made {y}_shape {y}_dtype {y}_grad"
Explain = Callable[[Site, tuple[Any, ...], Exception], None]
After = Callable[[Site, Any], None]


def named(name: str, key: str) -> str:
    """What a global name of a replacement is called in the module that it lands in."""
    return f"_torchlosslint_{name[4:]}_{key}" if name.startswith("tll_") else name


def copied(function: FunctionType, code: CodeType, space: dict[str, Any] | None = None) -> FunctionType:
    """The same function, with its own code whatever becomes of the one in torch."""
    found = FunctionType(
        code,
        function.__globals__ if space is None else space,
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
    found.__kwdefaults__ = function.__kwdefaults__
    return found


class _Named:
    """Stands for an argument, or for an attribute of the instance."""

    def __init__(self, name: str, attribute: bool) -> None:
        self.name, self.attribute = name, attribute


class _Instance:
    def __getattr__(self, name: str) -> _Named:
        return _Named(name, True)


def passed_on(forward: FunctionType, function: str, params: tuple[str, ...]) -> list[tuple[str, Any]] | None:
    """What a forward gives to its function, found out by running it on stand-ins: (keyword or "", name of
    an argument or attribute, or constant). None where it does anything besides."""
    calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = []
    result = object()

    def record(*args: Any, **kwargs: Any) -> Any:
        calls.append((args, kwargs))
        return result

    space = {**forward.__globals__, "F": SimpleNamespace(**{function: record})}
    try:
        came = copied(forward, forward.__code__, space)(_Instance(), *[_Named(n, False) for n in params])
    except Exception:  # it does other things too
        return None
    if came is not result or len(calls) != 1:
        return None
    found = [("", value) for value in calls[0][0]] + list(calls[0][1].items())
    constants = (_Named, int, float, str, bool, type(None))
    return found if all(isinstance(value, constants) for _, value in found) else None


class Short:
    """How calls of one loss are known again. `of_module`: its class's forward, else its function."""

    def __init__(self, contract: LossContract, function: FunctionType, of_module: bool) -> None:
        self.of_module, self.safe = of_module, contract.autocast_safe
        code = function.__code__
        self.params = code.co_varnames[: code.co_argcount]
        first = 1 if of_module else 0
        wanted = (contract.input_arg if of_module else contract.function_input_arg or contract.input_arg,)
        self.possible = (
            not (code.co_kwonlyargcount or code.co_freevars or code.co_flags & 0x0C)  # *args, **kwargs
            and self.params[first : first + 2] == (*wanted, contract.target_arg)
            and (not of_module or len(self.params) == 3)
            and not contract.owns_layer
        )
        weights = [p.name for p in contract.parameters if p.module or not of_module]
        if of_module:
            tensors = {p.name for p in contract.parameters} | {"device", "dtype"}
            defaults = dict(contract.defaults)
            self.settings = [n for n in contract.module_params if n in defaults and n not in tensors]
            if not (contract.switches or contract.target_switches or contract.key == "kl_div"):
                self.settings = []  # a change of theirs is seen by torch, or at the next call that is due
        else:
            self.settings = [n for n in self.params[2:] if n not in weights]
            weights = [n for n in self.params[2:] if n in weights]
        self.weights = weights
        self.config_of = operator.itemgetter(*self.settings) if self.settings else _nothing
        self.number = id(contract)  # there is one for each loss, for good
        self.function = contract.function.rpartition(".")[2]
        self.attributes: list[str] = []
        given = passed_on(function, self.function, self.params[1:]) if of_module and self.possible else None
        self.possible = self.possible and (not of_module or given is not None)
        self.given = ", ".join(self.params if given is None else map(self._spelled, given))

    def _spelled(self, argument: tuple[str, Any]) -> str:
        """An argument of the function as the replacement writes it."""
        keyword, value = argument
        if not isinstance(value, _Named):
            spelled = repr(value)
        elif not value.attribute:
            spelled = value.name
        else:
            spelled = f"{self.params[1]}_{value.name}"
            if value.name not in self.weights:
                self.attributes.append(value.name)
        return f"{keyword}={spelled}" if keyword else spelled

    def code(self, name: str, key: str) -> CodeType:
        """The replacement, whose global names end in `key`."""
        x, y = self.params[1:3] if self.of_module else self.params[:2]
        tests = []
        if self.of_module:
            if self.settings:
                tests.append(f"tll_config({x}_state) == {x}_config")
            held = x + '_state["_buffers"]["{0}"]'
        else:
            tests.append(f"({''.join(n + ', ' for n in self.settings)}) == {x}_config")
            held = "{0}"
        tests += [f"{held.format(n)} is {x}_{n}" for n in self.weights]
        if not self.safe:
            tests.append('not tll_autocast("cuda") and not tll_autocast("cpu")')
        if self.of_module:
            tests.append(f"tll_space.{self.function} is tll_function")
        source = _HEAD.format(
            params=", ".join(self.params),
            passed=", ".join(self.params),
            given=self.given,
            fetched="".join(f'{x}_{n} = {x}_state["{n}"]; ' for n in self.attributes),
            x=x,
            y=y,
            state=f"{x}_state = self.__dict__; " if self.of_module else "",
            depth=_DEPTH if self.of_module else 1,
            which="tll_id(self)" if self.of_module else self.number,
            facts=", ".join([f"{x}_{n}" for n in self.weights] + _FACTS.format(x=x, y=y).split()),
            tests="\n                    ".join(f"and {test}" for test in tests),
        )
        space: dict[str, Any] = {}
        exec(compile(source, _FILE, "exec"), space)
        made: CodeType = space["replaced"].__code__
        return made.replace(
            co_names=tuple(named(n, key) for n in made.co_names),
            co_name=name,
        )

    def names(self, direct: FunctionType, explain: Explain, after: After) -> dict[str, Any]:
        """What the replacement needs besides the original and the long way."""
        names: dict[str, Any] = {
            "type": type,
            "id": id,
            "tensor": torch.Tensor,
            "none": type(None),
            "hot": HOT,
        }
        names |= {"frame": sys._getframe, "autocast": torch.is_autocast_enabled, "config": self.config_of}
        names |= {"direct": direct, "explain": explain, "after": after, "space": torch.nn.functional}
        return {**names, "function": getattr(torch.nn.functional, self.function, None)}

    def remember(self, site: Site, args: tuple[Any, ...]) -> None:
        """A call of the long way that was as before: the next one like it goes the short way.

        To be called by `run`, which the replacement called: the frame that the replacement will see.
        """
        frame = sys._getframe(2 + (_DEPTH if self.of_module else 1))
        first = 1 if self.of_module else 0
        x, y = args[first : first + 2]
        if frame.f_code is not site.code or type(x) is not torch.Tensor or type(y) is not torch.Tensor:
            return
        if not self.safe and (torch.is_autocast_enabled("cuda") or torch.is_autocast_enabled("cpu")):
            return
        if self.of_module:
            state = vars(args[0])
            if any(hasattr(type(args[0]), n) for n in (*self.weights, *self.attributes)):
                return  # a subclass that computes them
            config = self.config_of(state)
            weights = [state["_buffers"][n] for n in self.weights]
        else:
            given = dict(zip(self.params, args, strict=True))
            config = tuple(given[n] for n in self.settings)
            weights = [given[n] for n in self.weights]
        if any(w is not None and (w.dim() > 1 or w.numel() > MOST_WEIGHTS) for w in weights):
            return
        if len(HOT) >= MOST:
            HOT.clear()
        carries = y.requires_grad if y.is_floating_point() else None
        which = id(args[0]) if self.of_module else self.number
        facts = (frame.f_code, site, config, x.dtype, type(x.grad_fn), y.shape, y.dtype, carries)
        HOT[frame.f_lasti, which, x.shape] = (*weights, *facts)


def _nothing(state: dict[str, Any]) -> tuple[()]:
    return ()
