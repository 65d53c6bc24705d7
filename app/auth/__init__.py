"""Accounts: who people are, how they prove it, and the mails about it.

Other packages ask `app.auth.identity` who is asking, and use `app.auth.models`; nothing else here
is theirs. No code here knows of videos.
"""

from __future__ import annotations

from datetime import timedelta

from flask import Flask

from app.auth.api import api
from app.auth.cli import users
from app.auth.identity import load_for_flask_login
from app.auth.pages import pages
from app.extensions import login_manager


def init_app(app: Flask) -> None:
    """Register pages, API, commands, and who `current_user` is."""
    app.config["PERMANENT_SESSION_LIFETIME"] = timedelta(days=app.config["SESSION_DAYS"])
    app.config["SESSION_REFRESH_EACH_REQUEST"] = False  # identity renews it with the row
    app.config["SESSION_PROTECTION"] = None  # it would rewrite the cookie; rows protect sessions
    login_manager.request_loader(load_for_flask_login)
    app.register_blueprint(pages)
    app.register_blueprint(api)
    app.cli.add_command(users)
