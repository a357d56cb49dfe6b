"""`stillwatch link`: what goes in, what comes out, and what is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.engine.runfolder import RunFolder
from stillwatch.errors import InputError, UsageError
from stillwatch.ingest.given import LONGEST, read_traits
from stillwatch.linking.linkage import LinkRequest, link_file, load_views
from stillwatch.model import GROUPS, LINKS, OPERATORS, REJECTS, TRAITS
from tests.linking.test_generic import Row, honest, ring, table

COLOUR = "\x1b[31mred\x1b[0m"


def stillwatch(*words: str | Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "stillwatch", *map(str, words)], capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    rng = np.random.default_rng(0)
    found = [*honest(rng, 300), *ring(rng, "r", 15, 7), *ring(rng, "r", 15, 7, "card")]
    return [(COLOUR if account == "r00" else account, view, token, n) for account, view, token, n in found]


def test_the_command_writes_and_prints(rows: list[Row], tmp_path: Path) -> None:
    odd = [("", "card", "1", 1), ("a", "card", "2", 0)]
    pq.write_table(table([*rows, *odd, rows[0]]), tmp_path / "traits.parquet")
    done = stillwatch("link", tmp_path / "traits.parquet", "--out", tmp_path / "out", "--seed", "5")
    run = RunFolder(tmp_path / "out")
    schemas = {"links": LINKS, "operators": OPERATORS, "groups": GROUPS, "rejects": REJECTS}
    assert {path.name for path in run.root.iterdir()} == {"manifest.json", *(f"{name}.parquet" for name in schemas)}
    for name, schema in schemas.items():
        assert pq.read_schema(run.path(name)).equals(schema), name
    manifest = run.manifest()
    counts = manifest["counts"]
    assert (counts["rows"], counts["kept"], counts["rejected"]) == (len(rows) + 3, len(rows) + 1, 2)
    assert counts["merged"] >= 1
    assert (manifest["kind"], manifest["seed"], manifest["settings"]["fdr"]) == ("link", 5, 0.01)
    assert manifest["shuffled"] == {"links": 0, "groups": 0}
    assert [row["reason"] for row in run.read("rejects").to_pylist()] == [
        "no account_id",
        "n is no whole number from 1 to 1099511627776",
    ]
    (group,) = run.read("groups").to_pylist()
    assert group["accounts"] >= 13
    assert group["operator_id"] in done.stdout
    assert "0 links, 0 groups" in " ".join(done.stdout.split())
    assert "rejected 2 rows" in done.stdout
    assert COLOUR in run.read("operators")["account_id"].to_pylist()


def test_hostile_names_do_not_reach_the_terminal(rows: list[Row], tmp_path: Path) -> None:
    named = [(account, f"{view}{COLOUR}[bold]", token, n) for account, view, token, n in rows]
    pq.write_table(table(named), tmp_path / "traits.parquet")
    done = stillwatch("link", tmp_path / "traits.parquet", "--out", tmp_path / "out")
    assert "\x1b" not in done.stdout + done.stderr
    assert "[bold]" in "".join(done.stdout.split())


def test_a_second_run_replaces_the_first_and_nothing_else(rows: list[Row], tmp_path: Path) -> None:
    path, out = tmp_path / "traits.parquet", tmp_path / "out"
    pq.write_table(table(rows), path)
    first = link_file(LinkRequest(path, out)).read("operators")
    assert link_file(LinkRequest(path, out)).read("operators").equals(first)
    with pytest.raises(UsageError, match="folder of the input"):
        link_file(LinkRequest(path, tmp_path))
    assert path.exists()
    other = tmp_path / "other"
    other.mkdir()
    pq.write_table(table(rows), other / "sketches.parquet")
    with pytest.raises(UsageError, match="did not write"):
        link_file(LinkRequest(path, other))
    assert (other / "sketches.parquet").exists()
    for name, text in (("report.html", "<p>"), ("manifest.json", '{"command": "scan"}'), ("manifest.json", "no json")):
        kept = tmp_path / f"kept-{name}-{len(text)}"
        kept.mkdir()
        (kept / name).write_text(text, encoding="utf-8")
        with pytest.raises(UsageError, match="did not write"):
            link_file(LinkRequest(path, kept))
        assert (kept / name).read_text(encoding="utf-8") == text


def test_a_run_that_was_cut_short_can_be_repeated(rows: list[Row], tmp_path: Path) -> None:
    path, out = tmp_path / "traits.parquet", tmp_path / "out"
    pq.write_table(table(rows), path)
    first = link_file(LinkRequest(path, out)).read("groups")
    (out / "manifest.json").unlink()
    assert link_file(LinkRequest(path, out)).read("groups").equals(first)


def test_csv_json_lines_and_parquet_say_the_same(rows: list[Row], tmp_path: Path) -> None:
    plain = [row for row in rows if row[0] != COLOUR]
    pq.write_table(table(plain), tmp_path / "t.parquet")
    pc.write_csv(table(plain), tmp_path / "t.csv")
    lines = [json.dumps(dict(zip(TRAITS.names, row, strict=True))) for row in plain]
    (tmp_path / "t.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    found = [read_traits(tmp_path / f"t.{ending}") for ending in ("parquet", "csv", "jsonl")]
    assert found[0].traits.equals(found[1].traits)
    assert found[0].traits.equals(found[2].traits)
    assert [one.counts for one in found] == [found[0].counts] * 3


# --- bad input ------------------------------------------------------------------------------------------------------


def test_odd_rows_are_rejected_each_with_its_reason(tmp_path: Path) -> None:
    lines = [
        '{"account_id": "a", "view": "v", "token": "t", "n": 2}',
        '{"account_id": null, "view": "v", "token": "t", "n": 1}',
        '{"account_id": "a", "view": "", "token": "t", "n": 1}',
        '{"account_id": "a", "view": "v", "n": 1}',
        '{"account_id": "a", "view": "v", "token": "t", "n": -1}',
        '{"account_id": "a", "view": "v", "token": "t", "n": 1.5}',
        '{"account_id": "a", "view": "v", "token": "t", "n": "many"}',
        '{"account_id": "a", "view": "v", "token": "t", "n": true}',
        '{"account_id": "a", "view": "v,w", "token": "t", "n": 1}',
        json.dumps({"account_id": "x" * (LONGEST + 1), "view": "v", "token": "t", "n": 1}),
        "no json",
        '["a", "v", "t", 1]',
        '{"account_id": 7, "view": "v", "token": 8, "n": "3"}',
        '{"account_id": "a", "view": "v", "token": "t", "n": 3}',
    ]
    path = tmp_path / "t.jsonl"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    found = read_traits(path)
    assert found.traits.to_pylist() == [
        {"account_id": "7", "view": "v", "token": "8", "n": 3},
        {"account_id": "a", "view": "v", "token": "t", "n": 5},
    ]
    assert found.counts == {"rows": 14, "kept": 3, "rejected": 11, "merged": 1}
    whole = "n is no whole number from 1 to 1099511627776"
    reasons = {row["row"]: row["reason"] for row in found.rejects.to_pylist()}
    assert reasons == {
        2: "no account_id", 3: "no view", 4: "no token", 5: whole, 6: whole, 7: whole, 8: whole,
        9: "the view has a comma in its name", 10: f"account_id is longer than {LONGEST} characters",
        11: "not JSON", 12: "not a JSON object",
    }  # fmt: skip


@pytest.mark.parametrize("name", TRAITS.names)
def test_a_missing_column_is_named(name: str, tmp_path: Path) -> None:
    pq.write_table(table([("a", "v", "t", 1)]).drop_columns([name]), tmp_path / "t.parquet")
    done = stillwatch("link", tmp_path / "t.parquet", "--out", tmp_path / "out", code=3)
    assert f"required column {name} is missing" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("t.csv", b"", "no rows"),
        ("t.parquet", b"", "is empty"),
        ("t.parquet", b"PAR1 and then nothing", "no whole Parquet file"),
        ("t.csv", b"account_id,view,token,n\n", "no rows"),
        ("t.jsonl", b"\n\n", "no rows"),
        ("t.csv", b"account_id,view,token,n\na,v,t,-3\n", "no row can be used; row 1: n is no whole number"),
        ("t.jsonl", b"[1, 2]", "no row can be used"),
    ],
)  # fmt: skip
def test_files_of_no_use_are_an_error(name: str, content: bytes, why: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=why):
        read_traits(path)


def test_a_path_that_leads_nowhere(tmp_path: Path) -> None:
    done = stillwatch("link", tmp_path / "none.parquet", "--out", tmp_path / "out", code=3)
    assert "there is no such file" in done.stderr
    with pytest.raises(InputError, match="no such file"):
        read_traits(tmp_path)


def test_too_many_views_are_refused(tmp_path: Path) -> None:
    pq.write_table(table([("a", f"v{k}", "t", 1) for k in range(61)]), tmp_path / "t.parquet")
    with pytest.raises(InputError, match="61 different views"):
        link_file(LinkRequest(tmp_path / "t.parquet", tmp_path / "out"))


@pytest.mark.parametrize("rate", ["0", "1", "-0.1", "nan"])
def test_a_rate_is_between_0_and_1(rate: str, tmp_path: Path) -> None:
    done = stillwatch("link", tmp_path / "t.parquet", "--out", tmp_path / "out", "--fdr", rate, code=2)
    assert "rate between 0 and 1" in done.stderr


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.one_of(st.none(), st.text(max_size=4), st.integers(-5, 5), st.floats(), st.booleans()),
            st.one_of(st.none(), st.text(max_size=2), st.just("v")),
            st.one_of(st.none(), st.text(max_size=2), st.lists(st.integers(), max_size=2)),
            st.one_of(st.none(), st.integers(-(2**70), 2**70), st.floats(), st.text(max_size=3)),
        ),
        min_size=1, max_size=12,
    )
)  # fmt: skip
def test_every_row_is_kept_or_rejected(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[object, ...]]
) -> None:
    path = tmp_path_factory.mktemp("odd") / "t.jsonl"
    path.write_text("".join(json.dumps(dict(zip(TRAITS.names, row, strict=True))) + "\n" for row in rows), "utf-8")
    try:
        found = read_traits(path)
    except InputError as error:
        assert "no row can be used" in str(error)  # noqa: PT017
        return
    counts = found.counts
    assert counts["rows"] == len(rows) == counts["kept"] + counts["rejected"]
    assert len(found.rejects) == counts["rejected"]
    assert len(found.traits) == counts["kept"] - counts["merged"]
    assert min(found.traits["n"].to_pylist()) >= 1
    assert found.traits.group_by(TRAITS.names[:3]).aggregate([]).num_rows == len(found.traits)


# --- what views mean ------------------------------------------------------------------------------------------------


def test_views_are_what_the_file_says(rows: list[Row], tmp_path: Path) -> None:
    path = tmp_path / "views.toml"
    path.write_text('[views.device]\nfamily = "machine"\n[views.card]\nkind = "context"\n', encoding="utf-8")
    views = load_views(path)
    assert [(v.name, v.kind, v.family) for v in views.values()] == [
        ("device", "control", "machine"), ("card", "context", "card"),
    ]  # fmt: skip
    pq.write_table(table(rows), tmp_path / "t.parquet")
    run = link_file(LinkRequest(tmp_path / "t.parquet", tmp_path / "out", views))
    assert run.manifest()["views"] == {
        "card": {"kind": "context", "family": "card"}, "device": {"kind": "control", "family": "machine"},
    }  # fmt: skip
    assert all("card" not in row["views"] for row in run.read("groups").to_pylist())


def test_a_known_view_is_what_a_scan_takes_it_for(tmp_path: Path) -> None:
    path = tmp_path / "views.toml"
    path.write_text("[views.payment]\n[views.country]\n", encoding="utf-8")
    views = load_views(path)
    assert (views["payment"].family, views["country"].kind) == ("payment", "context")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[views.x]\nkind = 'guilt'", "kind must be"),
        ("[views.x]\nweight = 2", "nothing else"),
        ("[views.x]\nfamily = 3", "family must be"),
        ("[view.x]\nkind = 'control'", "nothing but"),
        ("views = 3", "nothing but"),
        ("[views.x", "not TOML"),
    ],
)
def test_wrong_words_on_views_are_refused(text: str, why: str, tmp_path: Path) -> None:
    path = tmp_path / "views.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=why):
        load_views(path)


def test_a_table_of_other_types_is_read(tmp_path: Path) -> None:
    """Ids as numbers, text as dictionaries and large strings, n as floats that are whole."""
    odd = pa.table({
        "account_id": pa.array([1, 2], pa.int32()),
        "view": pa.array(["v", "v"]).dictionary_encode(),
        "token": pa.array(["t", "t"], pa.large_string()),
        "n": pa.array([1.0, 2.0]),
        "more": pa.array([0, 0]),
    })  # fmt: skip
    pq.write_table(odd, tmp_path / "t.parquet")
    found = read_traits(tmp_path / "t.parquet").traits.to_pylist()
    assert [tuple(row.values()) for row in found] == [("1", "v", "t", 1), ("2", "v", "t", 2)]
