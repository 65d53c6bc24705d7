"""Reports of unexpected errors to a Sentry-compatible service, if SENTRY_DSN names one.

What is logged as an error is reported, with its traceback and the request's id. No person's data
goes along: no address, cookie, header, body or local variable, and grants, share keys and mailed
tokens are taken out of every text. The client is a package that only those install who want it.
"""

from __future__ import annotations

import sys
from typing import Any

from flask import Flask, has_request_context, request

from app.observability import request_id, without_secrets
from config import SettingsError

SEND_SECONDS = 3.0
"""How long a process that is about to end waits for its reports to leave."""


def init_reporting(app: Flask) -> None:
    """Report to SENTRY_DSN. Raises SettingsError where the package for it is missing."""
    if not app.config["SENTRY_DSN"]:
        return
    try:
        import sentry_sdk
        from sentry_sdk.integrations.logging import LoggingIntegration
    except ImportError:
        raise SettingsError(
            "SENTRY_DSN is set, but the package that reports errors is not installed. "
            "Run `.venv/bin/pip install -c constraints.txt sentry-sdk`, or unset SENTRY_DSN."
        ) from None
    sentry_sdk.init(
        dsn=app.config["SENTRY_DSN"],
        integrations=[LoggingIntegration(level=None)],  # errors only, no trail of lines before
        default_integrations=False,
        auto_enabling_integrations=False,
        send_default_pii=False,
        include_local_variables=False,
        include_source_context=False,
        max_request_body_size="never",
        max_breadcrumbs=0,
        before_send=_prepare,
    )


def send_reports() -> None:
    """Let what was reported leave before this process ends; does nothing without SENTRY_DSN."""
    sentry_sdk = sys.modules.get("sentry_sdk")
    if sentry_sdk is not None:
        sentry_sdk.flush(SEND_SECONDS)


def _prepare(event: Any, _hint: Any) -> Any:
    """The event with what we want to know of the request, and without secrets."""
    event = _scrubbed(event)
    event.setdefault("tags", {})["request_id"] = request_id.get()
    event.pop("server_name", None)
    event.pop("user", None)
    if has_request_context():
        route = request.url_rule.rule if request.url_rule else "none"
        event["transaction"] = f"{request.method} {route}"
    return event


def _scrubbed(value: Any) -> Any:
    if isinstance(value, str):
        return without_secrets(value)
    if isinstance(value, dict):
        return {key: _scrubbed(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_scrubbed(inner) for inner in value]
    return value
