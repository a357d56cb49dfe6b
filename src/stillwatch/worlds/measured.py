"""Numbers measured on real traffic, with their sources. Constants only: no data file comes with the package.

Sources: ServeGen client traces (alibaba/ServeGen, Apache-2.0; 422 clients, quantiles over clients), coding-agent
sessions (callanjfox/kv-cache-tester, Apache-2.0; 710 sessions). Quantiles are at `LEVELS` unless said otherwise.
"""

from __future__ import annotations

LEVELS = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)

GAP_CV = (0.31, 0.46, 0.75, 0.96, 1.18, 2.1, 5.3, 9.6, 13.9)
"""Coefficient of variation of a client's inter-arrival times (windows with 60 requests or more), m-large."""

INTERACTIVE_OUTPUT = (33.0, 60.0, 90.0, 180.0, 380.0, 640.0, 1050.0, 1476.0, 3200.0)
"""Median output tokens of a client: between m-large (short) and deepseek-r1 (long)."""
JOB_OUTPUT = (1.0, 1.0, 3.0, 14.75, 57.5, 126.2, 380.0, 493.5, 945.4)
"""Median output tokens of a client: m-large, where jobs dominate."""
OUTPUT_CV = (0.094, 0.154, 0.2037, 0.3661, 0.7668, 1.181, 1.796, 2.222, 3.767)

AGENT_TURNS = 45
"""Median requests of a coding-agent session; 10 % have 7 or fewer, 10 % over 155."""
AGENT_GAP_MEDIAN = 18.0
"""Seconds between requests of a coding-agent session, median; 90 % are under 130 s."""
THINK_MEDIAN = 45.0
"""Seconds between a person's turns: assumed, between an agent's think time (10 s) and its 90 % quantile (162 s)."""

TOP_TEN_SHARE = (0.40, 0.93)
"""Share of requests of the ten largest clients: .63 to .93 of 422 clients; a log of many thousands holds less."""
LATE_SHARE = (0.13, 0.33)
"""Share of clients that first appear after day 2."""
"""Ratio of the busiest to the quietest hour of the whole log."""
DAILY_PEAK_TO_TROUGH = (1.4, 2.2)
CLOUD_SHARE = 0.25
"""Share of accounts behind shared cloud addresses, and how many such addresses there are."""
CLOUD_ADDRESSES = 60
TOP_OF_HOUR_SHARE = 0.2
"""Share of automated accounts on top-of-hour schedules."""
LIBRARY_SHARE = 0.4
"""Share of ordinary programs' calls that are prompts of popular libraries."""
