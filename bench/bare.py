"""The least that Flask does with a request: one short answer of JSON, for `bench.delivery`."""

from __future__ import annotations

from flask import Flask, Response, jsonify

app = Flask(__name__)


@app.get("/")
def answer() -> Response:
    """The same each time."""
    return jsonify([{"id": 1, "title": "A film"}])
