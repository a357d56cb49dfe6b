"""Trace a data set: which rows of a suspect corpus are copies of answers that were served, and whose they were."""

from stillwatch.forensics.data.trace import TraceRequest, trace

__all__ = ["TraceRequest", "trace"]
