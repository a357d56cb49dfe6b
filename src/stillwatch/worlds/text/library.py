"""The whole grammar, compiled once per process: everyday text, products, harvests, topics and languages."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

from stillwatch.worlds.text import evading, everyday, harvest, languages, occasions, products
from stillwatch.worlds.text.grammar import Grammar, Tables
from stillwatch.worlds.text.prompts import read_prompts
from stillwatch.worlds.text.topics import MEASURES, PLACES, TASKS, THINGS, TOPICS

T = len(TOPICS)
LANGUAGES = languages.LANGUAGES
CONTEXTS = T * len(LANGUAGES)
"""A context is language * T + topic."""

_HUMAN = (*everyday.INTENTS, "class.ask", "ops.ask", "agent.ask")


@lru_cache(maxsize=2)
def library(prompts: Path | None = None) -> Tables:
    """The compiled grammar; with `prompts` people's requests and harvesters' tasks are those texts instead."""
    grammar = Grammar(CONTEXTS)
    # texts are functions of rules' numbers: what is new goes to the end
    for rules in (everyday.RULES, products.RULES, harvest.RULES, languages.RULES, evading.RULES, occasions.RULES):
        grammar.add(rules)
    for topic, (_, lists) in enumerate(TOPICS):
        for kind in (THINGS, TASKS, PLACES, MEASURES):
            grammar.add_words(kind, topic, lists[kind])
    for number, language in enumerate(LANGUAGES[1:], 1):
        for topic in range(T):
            things, tasks = languages.WORDS[language][topic // 4]
            grammar.add_words(THINGS, number * T + topic, things)
            grammar.add_words(TASKS, number * T + topic, tasks)
            # the short grammars use neither places nor measures; a context must have every class all the same
            grammar.add_words(PLACES, number * T + topic, things)
            grammar.add_words(MEASURES, number * T + topic, things)
    for name in evading.CLASSES:
        grammar.words[name] = {c: f"{LANGUAGES[c // T]}.{name}" for c in range(CONTEXTS)}
    if prompts is not None:
        _from_prompts(grammar, prompts)
    return grammar.compile()


def _from_prompts(grammar: Grammar, folder: Path) -> None:
    """Put the texts of `folder` in the place of people's first requests, jobs, documents and harvesters' tasks."""
    benign, attacker = read_prompts(folder)
    sources = sorted(benign)
    for context in range(CONTEXTS):
        # a person's topics become sources: who asks about one thing draws from one corpus
        grammar.add_words("prompt", context, benign[sources[context % len(sources)]])
    for name in (*_HUMAN, "pipe.text", "p.job", "paste", *(f"{language}.ask" for language in LANGUAGES[1:])):
        grammar.bodies[name] = [(1.0, "{@prompt}")]
    grammar.add_texts("bank", attacker, bank=True)
    grammar.bodies["task"] = [(1.0, "{bank}")]
    for language in LANGUAGES:
        grammar.bodies[f"{language}.htask"] = [(1.0, "{bank}")]


TOOLS = tuple(
    json.dumps(
        [
            {
                "type": "function",
                "name": name,
                "description": about,
                "parameters": {"type": "object", "properties": {word: {"type": kind} for word, kind in words.items()}},
            }
            for name, about, words in tools
        ]
    )
    for tools in (
        [
            ("read_file", "Read a file", {"path": "string"}),
            ("edit_file", "Replace text in a file", {"path": "string", "old": "string", "new": "string"}),
            ("run_tests", "Run the tests", {"target": "string"}),
        ],
        [
            ("search", "Search the web", {"query": "string", "limit": "integer"}),
            ("query", "Run a read-only query", {"sql": "string"}),
        ],
        [
            ("list_files", "List a folder", {"path": "string"}),
            ("read_file", "Read a file", {"path": "string", "from": "integer"}),
            ("run", "Run a command in the sandbox", {"command": "string", "timeout": "integer"}),
            ("search", "Search the repository", {"pattern": "string"}),
        ],
        [("lookup_order", "Find an order", {"number": "string"}), ("refund", "Refund an order", {"number": "string"})],
        [("calculator", "Evaluate an expression", {"expression": "string"})],
        [
            ("get_weather", "Weather of a place", {"place": "string", "day": "string"}),
            ("calendar", "Read the calendar", {"from": "string", "to": "string"}),
        ],
    )
)
"""Tool definitions that several unrelated clients share, as JSON."""
