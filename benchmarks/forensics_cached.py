"""Keeps a part of what the transformers of the benchmark said, for the tests that run without them.

    python benchmarks/forensics_cached.py --folder out/forensics

Writes tests/forensics/model/transformers.npz: of each student the tokens of its answers, and by how much it finds the
twin likelier that was served.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import forensics_lab as lab

KEPT = Path(__file__).parent.parent / "tests" / "forensics" / "model" / "transformers.npz"
STUDENTS, TEXTS = ("human", "marked", "marked_10", "fine_tuned", "gumbel"), 150


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("out/forensics"))
    folder = parser.parse_args().folder
    out = {"prompt_tokens": np.array(lab.PROMPT)}
    for name in STUDENTS:
        out[f"text {name}"] = np.load(folder / f"text-{name}.npy")[:TEXTS].astype(np.int16)
        served, unserved = (np.load(folder / f"twins-{name}-{side}.npy") for side in ("served", "unserved"))
        out[f"twins {name}"] = (served - unserved).astype(np.float32)
    np.savez_compressed(KEPT, **out)


if __name__ == "__main__":
    main()
