"""Answers that are compared instead of sent again: every JSON answer to a GET of the API.

Apps ask for lists, films and grids again and again. The tag is a hash of the answer, so it needs no
rules of its own; it is weak, since a proxy may compress what it stands for. It allows nobody to
keep an answer that `Cache-Control` forbids to keep: the app that holds it asks each time.
"""

from __future__ import annotations

from flask import Flask, Response, request


def init_conditional(app: Flask) -> None:
    """Give such answers an `ETag`, and answer 304 to who has them."""

    @app.after_request
    def _compare(response: Response) -> Response:
        asked = request.method in {"GET", "HEAD"} and request.path.startswith("/api/")
        if asked and response.status_code == 200 and response.is_json and response.is_sequence:
            response.add_etag(weak=True)
            if "If-None-Match" in request.headers:
                response.make_conditional(request)
        return response
