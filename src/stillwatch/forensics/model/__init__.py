"""Was this model made from our answers? Keyed protocols for a serving stack, and exact tests for any suspect."""

from stillwatch.forensics.model.keys import Key, KeyStore
from stillwatch.forensics.model.twins import TwinLog, TwinServer
from stillwatch.forensics.model.watermark import Marker, Scheme, WatermarkLogitsProcessor

__all__ = ["Key", "KeyStore", "Marker", "Scheme", "TwinLog", "TwinServer", "WatermarkLogitsProcessor"]
