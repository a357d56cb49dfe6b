"""An authorisation as a lawful distiller hands it in: the file that a scan reads, written and read back."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import tomli_w

from stillwatch.errors import InputError, UsageError
from stillwatch.ingest.accounts import Authorisation, read_authorisations
from stillwatch.ingest.pseudonyms import Pseudonyms

HEAD = """\
# A request for authorisation, to be handed in to the provider. The provider checks it, puts its own id in place of the
# one below, and gives the file to `stillwatch scan --authorisations`. Registered use within its quota is never accused.
"""


@dataclass(frozen=True)
class Registration:
    """What is asked for; identifiers as the provider knows them, no pseudonyms."""

    organisation: str
    purpose: str
    contact: str
    valid_from: date
    valid_until: date
    accounts: tuple[str, ...] = ()
    org_ids: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    max_requests_per_day: int | None = None
    max_requests_total: int | None = None
    disclosed_at: date | None = None
    id: str = "request"

    def entry(self) -> dict[str, Any]:
        """Values of `[[authorisation]]` in the order of the documentation; what is not said is left out."""
        names = (
            "id", "organisation", "accounts", "org_ids", "valid_from", "valid_until", "purpose", "models",
            "max_requests_per_day", "max_requests_total", "disclosed_at", "contact",
        )  # fmt: skip
        values = {name: getattr(self, name) for name in names}
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in values.items()
            if value is not None and value != ()
        }


def write_registration(asked: Registration, path: Path) -> Authorisation:
    """Write the file at once or not at all, and read it back as a scan does: what the scan will see.

    UsageError if something is missing or contradicts itself, or if `path` is there already.
    """
    if path.exists():
        raise UsageError(f"{path} is there already: a request that was handed in is not overwritten")
    if path.suffix != ".toml":
        raise UsageError(f"{path}: the file must end in .toml")
    for name in ("organisation", "purpose", "contact"):
        if not getattr(asked, name).strip():
            raise UsageError(f"the {name} is missing")
    for name in ("max_requests_per_day", "max_requests_total"):
        if (value := getattr(asked, name)) is not None and value < 1:
            raise UsageError(f"{name} must be 1 or more")
    checked = path.with_name(f".{path.stem}.tmp.toml")
    try:
        with checked.open("w", encoding="utf-8") as handle:
            handle.write(HEAD + "\n" + tomli_w.dumps({"authorisation": [asked.entry()]}))
            handle.flush()
            os.fsync(handle.fileno())
        (found,) = read_authorisations(checked, Pseudonyms.none())
        checked.replace(path)
    except InputError as error:
        raise UsageError(f"the request is not right: {str(error).rpartition(', entry 1: ')[2]}") from error
    except (OSError, UnicodeEncodeError) as error:
        raise UsageError(f"cannot write {path}: {error}") from error
    finally:
        checked.unlink(missing_ok=True)
    return found
