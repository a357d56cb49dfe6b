"""The renderer written from its definition: recursion, Python integers, no tricks."""

from __future__ import annotations

from itertools import pairwise

from stillwatch.worlds.text.grammar import CLASS, LITERAL, NUMBER, REPEAT, Tables

_M = (1 << 64) - 1
_G, _R = 0x9E3779B97F4A7C15, 0xD6E8FEB86659FD93


def mix(x: int) -> int:
    x = (x + _G) & _M
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & _M
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & _M
    return x ^ (x >> 31)


def pick(seed: int, n: int) -> int:
    return (seed >> 33) * n >> 31


class Naive:
    """One text at a time."""

    def __init__(self, tables: Tables) -> None:
        self.t = tables
        data, offsets = tables.plain
        self.words = [bytes(data[a:b]).decode() for a, b in pairwise(offsets)]

    def text(self, rule: int, context: int, seeds: tuple[int, int, int]) -> str:
        self.context, self.seeds = context, seeds
        return self._rule(rule, mix(seeds[0] ^ (rule * _R & _M)), seeds[0])

    def _rule(self, rule: int, seed: int, root: int) -> str:
        first, end = int(self.t.rules[rule]), int(self.t.rules[rule + 1])
        if self.t.banks[rule]:
            chosen = self.seeds[2] % (end - first)
        elif self.t.weights[first] == 0:
            chosen = pick(seed, end - first)
        else:
            u = (seed >> 11) / (1 << 53) * self.t.weights[end - 1]
            chosen = min(sum(1 for w in self.t.weights[first:end] if w <= u), end - first - 1)
        production = first + int(chosen)
        span = range(int(self.t.productions[production]), int(self.t.productions[production + 1]))
        return "".join(self._symbol(s, seed, root) for s in span)

    def _symbol(self, s: int, seed: int, root: int) -> str:
        kind, a, b, c, register, domain = (int(v) for v in self.t.symbols[s])
        if kind == LITERAL:
            return self.words[a]
        base = self.seeds[domain] if domain else root
        if register:
            here = mix(base ^ (register * _R & _M))
        elif domain:
            here = mix(base ^ ((a + 1) * _G & _M))
        else:
            here = mix(seed ^ ((s + 1) * _G & _M))
        if kind == NUMBER:
            return str(a + pick(here, b - a + 1))
        if kind == REPEAT:
            times = b + pick(mix(here), c - b + 1)
            return "".join(self._rule(a, mix((here + k * _R) & _M), base) for k in reversed(range(times)))
        target = int(self.t.classes[a, self.context]) if kind == CLASS else a
        return self._rule(target, here, base)
