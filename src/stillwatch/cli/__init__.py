"""The command line, a file a group of commands. Exit codes: 0 done, 1 failed, 2 usage, 3 input, 4 run folder."""

from __future__ import annotations

import sys

# each file registers its commands as it is imported: this is the order of `stillwatch --help`
# isort: off
from stillwatch.cli.app import app
from stillwatch.cli import scan, replay, link, read, decide, trace, trace_data, labelled
