"""What the numbers in addresses can be."""

from __future__ import annotations

from typing import Final

from flask import Flask
from werkzeug.routing import IntegerConverter, Map

LARGEST_ID: Final = 2**63 - 1
"""What SQLite can compare with; an address with a larger number leads nowhere."""


class _Id(IntegerConverter):
    def __init__(self, url_map: Map) -> None:
        super().__init__(url_map, max=LARGEST_ID)


def init_routing(app: Flask) -> None:
    """Bound what `<int:…>` takes; call it before any route is registered."""
    app.url_map.converters["int"] = _Id
    app.url_map.strict_slashes = False
