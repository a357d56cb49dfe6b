"""What all tests share: how Hypothesis draws its examples.

`make test` draws the same examples every time, so that a change is judged by what it changed; `make test-random` draws
others on every run and is where new failures are looked for. What it finds becomes an `@example`.
"""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("repeatable", derandomize=True, print_blob=True, deadline=None)
settings.register_profile("random", print_blob=True, deadline=None)
settings.load_profile("repeatable")
