"""Videoflix: the application factory. It wires; everything else lives in its own room."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from apiflask import APIFlask
from flask import request
from werkzeug.middleware.proxy_fix import ProxyFix

from app import auth, videos
from app.apidocs import init_apidocs
from app.caching import init_caching
from app.conditional import init_conditional
from app.data_cli import init_data
from app.database import engine_options, init_database, start_reading
from app.doctor import init_doctor
from app.errors import init_errors
from app.extensions import csrf, db, init_redis, login_manager, mail, migrate
from app.limits import init_limits
from app.metrics import init_metrics
from app.observability import init_observability
from app.openapi import init_openapi
from app.pages import init_pages
from app.reporting import init_reporting
from app.routing import init_routing
from app.security import SAFE_METHODS, init_security
from app.storage import init_storage
from app.tasks.wiring import init_app as init_tasks
from config import Settings


class Videoflix(APIFlask):
    """The application. Its views and hooks are plain functions."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Leave it as it is: Flask would look at each hook of each request for a coroutine."""
        return func


def create_app(settings: Settings | None = None) -> APIFlask:
    """Build the application from the given settings, or from the environment.

    Raises config.SettingsError where a setting is missing or wrong. Opens no connection.
    """
    settings = settings or Settings.load()
    app = Videoflix(
        __name__,
        title="Videoflix",
        version="1.0",
        spec_path="/api/openapi.json",
        docs_path=None,
        json_errors=False,
    )
    app.config.from_mapping(
        {f.name: getattr(settings, f.name) for f in dataclasses.fields(settings)}
    )
    app.config.from_mapping(_framework_config(settings))
    init_routing(app)
    app.extensions["settings"] = settings

    if settings.TRUSTED_PROXIES:
        hops = settings.TRUSTED_PROXIES
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops
        )

    init_observability(app)
    init_metrics(app)
    init_reporting(app)
    init_security(app)
    init_conditional(app)
    init_errors(app)
    init_database(app)
    app.before_request(lambda: start_reading(request.method in SAFE_METHODS))
    init_redis(app, settings.REDIS_URL)
    init_caching(app)
    init_limits(app, auth.limit_key)
    init_storage(app)
    migrate.init_app(app, db)
    login_manager.init_app(app)
    csrf.init_app(app)
    mail.init_app(app)
    init_pages(app)
    auth.init_app(app)
    videos.init_app(app)
    init_tasks(app)
    init_openapi(app)
    init_apidocs(app)
    init_doctor(app)
    init_data(app)

    return app


def _framework_config(settings: Settings) -> dict[str, object]:
    """What Flask and its extensions want, from our settings."""
    prefix = "__Host-" if settings.secure else ""
    return {
        "SESSION_COOKIE_NAME": f"{prefix}videoflix_session",
        "SESSION_COOKIE_SECURE": settings.secure,
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "MAX_CONTENT_LENGTH": 2**20,
        "MAX_FORM_MEMORY_SIZE": 2**18,
        "MAX_FORM_PARTS": 100,
        "SQLALCHEMY_DATABASE_URI": settings.DATABASE_URL,
        "SQLALCHEMY_ENGINE_OPTIONS": engine_options(settings.DATABASE_URL),
        "MAIL_DEFAULT_SENDER": settings.MAIL_SENDER,
        "MAIL_SUPPRESS_SEND": False,
        "WTF_CSRF_CHECK_DEFAULT": False,
        "WTF_CSRF_TIME_LIMIT": None,
        "WTF_CSRF_SSL_STRICT": False,
        "VALIDATION_ERROR_STATUS_CODE": 400,
        "OPENAPI_VERSION": "3.1.0",
        "SYNC_LOCAL_SPEC": False,
    }
