"""The test plan: what will be tested how, fixed and committed before anybody looks. One TOML file.

Its fingerprint covers every file it names, so that prompts, tokeniser and logs cannot be chosen after the fact.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from stillwatch.errors import InputError
from stillwatch.forensics.model.commitments import Commitment, required
from stillwatch.forensics.model.keys import Key, KeyStore
from stillwatch.forensics.model.watermark import Scheme

Statistic = Literal["twins", "twins_text", "text", "text_weighted", "distribution", "canaries"]
FILES = ("tokenizer", "prompts", "twin_log", "canaries", "reference")


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Watermark(_Section):
    """`Scheme`, as a section."""

    kind: Literal["green", "gumbel"] = "green"
    window: int = Field(default=2, ge=1, le=16)
    share: float = Field(default=0.25, gt=0, lt=1)
    delta: float = Field(default=2.0, gt=0)

    def scheme(self) -> Scheme:
        """The scheme."""
        return Scheme(self.kind, self.window, self.share, self.delta)


class Plan(_Section):
    """Everything that could be chosen to please, chosen beforehand."""

    name: str = Field(min_length=1, max_length=100)
    suspects: tuple[str, ...] = Field(min_length=1)
    """Every suspect that will be tested under this plan; each costs its share of the correction."""
    statistics: tuple[Statistic, ...] = Field(min_length=1)
    keys: dict[str, AwareDatetime] = Field(min_length=1)
    """Key id (NAME@VERSION) = when it first served."""
    controls: tuple[str, ...] = Field(min_length=1)
    """Ids of control keys, which never serve."""
    decoys: int = Field(default=999, ge=999, le=100_000)
    seed: int = Field(default=0, ge=0)
    watermark: Watermark = Watermark()
    tokenizer: Path | None = None
    """A tokenizer.json: the provider's. Without one, answers must be given as tokens."""
    prompts: Path | None = None
    """JSON lines with `prompt`: what a live suspect is asked. They must not hold marked text."""
    max_tokens: int = Field(default=128, ge=1, le=4096)
    samples: int = Field(default=1, ge=1, le=1000)
    """Answers a prompt, from a live suspect."""
    temperature: float = Field(default=1.0, gt=0, le=2)
    twin_log: Path | None = None
    canaries: Path | None = None
    """JSON lines of key, place, prompt, and if need be count and digits."""
    reference: Path | None = None
    """A transformers model known to be innocent, whose probabilities are subtracted."""

    @model_validator(mode="after")
    def _fits(self) -> Plan:
        for what, names in (("suspects", self.suspects), ("statistics", self.statistics), ("controls", self.controls)):
            if len(set(names)) < len(names):
                raise ValueError(f"{what} stand there twice")
        for id in (*self.keys, *self.controls):
            if "@" not in id:
                raise ValueError(f"a key's id is NAME@VERSION, not {id!r}")
        if set(self.keys) & set(self.controls):
            raise ValueError("a control key cannot be tested as one that served")
        if {"twins", "twins_text"} & set(self.statistics) and self.twin_log is None:
            raise ValueError("twins need a twin_log")
        if "canaries" in self.statistics and self.canaries is None:
            raise ValueError("canaries need a table of canaries")
        return self

    @property
    def tests(self) -> int:
        """All tests of all suspects: what p-values are corrected for."""
        return len(self.suspects) * len(self.statistics) * len(self.keys)


def load_plan(path: Path) -> Plan:
    """The plan in a file, its paths taken from where the file lies. InputError if it cannot be read or is unfit."""
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
        plan = Plan.model_validate(raw)
    except FileNotFoundError as error:
        raise InputError(f"no test plan at {path}") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"test plan {path}: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(f"test plan {path}: {where + ': ' if where else ''}{first['msg']}") from error
    found = {name: path.parent / value for name in FILES if (value := getattr(plan, name)) is not None}
    return plan.model_copy(update=found)


def fingerprint(plan: Plan) -> str:
    """SHA-256 of the plan and of every file it names; the twin log is left out, since it is sealed by itself."""
    body = json.loads(plan.model_dump_json(exclude=set(FILES)))
    files = {name: _content(path) for name in FILES if (path := getattr(plan, name)) and name != "twin_log"}
    return hashlib.sha256(json.dumps([body, files], sort_keys=True).encode()).hexdigest()


def _content(path: Path) -> str:
    """Hash of a file, or of a folder's files in order of their names."""
    try:
        names = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        total = hashlib.sha256()
        for name in names:
            with name.open("rb") as handle:
                digest = hashlib.file_digest(handle, "sha256").hexdigest()
            total.update(f"{name.relative_to(path)}\0{digest}\n".encode())
    except OSError as error:
        raise InputError(f"the test plan names {path}: {error.strerror or error}") from error
    return total.hexdigest()


def committed_plan(plan: Plan, lines: list[Commitment]) -> Commitment:
    """The plan's commitment; a refusal if it was never committed or was changed since."""
    return required(lines, "plan", plan.name, fingerprint(plan))


def committed_keys(plan: Plan, store: KeyStore, lines: list[Commitment]) -> dict[str, tuple[Key, Commitment]]:
    """Every key of the plan with its commitment. A refusal if one was never committed, or after it served, or serves at
    a time that is still to come."""
    first, now = min(plan.keys.values()), datetime.now(UTC)
    out = {}
    for id, served_from in (*plan.keys.items(), *((name, first) for name in plan.controls)):
        key = store.get(id)
        made = required(lines, "key", key.id, key.commitment)
        if (key.role == "control") != (id in plan.controls):
            raise InputError(f"refused: {id} is a key of role {key.role}")
        check_before(made, served_from, f"the key {id} was committed")
        if served_from > now:
            raise InputError(f"refused: by the plan {id} first serves at {served_from.isoformat()}, which is to come")
        out[id] = (key, made)
    return out


def check_before(made: Commitment, used: datetime, what: str) -> None:
    """A refusal if a commitment is not older than the data it is used on."""
    if not made.at < used:
        raise InputError(f"refused: {what} at {made.time}, not before its data ({used.isoformat()})")
