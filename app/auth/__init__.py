"""Accounts: who people are, how they prove it, and the mails about it.

Other packages ask `app.auth.identity` who is asking, use `app.auth.models`, and tell
`app.auth.belongings` what accounts own; nothing else here is theirs. No code here knows of videos.
"""

from __future__ import annotations

from datetime import timedelta

from flask import Flask

from app.auth import account_pages, admin_pages, api, me_api, pages
from app.auth.callers import caller as limit_key
from app.auth.cli import users
from app.auth.cookies import offer_csrf_token
from app.auth.identity import load_for_flask_login
from app.extensions import login_manager

__all__ = ["init_app", "limit_key"]


def init_app(app: Flask) -> None:
    """Register pages, API, commands, and who `current_user` is."""
    app.config["PERMANENT_SESSION_LIFETIME"] = timedelta(days=app.config["SESSION_DAYS"])
    app.config["SESSION_REFRESH_EACH_REQUEST"] = False  # identity renews it with the row
    app.config["SESSION_PROTECTION"] = None  # it would rewrite the cookie; rows protect sessions
    login_manager.request_loader(load_for_flask_login)
    app.after_request(offer_csrf_token)
    app.register_blueprint(pages.pages)
    app.register_blueprint(account_pages.pages)
    app.register_blueprint(admin_pages.pages)
    app.register_blueprint(api.api)
    app.register_blueprint(me_api.api)
    app.cli.add_command(users)
