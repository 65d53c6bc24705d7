"""How often something may be asked for, through Flask-Limiter on Redis.

Two limiters, because they part ways when Redis is away: `guard` then refuses (guessing passwords
and asking for resets must never go uncounted), `flow` lets everything pass (reading must go on).
The address is that of the last hop we trust (`TRUSTED_PROXIES`), so no header escapes it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from hashlib import sha256
from ipaddress import IPv6Address, ip_address
from typing import Any, cast

from flask import Flask, Response, current_app, request
from flask_limiter import ApplicationLimit, Limiter, RateLimitExceeded

from app.errors import error_response

View = Callable[..., Any]
Decorator = Callable[[View], View]

Key = Callable[[], str]
"""Whom a limit counts for; an empty text counts for nobody."""


def address_key() -> str:
    """The client's address; for IPv6 the network of 64 bits that one customer gets."""
    try:
        address = ip_address(request.remote_addr or "")
    except ValueError:
        return "unknown"
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return address.exploded[:19]
    return str(address)


def private_key(name: str) -> str:
    """A key that does not show whom it is about to who reads Redis."""
    return sha256(name.encode("utf-8", "replace")).hexdigest()[:32] if name else ""


guard = Limiter(address_key, strategy="moving-window", key_prefix="guard", swallow_errors=False)
flow = Limiter(
    address_key,
    strategy="fixed-window",
    key_prefix="flow",
    swallow_errors=True,
    application_limits=[
        ApplicationLimit(
            lambda: str(current_app.config["LIMIT_API"]),
            key_function=lambda: cast("Key", current_app.extensions["limit_key"])(),
            scope="api",
            exempt_when=lambda: not request.path.startswith("/api/"),
        )
    ],
)


def init_limits(app: Flask, who: Key) -> None:
    """Bind both limiters to the application's Redis, and answer what exceeds them with 429.

    `who` names whom a request to the API counts for.
    """
    app.extensions["limit_key"] = who
    pool = app.extensions["redis"].connection_pool
    app.config["RATELIMIT_STORAGE_URI"] = "redis://"
    app.config["RATELIMIT_STORAGE_OPTIONS"] = {"connection_pool": pool}
    for limiter in (guard, flow):
        limiter.init_app(app)

    @app.errorhandler(RateLimitExceeded)
    def _too_many(_error: RateLimitExceeded) -> Response:
        seconds = _seconds_left()
        return error_response(
            429,
            "too_many_requests",
            f"Too many tries. Please wait {_in_words(seconds)} and try again.",
            headers={"Retry-After": str(seconds)},
        )


def guesses(account: Key) -> Decorator:
    """Limit failed attempts to prove a password, by account and by address."""
    return _both(guard, "guess", "LIMIT_LOGIN", account, failed)


def mails(account: Key, *, open_without_redis: bool = False) -> Decorator:
    """Limit requests that send a mail, by the account it goes to and by address."""
    return _both(flow if open_without_redis else guard, "mail", "LIMIT_MAIL", account, succeeded)


def wrong_links(view: View) -> View:
    """Limit tries of links that open nothing, by address; they count as failed sign-ins do."""
    limit: Decorator = flow.shared_limit(
        lambda: str(current_app.config["LIMIT_LOGIN_ADDRESS"]),
        scope="link",
        key_func=address_key,
        deduct_when=missed,
    )
    return limit(view)


def missed(answer: Response) -> bool:
    """Whether there was nothing under this link."""
    return answer.status_code == 404


def failed(answer: Response) -> bool:
    """Whether a password was wrong: 401 from the API, 400 where a form comes back."""
    return answer.status_code in {400, 401}


def succeeded(answer: Response) -> bool:
    """Whether the request did what it asked for."""
    return answer.status_code < 400


def _both(
    limiter: Limiter, scope: str, setting: str, account: Key, counts: Callable[[Response], bool]
) -> Decorator:
    def limit(by: str, key: Key) -> Decorator:
        return limiter.shared_limit(
            lambda: str(current_app.config[f"{setting}_{by}"]),
            scope=f"{scope}-{by.lower()}",
            key_func=key,
            methods=["POST", "DELETE"],
            deduct_when=counts,
        )

    def decorate(view: View) -> View:
        return limit("ACCOUNT", account)(limit("ADDRESS", address_key)(view))

    return decorate


def _seconds_left() -> int:
    ends = [
        limit.reset_at
        for limiter in (guard, flow)
        for limit in limiter.current_limits
        if limit.breached
    ]
    return max(1, round(max(ends, default=0) - time.time()))


def _in_words(seconds: int) -> str:
    if seconds < 90:
        return f"{seconds} seconds"
    return f"{round(seconds / 60)} minutes"
