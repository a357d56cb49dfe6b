"""Stillwatch beside other tools: one log, one truth, one scoring. `python benchmarks/peers/run.py --help`.

A peer is one small file with a function `look(world, **setting) -> Answer`; `registry` names them all, `worker` runs
one in a process (and, where its pins demand it, an environment) of its own. What a peer's environment needs besides the
peer is numpy, scipy and pyarrow, so nothing that `look` reaches imports stillwatch.
"""
