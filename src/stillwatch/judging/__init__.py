"""Judging: what an operator's pooled traffic shows, against matched groups of ordinary accounts of the same log."""

from stillwatch.judging.judge import Judgement, judge

__all__ = ["Judgement", "judge"]
