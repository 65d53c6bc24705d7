"""What every answer and every unsafe request must satisfy: headers, CSP, origin, CORS.

An unsafe request that is authenticated by a cookie must come from our own origin or one of
`CORS_ORIGINS`. Browsers tell through `Sec-Fetch-Site` and `Origin`, which no page can forge; a
program that sends neither (curl, a server) carries no ambient cookie of a victim.
"""

from __future__ import annotations

import secrets
from ipaddress import ip_address
from urllib.parse import urlsplit

from flask import Flask, Response, current_app, g, request

from app.errors import DomainError, Forbidden

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

_FOR_PROBES = frozenset({"/healthz", "/readyz", "/metrics"})
"""A load balancer asks for these by the machine's address."""

_CORS_METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
_CORS_REQUEST_HEADERS = (
    "Authorization, Content-Type, If-None-Match, Range, X-CSRFToken, X-Request-ID, Tus-Resumable, "
    "Upload-Length, Upload-Offset, Upload-Metadata, Upload-Checksum, Upload-Defer-Length, "
    "Upload-Concat, X-HTTP-Method-Override"
)
_CORS_EXPOSED = (
    "ETag, Link, Location, Retry-After, Search-Instead, X-Request-ID, Tus-Resumable, Tus-Version, "
    "Tus-Extension, Tus-Max-Size, Tus-Checksum-Algorithm, Upload-Offset, Upload-Length, "
    "Upload-Metadata, Upload-Expires, Video-Location"
)


def style_nonce() -> str:
    """The nonce that lets the player kit style its shadow roots (docs/security.md)."""
    if "style_nonce" not in g:
        g.style_nonce = secrets.token_urlsafe(16)
    return str(g.style_nonce)


def init_security(app: Flask) -> None:
    """Register the origin check, CORS and the headers of every answer."""
    app.jinja_env.globals["style_nonce"] = style_nonce

    @app.before_request
    def _check_origin() -> Response | None:
        if request.path not in _FOR_PROBES:
            refuse_foreign_host()
        if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
            return Response(status=204)  # a preflight; `_headers` adds what our guests may know
        if request.method not in SAFE_METHODS:
            refuse_foreign_origin()
        return None

    @app.after_request
    def _headers(response: Response) -> Response:
        _add_cors(response)
        _add_security_headers(response)
        return response


def refuse_foreign_host() -> None:
    """Raise DomainError `foreign_host` unless the site was asked for under a name that is ours.

    That is the name in PUBLIC_URL; on one machine also localhost, and any address in figures: a
    name under an attacker's control cannot be made to look like those (DNS rebinding).
    """
    try:
        name = urlsplit(f"//{request.headers.get('Host', '')}").hostname or ""
    except ValueError:
        name = ""
    if "@" in request.headers.get("Host", ""):
        name = ""
    if name == urlsplit(current_app.config["PUBLIC_URL"]).hostname:
        return
    if current_app.config["EMBEDDED"] and (name == "localhost" or _is_address(name)):
        return
    raise DomainError(
        "This site is not served under that name. Its operator sets the name in PUBLIC_URL.",
        code="foreign_host",
    )


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def refuse_foreign_origin() -> None:
    """Raise Forbidden `cross_origin` unless the request comes from an origin we trust.

    A bearer token is never ambient, so a request that carries one may come from anywhere.
    """
    if bearer_token() is not None:
        return
    origin = request.headers.get("Origin")
    if origin is not None:
        trusted = {_own_origin(), current_app.config["PUBLIC_URL"]}
        if origin in trusted or origin in current_app.config["CORS_ORIGINS"]:
            return
    elif request.headers.get("Sec-Fetch-Site", "none") in {"same-origin", "none"}:
        return
    raise Forbidden("This request came from another site.", code="cross_origin")


def bearer_token() -> str | None:
    """The token in the request's `Authorization: Bearer …`, if it has that header."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def _own_origin() -> str:
    return f"{request.scheme}://{request.host}"


def _may_share() -> bool:
    return request.path.startswith(("/api/", "/stream/"))


def _add_cors(response: Response) -> None:
    if not _may_share():
        return
    response.vary.add("Origin")
    origin = request.headers.get("Origin")
    if origin is None or origin not in current_app.config["CORS_ORIGINS"]:
        return
    response.headers["Access-Control-Allow-Origin"] = origin
    response.headers["Access-Control-Allow-Credentials"] = "true"
    response.headers["Access-Control-Expose-Headers"] = _CORS_EXPOSED
    if request.method == "OPTIONS":
        response.headers["Access-Control-Allow-Methods"] = _CORS_METHODS
        response.headers["Access-Control-Allow-Headers"] = _CORS_REQUEST_HEADERS
        response.headers["Access-Control-Max-Age"] = "600"


def _add_security_headers(response: Response) -> None:
    style = "'self'"
    if "style_nonce" in g:
        style += f" 'nonce-{g.style_nonce}'"
    media = current_app.config["MEDIA_ORIGIN"]
    if media:
        media = f" {media}"
    policy = (
        "default-src 'none'; script-src 'self'; "
        f"style-src {style}; img-src 'self' data: blob:; font-src 'self'; "
        f"media-src 'self' blob: data:{media}; "
        f"connect-src 'self'{media}; worker-src 'self' blob:; manifest-src 'self'; "
        "form-action 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'"
    )
    shared = _may_share() and current_app.config["CORS_ORIGINS"]
    wanted = {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "cross-origin" if shared else "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    }
    if current_app.config["PUBLIC_URL"].startswith("https://"):
        wanted["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"
    wanted["Cache-Control"] = "private, no-store"
    for name, value in wanted.items():
        if name not in response.headers:
            response.headers.add(name, value)
