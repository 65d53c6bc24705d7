"""Extensions, unbound: importing this module opens nothing, `create_app` binds them."""

from __future__ import annotations

from typing import cast

from flask import Flask, current_app
from flask_login import LoginManager
from flask_mail import Mail
from flask_migrate import Migrate
from flask_wtf import CSRFProtect
from redis import Redis

from app.database import db

csrf = CSRFProtect()
login_manager = LoginManager()
mail = Mail()
migrate = Migrate(render_as_batch=True, compare_type=True)

__all__ = ["csrf", "db", "init_redis", "login_manager", "mail", "migrate", "redis_client"]


def init_redis(app: Flask, url: str) -> None:
    """Keep one client (it connects on first use and after every loss) for the application."""
    app.extensions["redis"] = Redis.from_url(
        url, socket_connect_timeout=3, health_check_interval=30
    )


def redis_client() -> Redis:
    """The application's Redis."""
    return cast("Redis", current_app.extensions["redis"])
