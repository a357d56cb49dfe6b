"""Groups and links -> operators: every account exactly once."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from stillwatch.linking.collapse import Nodes
from stillwatch.linking.matrix import Floats, Ints
from stillwatch.model import OPERATORS

LN2 = float(np.log(2.0))


@dataclass(frozen=True)
class Membership:
    """Operator of each node as the number of one of its nodes, with the evidence for it."""

    operator: Ints
    log_p: Floats
    proven: np.ndarray
    hand_log_p: Floats
    """Of each node's operator; NaN where it was not tested."""
    means_log_p: Floats
    """The same."""


def table(nodes: Nodes, of: Membership) -> pa.Table:
    """model.OPERATORS. Accounts alone, or within a known organisation that stands alone, have 0 bits and are proven."""
    operator = of.operator[nodes.node_of]
    _, first, inverse = np.unique(operator, return_index=True, return_inverse=True)
    ids = nodes.ids.to_pylist()
    names = [name(str(ids[k])) for k in first.tolist()]
    return pa.table(
        [
            nodes.ids,
            pa.array([names[k] for k in inverse.ravel().tolist()], pa.string()),
            pa.array(np.maximum(-of.log_p[nodes.node_of] / LN2, 0.0)),
            pa.array(of.proven[nodes.node_of]),
            pa.array(-of.hand_log_p[nodes.node_of] / LN2, from_pandas=True),
            pa.array(-of.means_log_p[nodes.node_of] / LN2, from_pandas=True),
        ],
        schema=OPERATORS,
    )


def name(least_account: str) -> str:
    """Id of the operator whose least account id this is: the same from run to run while that account stays."""
    return "op_" + hashlib.sha256(least_account.encode("utf-8", "surrogatepass")).hexdigest()[:12]
