"""Guards: conjunctions of facts about immutable sources, and alternatives under them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from torchlosslint.flow.conditions import (
    QUESTIONS,
    TRUTH as TRUTH,
    at_least as at_least,
    contains as contains,
    equals as equals,
    is_config as is_config,
    present as present,
    source as source,
    truthy as truthy,
)
from torchlosslint.flow.values import (
    MAX_ALTERNATIVES,
    MIXED,
    NO_GUARD,
    Choice,
    Fact,
    Guard,
    Tensor,
    Unknown,
    Value,
)

MAX_FACTS = 64  # of an alternative; more are forgotten, so that it holds in more cases than it should
MAX_NEGATED = 4  # facts of a guard whose contrary is told fact by fact
ANY = "any"  # of several guards one holds: `not (a and b)`
MAX_WAYS = 4  # guards of such a fact
MAX_TOGETHER = 3  # such facts that are held against each other
MANY_ALTERNATIVES = 64  # of one value, from which on it is seen to at once that they are not too many


def compatible(a: Guard, b: Guard) -> bool:
    """Whether both guards can hold at once."""
    return not a or not b or _compatible(a, b)


@lru_cache(maxsize=16_384)
def _compatible(a: Guard, b: Guard) -> bool:
    several_a, several_b = _alternating(a), _alternating(b)
    if several_a or several_b:
        plain_a, plain_b = a.difference(several_a), b.difference(several_b)
        if not compatible(plain_a, plain_b):
            return False
        # Each guard holds by itself: only what both speak of can contradict.
        about_a, about_b = _spoken_of(a), _spoken_of(b)
        several = {f for f in several_a if not about_b.isdisjoint(_sources(f))}
        several.update([f for f in several_b if not about_a.isdisjoint(_sources(f))])
        if not several:
            return True
        spoken = frozenset().union(*map(_sources, several))
        held = frozenset([f for side in (plain_a, plain_b) for f in side if f[0] in spoken])
        if len(several) > MAX_TOGETHER:
            return all(_some_way([fact], held) for fact in several)
        return _some_way(sorted(several, key=_positive), held)
    if not _sets_compatible(a, b):
        return False
    if len(a) > len(b):
        a, b = b, a
    sources = {src for src, _, _ in a}
    by_source: dict[object, list[tuple[object, bool]]] = {}
    for src, what, polarity in b:
        # That something is not this constant is contradicted by its being so alone.
        if src in sources and (polarity or not _constant(what)):
            by_source.setdefault(src, []).append((what, polarity))
    for src, what, polarity in a:
        if (src, what, not polarity) in b:
            return False
        if not polarity and _constant(what):
            continue
        for other_what, other_polarity in by_source.get(src, ()):
            if other_what == what:
                continue
            if _ordered(what) and _disagree(what, polarity, other_what, other_polarity):  # type: ignore[arg-type]
                return False
            if _ordered(other_what) and _disagree(other_what, other_polarity, what, polarity):  # type: ignore[arg-type]
                return False
            if polarity and other_polarity and _constant(what) and _constant(other_what):
                return False  # equal to two different constants
            if other_polarity and _constant(other_what) and _holds(what, other_what[1]) is (not polarity):  # type: ignore[index]
                return False
            if polarity and _constant(what) and _holds(other_what, what[1]) is (not other_polarity):  # type: ignore[index]
                return False
            if what is TRUTH and other_polarity and _truth(other_what) is not None:
                if _truth(other_what) is not polarity:
                    return False
            elif (
                other_what is TRUTH
                and polarity
                and _truth(what) is not None
                and _truth(what) is not other_polarity
            ):
                return False
    return True


def _constant(what: object) -> bool:
    return isinstance(what, tuple) and what[0] == "="


def _sets_compatible(a: Guard, b: Guard) -> bool:
    """Facts `one of these constants`: something must be left of each of them."""
    for one in (a, b):
        for src, what, among in one:
            if not (among and isinstance(what, tuple) and what[0] == "in"):
                continue
            left = set(what[1])
            for other_src, other_what, polarity in (*a, *b):
                if other_src != src or not isinstance(other_what, tuple) or len(other_what) != 2:
                    continue
                if other_what[0] in ("in", "="):
                    values = set(other_what[1]) if other_what[0] == "in" else {other_what[1]}
                    left = left & values if polarity else left - values
                else:
                    left = {v for v in left if _holds(other_what, v) is not (not polarity)}
            if not left:
                return False
    return True


def _several(what: object) -> bool:
    return isinstance(what, tuple) and what[0] == ANY


@lru_cache(maxsize=16_384)
def _alternating(guard: Guard) -> tuple[Fact, ...]:
    """The facts of a guard that say that one of several holds."""
    return tuple([fact for fact in guard if _several(fact[1])])


@lru_cache(maxsize=16_384)
def _spoken_of(guard: Guard) -> frozenset[object]:
    """The sources of all facts of a guard."""
    return frozenset().union(*map(_sources, guard))


def _positive(fact: Fact) -> bool:
    return not fact[2]


def _sources(fact: Fact) -> frozenset[object]:
    src, what, _ = fact
    return _of_ways(what[1]) if _several(what) else frozenset((src,))  # type: ignore[index]


@lru_cache(maxsize=4_096)
def _of_ways(ways: frozenset[Guard]) -> frozenset[object]:
    return frozenset([inner[0] for way in ways for inner in way])


def _some_way(several: list[Fact], held: Guard) -> bool:
    """Whether each of the facts has a way that may hold together with the rest."""
    (_, what, polarity), *others = several
    ways: frozenset[Guard] = what[1]  # type: ignore[index]
    if not polarity:
        return not any(way <= held for way in ways) and (not others or _some_way(others, held))
    open_ways = [way for way in ways if compatible(way, held)]
    if not others or not open_ways:
        return bool(open_ways)
    return any(_some_way(others, held | way) for way in open_ways)


def _one_of(guards: list[Guard]) -> Guard:
    """That one of these guards holds, as a fact; nothing where one does in any case, or they are too many."""
    ways = merged([frozenset(f for f in g if not _several(f[1])) for g in guards])
    if len(ways) == 1:
        return ways[0]
    if len(ways) > MAX_WAYS or any(len(way) > MAX_NEGATED for way in ways):
        return NO_GUARD
    kind = "C" if all(is_config(f) for way in ways for f in way) else "D"
    held = frozenset(ways)
    return frozenset((((kind, held), (ANY, held), True),))


def disjoin(guards: list[Guard]) -> Guard:
    """What holds in every one of the guards; where each says what one source equals: one of those."""
    out = common(guards)
    if len(guards) < 2:
        return out
    if not all(len(g - out) == 1 and all(_constant(f[1]) and f[2] for f in g - out) for g in guards):
        out = out | _one_of([g - out for g in guards])
    equalities: list[dict[object, object]] = [
        {src: what[1] for src, what, polarity in g if polarity and isinstance(what, tuple) and what[0] == "="}
        for g in guards
    ]
    for src in equalities[0]:
        if all(src in e for e in equalities):
            values = frozenset(e[src] for e in equalities)
            if len(values) > 1:
                out = out | {(src, ("in", values), True)}
    return out


def _ordered(what: object) -> bool:
    return isinstance(what, tuple) and len(what) == 2 and what[0] in ("<", ">")


def _disagree(what: tuple[str, float], polarity: bool, other: object, other_polarity: bool) -> bool:
    """Whether a fact `<` or `>` excludes another fact on the same source."""
    if not isinstance(other, tuple) or len(other) != 2:
        return False
    op, bound = what
    if other[0] == "=" and other_polarity and isinstance(other[1], (int, float)):
        return (other[1] < bound if op == "<" else other[1] > bound) is not polarity
    if other[0] not in ("<", ">"):
        return False
    # `<` true and `>` false are upper bounds, the others lower ones.
    upper, other_upper = (op == "<") is polarity, (other[0] == "<") is other_polarity
    if upper is other_upper:
        return False
    high, low = (bound, other[1]) if upper else (other[1], bound)
    strict = polarity or other_polarity
    return bool(high < low or (high == low and strict))


def _holds(what: object, constant: object) -> bool | None:
    """Whether a constant is a text of which a question is true; None where that is no question of texts."""
    if not isinstance(what, tuple) or len(what) != 2 or not isinstance(constant, str):
        return None
    question = QUESTIONS.get(what[0])
    return None if question is None else question(constant, what[1])


def _truth(what: object) -> bool | None:
    return bool(what[1]) if isinstance(what, tuple) and len(what) == 2 and what[0] == "=" else None


def about(facts: Guard, guard: Guard) -> Guard:
    """The facts that speak of a source that the guard speaks of."""
    sources = _spoken_of(guard)
    return frozenset(fact for fact in facts if not sources.isdisjoint(_sources(fact)))


def choose(alternatives: Iterable[tuple[Guard, Value]]) -> Value:
    """One value out of guarded alternatives: flat, without contradictions, equal ones merged."""
    flat: list[tuple[Guard, Value]] = []
    for guard, value in alternatives:
        if type(value) is Choice:
            for inner, v in value.alts:
                if compatible(guard, inner):
                    both = guard | inner
                    flat.append((both if len(both) <= MAX_FACTS else inner, v))
        else:
            flat.append((guard, value))
    if not flat:
        return Unknown("no path leads here")
    if len(flat) == 1:
        return flat[0][1]
    if len(flat) == 2:
        return _either(*flat)
    out: list[tuple[Guard, Value]] = []
    for guard, value in flat:
        if len(out) >= MANY_ALTERNATIVES:
            out = _squeeze(out)
            if len(out) > MAX_ALTERNATIVES:
                return Unknown("more than eight alternatives")
        for i, (other, known) in enumerate(out):
            if type(value) is Unknown and type(known) is Unknown and not (value.config or known.config):
                # Nothing tells one from the other: one unknown, under what both have in common.
                out[i] = (other & guard, known.of_several(known.key != value.key))
                break
            if known is value or known == value:
                merged = _merge(other, guard)
                if merged is not None:
                    out[i] = (merged, _rooted(known, value))
                    break
        else:
            out.append((guard, value))
    first = out[0][1]
    if all(v is first or v == first for _, v in out[1:]):
        for _, value in out[1:]:
            first = _rooted(first, value)
        return first
    if len(out) > MAX_ALTERNATIVES:
        out = _squeeze(out)
        if len(out) > MAX_ALTERNATIVES:
            return Unknown("more than eight alternatives")
    return Choice(tuple(out))


def _either(one: tuple[Guard, Value], other: tuple[Guard, Value]) -> Value:
    """One value out of two."""
    first, second = one[1], other[1]
    if type(first) is Unknown and type(second) is Unknown and not (first.config or second.config):
        return first  # nothing tells one from the other
    return _rooted(first, second) if first is second or first == second else Choice((one, other))


def _rooted(known: Value, other: Value) -> Value:
    """One of two equal values; a tensor leads to the roots of both, and is where both are, and part of what
    both are."""
    if isinstance(known, Tensor) and isinstance(other, Tensor):
        if not other.roots <= known.roots:
            known = known.with_(roots=known.roots | other.roots)
        if known.grad is False and known.uid != other.uid and known.part_of is not MIXED:
            if known.part_of is None or known.part_of != other.part_of:
                known = known.with_(part_of=MIXED)
        if known.device != other.device:
            known = known.with_(device="")
    return known


def _merge(a: Guard, b: Guard) -> Guard | None:
    """`a or b` where that is a conjunction again: equal, implied, or complementary in one fact."""
    if a <= b:
        return a
    if b <= a:
        return b
    only_a, only_b = a - b, b - a
    if len(only_a) == 1 and len(only_b) == 1:
        (sa, wa, pa), (sb, wb, pb) = next(iter(only_a)), next(iter(only_b))
        if sa == sb and wa == wb and pa is not pb:
            return a & b
    if any(_several(what) for _, what, _ in only_a | only_b):
        ways = [*_taken_apart(only_a), *_taken_apart(only_b)]
        plain = not any(_several(what) for way in ways for _, what, _ in way)
        if plain and NO_GUARD in merged(ways):
            return a & b
    return None


def _taken_apart(guard: Guard) -> list[Guard]:
    """The guards of which one holds where this one does."""
    if len(guard) == 1:
        _, what, polarity = next(iter(guard))
        if polarity and _several(what):
            return list(what[1])  # type: ignore[index]
    return [guard]


def _squeeze(alts: list[tuple[Guard, Value]]) -> list[tuple[Guard, Value]]:
    out: list[tuple[Guard, Value]] = []
    for guard, value in alts:
        for i, (other, known) in enumerate(out):
            if known is value or known == value:
                out[i] = (other & guard, known)
                break
        else:
            out.append((guard, value))
    return out


def negations(guard: Guard) -> list[Guard]:
    """Guards of which one holds where the guard does not; of a long one, and of one that says nothing, the
    one that says nothing."""
    if not guard or len(guard) > MAX_NEGATED:
        return [NO_GUARD]
    return [frozenset(((src, what, not polarity),)) for src, what, polarity in guard]


def common(guards: list[Guard]) -> Guard:
    """The facts that hold in all of the guards."""
    if not guards:
        return NO_GUARD
    out = guards[0]
    for guard in guards[1:]:
        out = out & guard
    return out


def alternatives(value: Value, facts: Guard) -> list[tuple[Guard, Value]]:
    """The alternatives of a value that do not contradict the facts."""
    if isinstance(value, Choice):
        return [(g, v) for g, v in value.alts if compatible(g, facts)]
    return [(NO_GUARD, value)]


def narrow(value: Value, facts: Guard) -> Value:
    """The value as far as the facts leave a choice."""
    if isinstance(value, Choice) and facts:
        live = [(g, v) for g, v in value.alts if compatible(g, facts)]
        if len(live) == 1:
            return live[0][1]
        if 0 < len(live) < len(value.alts):
            return Choice(tuple(live))
    return value


def merged(guards: list[Guard]) -> list[Guard]:
    """The guards with complementary ones joined: what remains needs to hold for one of them."""
    out = list(dict.fromkeys(guards))
    changed = True
    while changed and len(out) > 1:
        changed = False
        for i in range(len(out)):
            for j in range(i + 1, len(out)):
                both = _merge(out[i], out[j])
                if both is not None:
                    out = [g for k, g in enumerate(out) if k not in (i, j)]
                    if both not in out:
                        out.append(both)
                    changed = True
                    break
            if changed:
                break
    return out
