"""FRAUDAR (Hooi et al. 2016), by UGFraud (PyPI): the densest blocks of accounts and tokens.

Popular tokens weigh less. UGFraud's own greedy search with logarithmic weights, one block after another, the links of
each taken out before the next. An account's score is minus the number of the first block that holds it: threshold -1
accuses the first block, -3 the first three. Tokens of one account only are left out: they would make a busy lone
account a dense block.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from benchmarks.peers.answer import Answer, scored
from benchmarks.peers.world import incidence, read
from scipy.sparse import csr_matrix


def look(world: Path, *, views: str = "all", blocks: int = 3) -> Answer:
    """views: what accounts can share. blocks: how many are looked for."""
    from UGFraud.Detector.Fraudar import detectMultiple, logWeightedAveDegree

    log = read(world)
    rows, columns = incidence(log, views)
    n = len(log.accounts)
    matrix = csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(n, int(columns.max()) + 1))
    block = np.full(n, -1, np.int64)
    for number, ((members, _), _) in enumerate(detectMultiple(matrix, logWeightedAveDegree, blocks)):
        fresh = [member for member in members if block[member] < 0]
        block[fresh] = number
    return scored(log.accounts, np.where(block >= 0, -1.0 - block, np.nan), block)
