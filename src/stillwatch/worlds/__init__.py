"""Labelled worlds with exact truth. Nothing here knows how anything is detected."""

from stillwatch.worlds.world import WORLDS, WorldSummary, write_world

__all__ = ["WORLDS", "WorldSummary", "write_world"]
