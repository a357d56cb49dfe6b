"""What can happen to a folder: two processes, damage, another version or key, no room, no right to write."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from stillwatch.errors import RunError, StillwatchError, UsageError
from stillwatch.ingest.pseudonyms import Pseudonyms
from stillwatch.pipeline import ScanRequest
from stillwatch.state import StateRequest, scan_state
from stillwatch.state.folder import State
from stillwatch.state.lock import locked
from tests.state.days import merge, rows_of, write
from tests.test_replay import refused


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a log in two files and a state of the first."""
    folder = tmp_path_factory.mktemp("made")
    rows = rows_of(11)
    write(rows[:120], folder / "one.parquet")
    write(rows[120:], folder / "two.parquet")
    merge(folder / "state", folder / "one.parquet")
    return folder


def snapshot(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def stillwatch(*words: str | Path, code: int = 0, **how: object) -> str:
    command = [sys.executable, "-m", "stillwatch", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, **how)  # type: ignore[call-overload]
    assert done.returncode == code, done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    return str(done.stderr + done.stdout)


def test_two_at_once_the_second_is_refused(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = snapshot(made / "state")
    words: list[str | Path] = ["scan", made / "two.parquet", "--state", made / "state", "--pseudonyms", "none"]
    with locked(made / "state"):
        assert "in use by another process" in refused(words, 4, capsys)
    assert snapshot(made / "state") == before


def test_the_lock_dies_with_its_process(made: Path) -> None:
    hold = f"import time; from pathlib import Path; from stillwatch.state.lock import locked\nwith locked(Path({str(made / 'state')!r})): print('held', flush=True); time.sleep(60)"  # noqa: E501
    with subprocess.Popen([sys.executable, "-c", hold], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(RunError, match="in use"), locked(made / "state"):
            pass
        holder.kill()
        holder.wait()
    with locked(made / "state"):
        pass


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 8
    path.write_bytes(data)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


@pytest.mark.parametrize("table", ["sketches", "skeletons", "rejects", "summaries", "traits", "profiles"])
@pytest.mark.parametrize("harm", [flip, cut, Path.unlink], ids=["flipped", "cut", "gone"])
def test_a_damaged_table_is_named_and_nothing_is_changed(
    table: str, harm: Callable[[Path], None], made: Path, tmp_path: Path
) -> None:
    state = copied(made, tmp_path)
    harm(next(state.rglob(f"{table}.parquet")))
    before = snapshot(state)
    with pytest.raises(RunError, match=f"{table}.parquet is damaged or missing"):
        merge(state, made / "two.parquet")
    assert snapshot(state) == before


def copied(made: Path, to: Path) -> Path:
    for name, data in snapshot(made / "state").items():
        path = to / "state" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return to / "state"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"format": 99}, "format 99"),
        ({"sketches": "other"}, "another version"),
        ({"key_fingerprint": "ab", "pseudonyms": "keyed"}, "pseudonyms keyed under the key ab"),
        ({"batches": "none"}, "damaged"),
        ({"unheard": 1}, "damaged"),
    ],
)
def test_a_state_of_another_version_or_key_is_refused(
    change: dict[str, object], says: str, made: Path, tmp_path: Path
) -> None:
    state = copied(made, tmp_path)
    root = state / "state.json"
    root.write_text(json.dumps(json.loads(root.read_text()) | change))
    before = snapshot(state)
    with pytest.raises(RunError, match=says):
        merge(state, made / "two.parquet")
    assert snapshot(state) == before


def test_json_that_is_none_is_named(made: Path, tmp_path: Path) -> None:
    state = copied(made, tmp_path)
    cut(state / "state.json")
    with pytest.raises(RunError, match=r"state\.json is damaged"):
        merge(state, made / "two.parquet")


def test_another_key_is_refused(made: Path, tmp_path: Path) -> None:
    wanted = ScanRequest([made / "one.parquet"], tmp_path, pseudonyms=Pseudonyms.keyed(b"a" * 16))
    scan_state(StateRequest(tmp_path / "state", wanted, run=False))
    other = ScanRequest([made / "two.parquet"], tmp_path, pseudonyms=Pseudonyms.keyed(b"b" * 16))
    with pytest.raises(RunError, match="pseudonyms keyed under the key"):
        scan_state(StateRequest(tmp_path / "state", other, run=False))


def test_what_is_derived_by_another_version_is_derived_anew(made: Path, tmp_path: Path) -> None:
    state = copied(made, tmp_path)
    root = state / "state.json"
    old = json.loads(root.read_text())
    root.write_text(json.dumps(old | {"derived": "older"}))
    merge(state)
    new = State.open(state, Pseudonyms.none()).contents
    assert new.derived == old["derived"]
    before = old["batches"][0]["files"]
    assert {name: file.rows for name, file in new.batches[0].files.items()} == {n: f["rows"] for n, f in before.items()}


def test_other_folders_are_left_alone(made: Path, tmp_path: Path) -> None:
    (tmp_path / "letters.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"letters\.txt"):
        merge(tmp_path, made / "two.parquet")
    assert {path.name for path in tmp_path.iterdir()} == {"letters.txt"}
    with pytest.raises(UsageError, match="lies in the state"):
        scan_state(StateRequest(made / "state", ScanRequest([], made / "state" / "run")))


def test_a_folder_that_cannot_be_written(made: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot write the state"):
        merge(tmp_path / "file" / "state", made / "two.parquet")
    state = copied(made, tmp_path)
    for path in (state, *state.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    before = snapshot(state)
    if os.geteuid() == 0:  # who may do everything is refused nothing
        root = Path(tempfile.gettempdir()).resolve()
        for path in (tmp_path, *tmp_path.parents):
            if root in path.resolve().parents:
                path.chmod(0o755)
        os.seteuid(65534)
    try:
        with pytest.raises(RunError, match="cannot write the state"):
            merge(state, made / "two.parquet")
    finally:
        os.seteuid(os.getuid())
    assert snapshot(state) == before


@pytest.mark.parametrize("kilobytes", [1, 20])
def test_a_full_disk_leaves_the_state_as_it_was(kilobytes: int, made: Path, tmp_path: Path) -> None:
    """No file may be longer than this: the first table that is fails as on a full disk."""
    state = copied(made, tmp_path)
    before = snapshot(state)

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (kilobytes << 10, kilobytes << 10))

    words = ("scan", made / "two.parquet", "--state", state, "--pseudonyms", "none")
    said = stillwatch(*words, code=4, preexec_fn=limit)
    assert "cannot write" in said
    assert snapshot(state) == before
    stillwatch(*words)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--as-of", "2026-09-02"], "--state"),
        (["--forget", "a"], "--state"),
        (["--retain", "3"], "--state"),
        ([], "--out"),
        (["--state", "s", "--as-of", "2026-09-02"], "--out"),
    ],
)
def test_words_that_do_not_go_together(
    words: list[str],
    says: str,
    made: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert says in refused(["scan", made / "two.parquet", *words, "--pseudonyms", "none"], 2, capsys)
    assert not list(tmp_path.iterdir())


def test_a_state_without_events_has_no_run(tmp_path: Path) -> None:
    with pytest.raises(StillwatchError, match="no events"):
        scan_state(StateRequest(tmp_path / "state", ScanRequest([], tmp_path / "run")))
