"""A small language for grammars, compiled to flat arrays.

A rule is a name and its productions, one a line; `\\n` inside a line is a line break, and `3| ` in front is a weight.
In a production, braces hold a symbol:

    {name}      the rule `name`             {@noun}     the word class `noun` of the event's topic and language
    {%2-40}     a whole number              {name*2-5}  the rule two to five times
    {name:x}    the same choice wherever the register x comes again in this text
    {^name}     chosen by the writer's style seed: always the same for one writer or application
    {#name}     chosen by the item's seed: the same for one task of a bank, whoever sends it

Braces are doubled to be themselves.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from stillwatch.worlds.chance import Array

LITERAL, RULE, CLASS, NUMBER, REPEAT = range(5)
EVENT, STYLE, ITEM = range(3)
_SYMBOL = re.compile(r"\{\{|\}\}|\{([\^#]?)(@|%)?([\w.-]+?)(?:\*(\d+)-(\d+))?(?::(\w+))?\}")


@dataclass(frozen=True)
class Tables:
    """The compiled grammar. Symbols: kind, a, b, c, register, domain, [symbols, 6]; see `render`."""

    symbols: Array
    productions: Array
    """First symbol of each production, and the end, [productions + 1]."""
    rules: Array
    """First production of each rule, and the end, [rules + 1]."""
    weights: Array
    """Running sum of weights inside each rule, [productions]; 0 in the first production marks equal weights."""
    banks: Array
    """1 where a rule takes production number item modulo its size, [rules]."""
    classes: Array
    """Rule of each word class in each context, [classes, contexts]."""
    escaped: tuple[Array, Array]
    """Bytes and offsets of literals as they stand inside a JSON string."""
    plain: tuple[Array, Array]
    names: Mapping[str, int]


@dataclass
class Grammar:
    """Rules under construction; `compile` once all are there."""

    contexts: int
    names: dict[str, int] = field(default_factory=dict)
    bodies: dict[str, list[tuple[float, str]]] = field(default_factory=dict)
    literal_rules: dict[str, Sequence[str]] = field(default_factory=dict)
    words: dict[str, dict[int, str]] = field(default_factory=dict)
    banks: set[str] = field(default_factory=set)

    def add(self, rules: Mapping[str, str]) -> None:
        """Add rules: name -> productions, one a line."""
        for name, body in rules.items():
            # a trailing space is part of a production: it parts sentences
            lines = [line.lstrip() for line in body.strip("\n").split("\n") if line.strip()]
            parsed = []
            for line in lines:
                weight, bar, rest = line.partition("| ")
                parsed.append((float(weight), rest) if bar and weight.isdigit() else (1.0, line))
            self.bodies[name] = parsed

    def add_words(self, name: str, context: int, words: Sequence[str]) -> None:
        """Give word class `name` its words in one context (topic and language)."""
        rule = f"@{name}.{context}"
        self.literal_rules[rule] = words
        self.words.setdefault(name, {})[context] = rule

    def add_texts(self, name: str, texts: Sequence[str], *, bank: bool = False) -> None:
        """A rule whose productions are whole texts, taken literally; a bank takes them by item number in order."""
        self.literal_rules[name] = texts
        if bank:
            self.banks.add(name)

    def compile(self) -> Tables:
        """Flat arrays for the renderer; KeyError names a rule or class that is not defined."""
        return _Compiler(self).run()


class _Compiler:
    def __init__(self, grammar: Grammar) -> None:
        self.grammar = grammar
        self.names = {name: i for i, name in enumerate([*grammar.bodies, *grammar.literal_rules])}
        self.class_names = {name: i for i, name in enumerate(grammar.words)}
        self.registers: dict[str, int] = {}
        self.literals: dict[str, int] = {}
        self.raw: set[int] = set()
        self.symbols: list[tuple[int, int, int, int, int, int]] = []
        self.productions = [0]
        self.rules = [0]
        self.weights: list[float] = []

    def run(self) -> Tables:
        for name, productions in self.grammar.bodies.items():
            equal = len({weight for weight, _ in productions}) == 1
            total = 0.0
            for weight, text in productions:
                total += weight
                self.weights.append(0.0 if equal else total)
                self._production(text, raw=name.startswith("raw."))
            self.rules.append(len(self.productions) - 1)
        for texts in self.grammar.literal_rules.values():
            for text in texts:
                self.symbols.append((LITERAL, self._literal(text, raw=False), 0, 0, 0, 0))
                self.productions.append(len(self.symbols))
                self.weights.append(0.0)
            self.rules.append(len(self.productions) - 1)
        classes = np.zeros((max(1, len(self.class_names)), self.grammar.contexts), np.int32)
        for name, by_context in self.grammar.words.items():
            for context in range(self.grammar.contexts):
                classes[self.class_names[name], context] = self.names[by_context[context]]
        return Tables(
            symbols=np.array(self.symbols, np.int32),
            productions=np.array(self.productions, np.int32),
            rules=np.array(self.rules, np.int32),
            weights=np.array(self.weights, np.float64),
            banks=np.array([name in self.grammar.banks for name in self.names], np.uint8),
            classes=classes,
            escaped=self._pool(escape=True),
            plain=self._pool(escape=False),
            names=self.names,
        )

    def _production(self, text: str, *, raw: bool) -> None:
        at, pending = 0, ""
        for match in _SYMBOL.finditer(text):
            pending += text[at : match.start()]
            at = match.end()
            if match.group(0) in ("{{", "}}"):
                pending += match.group(0)[0]
                continue
            if pending:
                self._literal_symbol(pending, raw)
                pending = ""
            self.symbols.append(self._symbol(match))
        pending += text[at:]
        if pending:
            self._literal_symbol(pending, raw)
        self.productions.append(len(self.symbols))

    def _literal_symbol(self, text: str, raw: bool) -> None:
        self.symbols.append((LITERAL, self._literal(text if raw else text.replace("\\n", "\n"), raw=raw), 0, 0, 0, 0))

    def _symbol(self, match: re.Match[str]) -> tuple[int, int, int, int, int, int]:
        domain = {"": EVENT, "^": STYLE, "#": ITEM}[match.group(1)]
        register = 0 if match.group(6) is None else self.registers.setdefault(match.group(6), len(self.registers) + 1)
        sort, name = match.group(2), match.group(3)
        if sort == "%":
            low, high = map(int, name.split("-"))
            return (NUMBER, low, high, 0, register, domain)
        if sort == "@":
            return (CLASS, self.class_names[name], 0, 0, register, domain)
        if match.group(4):
            return (REPEAT, self.names[name], int(match.group(4)), int(match.group(5)), register, domain)
        return (RULE, self.names[name], 0, 0, register, domain)

    def _literal(self, text: str, *, raw: bool) -> int:
        # a raw literal is JSON already and must not be escaped again; the mark keeps it apart from an equal plain one
        key = ("\0" if raw else "") + text
        return self.literals.setdefault(key, len(self.literals))

    def _pool(self, *, escape: bool) -> tuple[Array, Array]:
        parts = []
        for key in self.literals:
            raw = key.startswith("\0")
            text = key[1:] if raw else key
            if escape and not raw:
                text = json.dumps(text, ensure_ascii=False)[1:-1]
            parts.append(text.encode("utf-8", "replace"))
        offsets = np.concatenate([[0], np.cumsum([len(part) for part in parts])]).astype(np.int64)
        return np.frombuffer(b"".join(parts) + b" ", np.uint8), offsets
