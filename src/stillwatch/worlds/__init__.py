"""Labelled worlds with exact truth. Nothing here knows how anything is detected."""

from stillwatch.worlds.evasions import ALL_BUT_INDEPENDENT, EVASIONS
from stillwatch.worlds.world import WORLDS, WorldSummary, write_world

__all__ = ["ALL_BUT_INDEPENDENT", "EVASIONS", "WORLDS", "WorldSummary", "write_world"]
