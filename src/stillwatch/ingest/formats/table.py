"""The canonical table: columns of `model.EVENTS` under their own names, or mapped by the setting `ingest.columns`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stillwatch.model import EVENTS
from stillwatch.settings import IngestSettings

REQUIRED = tuple(field.name for field in EVENTS if not field.nullable)


def dotted(record: Mapping[str, Any], path: str) -> Any:
    """The value under a key, or under a dotted path of keys; None where there is none."""
    if path in record:
        return record[path]
    value: Any = record
    for key in path.split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(key)
    return value


def row(record: Mapping[str, Any], settings: IngestSettings) -> dict[str, Any]:
    """Canonical columns of a JSON record."""
    columns = settings.columns
    if not columns:
        return dict(record)
    return {name: dotted(record, columns.get(name, name)) for name in EVENTS.names}


def overrides(record: Mapping[str, Any], settings: IngestSettings) -> dict[str, Any]:
    """Columns that the setting `ingest.columns` takes from elsewhere in a record of another format."""
    return {name: dotted(record, path) for name, path in settings.columns.items()}
