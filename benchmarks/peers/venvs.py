"""Environments of the peers: a peer's pins are its own, and one that cannot be installed is skipped with the reason."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENVS = ROOT / "out" / "peers-venvs"


class NotInstalledError(Exception):
    """Why a peer has no environment."""


def requirements(extra: str) -> list[str]:
    """What the optional extra of pyproject.toml asks for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return list(project["optional-dependencies"][extra])


def python(extra: str, own: bool) -> str:
    """Python of an extra's environment, made if need be; NotInstalledError with the reason if it cannot be.

    own: the extra needs an environment of its own. Otherwise it is looked for in this one.
    """
    if not own:
        missing = [name for name in ("sklearn", "scipy", "pyarrow") if importlib.util.find_spec(name) is None]
        if missing:
            raise NotInstalledError(f"{', '.join(missing)} cannot be imported: pip install 'stillwatch[{extra}]'")
        return sys.executable
    folder = VENVS / extra
    found, ready = folder / "bin" / "python", folder / ".ready"
    wanted = "\n".join(requirements(extra))
    if ready.exists() and ready.read_text(encoding="utf-8") == wanted:
        return str(found)
    venv.create(folder, with_pip=True, clear=True)
    command = [str(found), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements(extra)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or done.stderr.splitlines()[-1:]
        raise NotInstalledError("; ".join(lines)[:300] or "pip failed without a word")
    ready.write_text(wanted, encoding="utf-8")
    return str(found)
