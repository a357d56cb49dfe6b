"""Text from a log made fit to show: nothing in it may act on a terminal, a page or a reader's eye."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from datetime import datetime

_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def visible(text: object, most: int = 400) -> str:
    """`text` with control, bidirectional and invisible characters shown as their code points, cut at `most`."""
    raw = str(text)
    shown = "".join(f"\\u{ord(c):04x}" if unicodedata.category(c) in _HIDDEN else c for c in raw[:most])
    return shown + ("…" if len(raw) > most else "")


def number(value: float | None) -> str:
    """With commas, or a dash."""
    return "–" if value is None else f"{value:,}"


def day(value: datetime | None) -> str:
    """The day, or a dash."""
    return "–" if value is None else f"{value:%Y-%m-%d}"


def bits(value: float | None) -> str:
    """Signed, to a tenth; what could not be looked at is not 0."""
    return "n/a" if value is None else f"{value:+.1f}".replace("-", "−")


def size(value: float | None) -> str:
    """Three digits, or a dash."""
    return "–" if value is None else f"{value:.3g}"


FILTERS: dict[str, Callable[..., str]] = {
    "visible": visible, "number": number, "day": day, "bits": bits, "size": size,
}  # fmt: skip
"""For templates."""
