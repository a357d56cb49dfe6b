"""Killed at any moment: what a call returned for is there, and the log is sound."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stillwatch.decisions.audit import check
from stillwatch.decisions.casebook import Casebook
from tests.decisions.builders import NOW

WRITER = """
import sys
from pathlib import Path
from datetime import UTC, datetime
from stillwatch.decisions.casebook import Casebook
from stillwatch.decisions.docket import Subject
now = datetime(2026, 9, 20, tzinfo=UTC)
book = Casebook.open(Path(sys.argv[1]), now)
print("open", flush=True)
n = 0
while True:
    book.note(Subject("account", "a"), text=f"note {n}", by="ann", at=now)
    print(n, flush=True)
    n += 1
"""


def killed_once(root: Path, seconds: float) -> int:
    """Notes that the writer said it had written, before it was killed."""
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(root)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    assert writer.stdout.readline() == "open\n"
    time.sleep(seconds)
    writer.send_signal(signal.SIGKILL)
    said = writer.stdout.read().splitlines()
    writer.wait()
    return len(said)


def killed(root: Path, times: int) -> None:
    rng, acknowledged = random.Random(5), 0
    for turn in range(1, times + 1):
        acknowledged += killed_once(root, rng.uniform(0, 0.25))
        with Casebook.open(root, NOW) as book:
            written = len(book.docket.notes)
            # a kill can come between the disk and the word about it, never the other way round
            assert acknowledged <= written <= acknowledged + turn
        found = check(root)
        assert found.sound
        assert found.entries == written + 1
        acknowledged = written


def test_killed_at_some_moments(tmp_path: Path) -> None:
    killed(tmp_path / "book", 3)


@pytest.mark.slow
def test_killed_at_many_moments(tmp_path: Path) -> None:
    killed(tmp_path / "book", 60)


def test_a_disk_without_room_changes_nothing(tmp_path: Path) -> None:
    """The size of files is limited, as on a full disk; afterwards the same casebook goes on."""
    script = """
import resource, sys
from datetime import UTC, datetime
from pathlib import Path
from stillwatch.decisions.casebook import Casebook
from stillwatch.decisions.docket import Subject
from stillwatch.errors import RunError
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
now = datetime(2026, 9, 20, tzinfo=UTC)
with Casebook.open(Path(sys.argv[1]), now) as book:
    size = (Path(sys.argv[1]) / "casebook.sqlite").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
    before = book.docket
    try:
        for n in range(200):
            book.note(Subject("account", "a"), text="x" * 3000, by="ann", at=now)
        print("no error")
    except RunError as error:
        print(error)
    kept = len(book.docket.notes)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
    book.note(Subject("account", "a"), text="room again", by="ann", at=now)
    print(kept, len(book.docket.notes))
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "book")], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    message, counts = done.stdout.splitlines()
    assert "cannot write the casebook" in message
    assert "nothing was changed" in message
    kept, after = map(int, counts.split())
    assert after == kept + 1
    assert check(tmp_path / "book").entries == after + 1
    with Casebook.open(tmp_path / "book", NOW) as book:
        assert len(book.docket.notes) == after


def test_a_folder_that_may_not_be_written(tmp_path: Path) -> None:
    from stillwatch.errors import RunError

    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot open the casebook"):
        Casebook.open(tmp_path / "file", NOW)
