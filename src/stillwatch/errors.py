"""Errors a user can act on. The command line prints their text and exits with their code; nothing else is printed."""

from __future__ import annotations


class StillwatchError(Exception):
    """Something the user can mend; `exit_code` is what the command line exits with."""

    exit_code = 1


class UsageError(StillwatchError):
    """The call's words or settings are off."""

    exit_code = 2


class InputError(StillwatchError):
    """An input cannot be used: missing, unreadable, or without a required column. The text names file and row."""

    exit_code = 3


class RunError(StillwatchError):
    """A run folder is missing, incomplete or of another version."""

    exit_code = 4
