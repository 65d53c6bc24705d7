"""What all pages share: the landing page, filters, versioned static addresses, form tokens."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

from flask import Blueprint, Flask, current_app, redirect, render_template, request, url_for
from flask import Response as BaseResponse
from werkzeug.local import LocalProxy
from werkzeug.wrappers import Response

from app.auth.forms import ButtonForm
from app.auth.identity import current_user_or_none
from app.formatting import bytesize, date, duration, foreseen, remaining

pages = Blueprint("pages", __name__)


def init_pages(app: Flask) -> None:
    """Register the landing page and what templates may use."""
    app.register_blueprint(pages)
    app.add_template_filter(duration)
    app.add_template_filter(remaining)
    app.add_template_filter(bytesize)
    app.add_template_filter(date)
    app.add_template_global(asset)
    app.add_template_global(foreseen)
    app.add_template_global(LocalProxy(ButtonForm), "csrf_form")
    app.add_template_global(LocalProxy(ButtonForm), "logout_form")

    @app.after_request
    def _keep_versioned(response: BaseResponse) -> BaseResponse:
        if request.endpoint == "static" and "v" in request.args and response.status_code == 200:
            response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response


@pages.get("/")
def landing() -> str | Response:
    """What this is; whoever is signed in goes on to the catalogue."""
    if current_user_or_none() is not None:
        return redirect(url_for("videos.browse"))
    return render_template("landing.html")


def asset(name: str) -> str:
    """The address of a static file, with its content's hash, so that browsers may keep it."""
    version = _fingerprint(Path(current_app.static_folder or ""), name)
    return url_for("static", filename=name, v=version)


@lru_cache(maxsize=256)
def _fingerprint(folder: Path, name: str) -> str:
    try:
        return hashlib.sha256((folder / name).read_bytes()).hexdigest()[:12]
    except FileNotFoundError:
        return "missing"
