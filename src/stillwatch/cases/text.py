"""Text from a log made fit to show: nothing in it may act on a terminal, a page or a reader's eye."""

from __future__ import annotations

import unicodedata

_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def visible(text: object, most: int = 400) -> str:
    """`text` with control, bidirectional and invisible characters shown as their code points, cut at `most`."""
    raw = str(text)
    shown = "".join(f"\\u{ord(c):04x}" if unicodedata.category(c) in _HIDDEN else c for c in raw[:most])
    return shown + ("…" if len(raw) > most else "")
