"""The console: pages for the people who decide, made on the server (docs/console.md).

    routes = console_routes(source, secure=...)     # put beside the API's

`source` is what the pages read and write (`source.Source`). Pages work without scripts; the one script only saves
keystrokes and reloads. Nothing a log says reaches a page but as text.
"""

from stillwatch.service.console.routes import console_routes
from stillwatch.service.console.source import Source

__all__ = ["Source", "console_routes"]
