"""Other people's programs in environments of their own: what they pin is not ours to follow."""

from __future__ import annotations

import subprocess
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2] / "out" / "service-venvs"


def environment(name: str, *requirements: str) -> Path:
    """Folder `bin` of an environment with these requirements, made if need be; the test is skipped if it cannot be."""
    folder = ROOT / name
    ready, wanted = folder / ".ready", "\n".join(requirements)
    if not ready.exists() or ready.read_text(encoding="utf-8") != wanted:
        venv.create(folder, with_pip=True, clear=True)
        command = [folder / "bin" / "python", "-m", "pip", "install", "--quiet", *requirements]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"cannot install {', '.join(requirements)}: {done.stderr.strip().splitlines()[-1][:200]}")
        ready.write_text(wanted, encoding="utf-8")
    return folder / "bin"
