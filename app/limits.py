"""How often something may be asked for, through Flask-Limiter on Redis.

Two limiters, because they part ways when Redis is away: `guard` then refuses (guessing passwords
and asking for resets must never go uncounted), `flow` lets everything pass (reading must go on).
The address is that of the last hop we trust (`TRUSTED_PROXIES`), so no header escapes it.

What a view is decorated with is checked when it is called. `LIMIT_API`, which is for every call of
the API, is counted here, in one question to Redis.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from hashlib import sha256
from ipaddress import IPv6Address, ip_address
from typing import Any

from flask import Flask, Response, current_app, request
from flask_limiter import Limiter, RateLimitExceeded
from limits import RateLimitItem, parse_many
from redis.exceptions import RedisError

from app.errors import error_response

log = logging.getLogger(__name__)

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


class _OfViews(Limiter):
    """Flask-Limiter without its look at every request: all our limits stand at views."""

    def _check_request_limit(
        self, callable_name: str | None = None, in_middleware: bool = True
    ) -> None:
        if not in_middleware:
            super()._check_request_limit(callable_name, in_middleware)


guard = _OfViews(address_key, strategy="moving-window", key_prefix="guard", swallow_errors=False)
flow = _OfViews(address_key, strategy="fixed-window", key_prefix="flow", swallow_errors=True)


def init_limits(app: Flask, who: Key) -> None:
    """Bind both limiters to the application's Redis, and answer what exceeds them with 429.

    `who` names whom a request to the API counts for.
    """
    pool = app.extensions["redis"].connection_pool
    app.config["RATELIMIT_STORAGE_URI"] = "redis://"
    app.config["RATELIMIT_STORAGE_OPTIONS"] = {"connection_pool": pool}
    for limiter in (guard, flow):
        limiter.init_app(app)

    @app.before_request
    def _count() -> Response | None:
        if request.endpoint is None or not request.path.startswith("/api/"):
            return None
        end = _used_up(_parsed(app.config["LIMIT_API"]), who())
        return None if end is None else _refusal(end)

    @app.errorhandler(RateLimitExceeded)
    def _too_many(_error: RateLimitExceeded) -> Response:
        limits = [*guard.current_limits, *flow.current_limits]
        return _refusal(max((limit.reset_at for limit in limits if limit.breached), default=0))


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


def _used_up(limits: Sequence[RateLimitItem], key: str) -> float | None:
    """Count a call of the API; if it is one too many, the epoch seconds when the next may come."""
    names = ("flow", key, "api")
    try:
        for limit in limits:
            if not flow.limiter.hit(limit, *names):
                return flow.limiter.get_window_stats(limit, *names).reset_time
    except (RedisError, OSError) as error:
        log.warning("a call was not counted", exc_info=error)
    return None


@lru_cache
def _parsed(limits: str) -> list[RateLimitItem]:
    return parse_many(limits)


def _refusal(end: float) -> Response:
    seconds = max(1, round(end - time.time()))
    return error_response(
        429,
        "too_many_requests",
        f"Too many tries. Please wait {_in_words(seconds)} and try again.",
        headers={"Retry-After": str(seconds)},
    )


def _in_words(seconds: int) -> str:
    if seconds < 90:
        return f"{seconds} seconds"
    return f"{round(seconds / 60)} minutes"
