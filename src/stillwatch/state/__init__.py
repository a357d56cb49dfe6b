"""What is kept from day to day, so that a new day is merged and not recomputed (`docs/state.md`)."""

from stillwatch.state.scan import Kept, StateRequest, scan_state

__all__ = ["Kept", "StateRequest", "scan_state"]
