"""Marks, and who holds too many of them, on matrices small enough to read."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import nbinom

from stillwatch.linking.fdr import q_values
from stillwatch.linking.marks import ELSEWHERE, LEAST_HELD, TRIM, Held, carriers, log_p, marks_of
from stillwatch.model import TRAITS

FDR = 0.01


def log_of(held: dict[str, list[str]]) -> Held:
    """Accounts with the leads they hold."""
    rows = [
        {"account_id": a, "view": "lead_skeleton", "token": t, "n": 1} for a, tokens in held.items() for t in tokens
    ]
    return Held.of(pa.Table.from_pylist(rows, schema=TRAITS), pa.array(sorted(held)))


def people(n: int = 200) -> dict[str, list[str]]:
    """Everybody says hello, some say please, and each has ten templates of its own."""
    out = {f"person{k:03}": ["hello", *(f"own{k}-{j}" for j in range(10))] for k in range(n)}
    for k in range(0, n, 4):
        out[f"person{k:03}"].append("please")
    return out


def ring(members: int = 8, bank: int = 12) -> dict[str, list[str]]:
    """Each asks from half of the bank and says hello."""
    return {f"ring{k}": ["hello", *(f"bank{j}" for j in range(bank) if (j + k) % 2)] for k in range(members)}


def found_in(held: dict[str, list[str]], who: str = "ring") -> tuple[list[str], list[str]]:
    """Marks of the ring and the accounts that carry them."""
    log = log_of(held)
    rows = np.array([k for k, name in enumerate(log.ids) if name.startswith(who)])
    tests = float(len(log.ids) - len(rows))
    result = carriers(log, "op", rows, rows, tests, FDR)
    carrying = [
        log.ids[a] for a, q, n in zip(result.tested, q_values(result.log_p, tests), result.count, strict=True)
        if q <= FDR and n >= 3
    ]  # fmt: skip
    return sorted(log.tokens.take(pa.array(result.marks)).to_pylist()), carrying


def test_a_reseller_that_holds_the_bank_is_found_and_greetings_are_no_marks() -> None:
    held = people() | ring() | {"reseller": ["hello", *(f"r{k}" for k in range(80)), *(f"bank{j}" for j in range(9))]}
    marks, carrying = found_in(held)
    assert marks == sorted(f"bank{j}" for j in range(12))
    assert carrying == ["reseller"]


def test_many_who_carry_do_not_excuse_each_other() -> None:
    robbed = {f"robbed{k}": [f"r{k}-{j}" for j in range(10)] + [f"bank{j}" for j in range(12)] for k in range(6)}
    assert found_in(people() | ring(24) | robbed)[1] == sorted(robbed)


def test_a_template_in_many_hands_is_nobody_s_mark() -> None:
    """The bank is a popular application's: a hundred people hold it as well."""
    held = people() | ring()
    for k in range(100):
        held[f"person{k:03}"] += [f"bank{j}" for j in range(12)]
    assert found_in(held) == ([], [])


def test_two_marks_are_no_stream() -> None:
    held = people() | ring() | {"curious": ["hello", "bank1", "bank2"]}
    assert found_in(held)[1] == []


def naive_marks(held: dict[str, list[str]], members: list[str], left_out: list[str]) -> list[str]:
    """From the definition, template by template."""
    others = [a for a in held if a not in members and a not in left_out]
    exposure = sum(len(set(held[a])) for a in members)
    share = exposure / (exposure + max(sum(len(set(held[a])) for a in others), 1))
    tested, log_ps = [], []
    enough = 0
    for token in sorted({t for tokens in held.values() for t in tokens}):
        m = sum(token in held[a] for a in members)
        o = max(sum(token in held[a] for a in others) - 1, 0)
        enough += m >= LEAST_HELD
        if m >= LEAST_HELD and o <= ELSEWHERE * m:
            ways = sum(math.comb(m + o, k) * share**k * (1 - share) ** (m + o - k) for k in range(m, m + o + 1))
            tested.append(token)
            log_ps.append(math.log(ways))
    q = q_values(np.array(log_ps), float(enough))
    return [token for token, value in zip(tested, q, strict=True) if value <= FDR]


ACCOUNTS = [f"{kind}{k}" for kind in ("ring", "other") for k in range(8)]


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.sets(st.integers(0, 12)), min_size=16, max_size=16), st.permutations(range(16)),
    st.permutations(range(13)),
)  # fmt: skip
def test_marks_are_those_of_the_definition_whatever_accounts_and_templates_are_called(
    tokens: list[set[int]], order: list[int], words: list[int]
) -> None:
    held = {
        name: [f"t{t:02}" for t in sorted(mine)] + [f"z{name}"] for name, mine in zip(ACCOUNTS, tokens, strict=True)
    }
    members = ACCOUNTS[:8]
    log = log_of(held)
    rows = np.array([log.place[name] for name in members])
    mine = marks_of(log, rows, rows, np.array([log.place["other3"]]), FDR)
    found = log.tokens.take(pa.array(mine)).to_pylist()
    assert sorted(found) == naive_marks(held, members, ["other3"])

    new = {name: f"a{place:02}" for name, place in zip(ACCOUNTS, order, strict=True)}
    renamed = {new[a]: [f"w{words[int(t[1:])]:02}" if t[0] == "t" else t for t in mine] for a, mine in held.items()}
    other = log_of(renamed)
    rows = np.array(sorted(other.place[new[name]] for name in members))
    again = marks_of(other, rows, rows, np.array([other.place[new["other3"]]]), FDR)
    back = {f"w{place:02}": f"t{k:02}" for k, place in enumerate(words)}
    assert sorted(back.get(t, t) for t in other.tokens.take(pa.array(again)).to_pylist()) == sorted(found)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 30)), min_size=2, max_size=40))
def test_the_count_s_chance_is_the_negative_binomial_tail_with_the_others_rate(counts: list[tuple[int, int]]) -> None:
    count, exposure = np.array([k for k, _ in counts]), np.array([float(n) for _, n in counts])
    kept = sorted(range(len(counts)), key=lambda i: count[i] / exposure[i])[
        : max(1, math.ceil(len(counts) * (1 - TRIM)))
    ]
    middle = float(np.median(exposure[kept]))
    rate = (sum(count[i] for i in kept) + 1) / (sum(exposure[i] for i in kept) + middle)
    spread = sum((count[i] - rate * exposure[i]) ** 2 - rate * exposure[i] for i in kept)
    shape = 1 / max(spread / sum((rate * exposure[i]) ** 2 for i in kept), 1.0)
    wanted = [
        0.0 if k == 0 else nbinom.logsf(k - 1, shape, shape / (shape + rate * n))
        for k, n in zip(count, exposure, strict=True)
    ]
    found = log_p(count, exposure, np.ones(len(count), dtype=bool))
    assert found == pytest.approx(np.array(wanted), rel=1e-6)


def test_a_log_without_templates_has_no_marks() -> None:
    log = Held.of(TRAITS.empty_table(), pa.array(["a", "b"]))
    assert isinstance(log.rows, sp.csr_matrix)
    assert len(marks_of(log, np.array([0]), np.array([0]), np.empty(0, np.int64), FDR)) == 0
