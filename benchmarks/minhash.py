"""MinHash bands of whole texts, which answers are not traced by: what they would find, for docs/forensics.md.

Broder 1997: 32 permutations (a h + b) mod 2^32 of hashed 3-word shingles, 8 bands of 4 rows; two texts share one at a
Jaccard index of about .59 with even odds.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stillwatch.hashing import hash64_array, mix64

BANDS, ROWS, SHINGLE = 8, 4, 3
_draws = [mix64(0x5EED + k) for k in range(2 * BANDS * ROWS)]
MULTIPLY = np.array([(draw & 0xFFFFFFFF) | 1 for draw in _draws[::2]], np.uint64)
ADD = np.array([draw & 0xFFFFFFFF for draw in _draws[1::2]], np.uint64)


def bands(texts: Sequence[str]) -> npt.NDArray[np.uint32]:
    """Least values of each band of each text, [texts, BANDS, ROWS]: a band is shared where all its rows are equal."""
    out = np.empty((len(texts), BANDS, ROWS), np.uint32)
    for place, text in enumerate(texts):
        words = "".join(letter.lower() if letter.isalnum() else " " for letter in text).split()
        width = min(len(words), SHINGLE)
        shingles = [" ".join(words[k : k + width]) for k in range(len(words) - width + 1)]
        values = (hash64_array(pa.array(shingles)) >> np.uint64(32))[:, None] * MULTIPLY + ADD
        out[place] = (values & np.uint64(0xFFFFFFFF)).min(axis=0).reshape(BANDS, ROWS)
    return out
