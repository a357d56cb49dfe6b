"""The command line, a file a group of commands. Exit codes: 0 done, 1 failed, 2 usage, 3 input, 4 run folder."""

from __future__ import annotations

import sys

# each file registers its commands as it is imported: this is the order of `stillwatch --help`
# isort: off
from stillwatch.cli.app import app
from stillwatch.cli import (  # noqa: F401
    scan,
    replay,
    link,
    read,
    decide,
    serve,
    trace,
    trace_data,
    trace_model,
    trace_key,
    builder,
    labelled,
)

# isort: on
from stillwatch.errors import StillwatchError
from stillwatch.terminal import err


def main() -> None:
    """Entry point: a user's mistake is one line on standard error and an exit code, never a stack trace."""
    try:
        app()
    except StillwatchError as error:
        err.print(f"stillwatch: {error}", markup=False, highlight=False, soft_wrap=True)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        err.print("stillwatch: interrupted; the run folder is not finished", markup=False)
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(141)
