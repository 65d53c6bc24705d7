"""Domain errors, and the one place that turns any error into a page or `application/problem+json`.

Services raise a `DomainError`; it carries a stable code (docs/errors.md lists them), a sentence and
a hint. Requests below `/api/` and `/stream/` are answered with problem+json (RFC 9457), all others
with a page.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from apiflask.exceptions import HTTPError
from flask import Flask, Response, render_template, request
from flask_wtf.csrf import CSRFError
from redis.exceptions import RedisError
from sqlalchemy.exc import OperationalError
from werkzeug.exceptions import HTTPException

log = logging.getLogger(__name__)

FieldErrors = Mapping[str, Sequence[str]]


class DomainError(Exception):
    """Something a person asked for cannot be done; `detail` says why and what to do.

    Subclasses or callers set the stable `code` and the HTTP `status`.
    """

    status = 400
    code = "bad_request"

    def __init__(
        self,
        detail: str,
        *,
        code: str | None = None,
        status: int | None = None,
        errors: FieldErrors | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code or self.code
        self.status = status or self.status
        self.errors = {name: list(texts) for name, texts in (errors or {}).items()}
        self.headers = dict(headers or {})


class InvalidInput(DomainError):
    """Fields of the request are wrong; `errors` names them."""

    code = "invalid_input"

    def __init__(
        self, errors: FieldErrors, detail: str = "Please check the marked fields."
    ) -> None:
        super().__init__(detail, errors=errors)


class NotSignedIn(DomainError):
    """The request carries no valid identity."""

    status = 401
    code = "not_signed_in"

    def __init__(self, detail: str = "Sign in to go on.") -> None:
        super().__init__(detail)


class Forbidden(DomainError):
    """The identity is known but may not do this."""

    status = 403
    code = "forbidden"


class NotFound(DomainError):
    """There is no such thing, or the caller may not know of it."""

    status = 404
    code = "not_found"

    def __init__(self, detail: str = "There is nothing here.") -> None:
        super().__init__(detail)


class Conflict(DomainError):
    """The thing is in a state that does not allow this."""

    status = 409
    code = "conflict"


class Unavailable(DomainError):
    """A part is away for the moment; trying again helps."""

    status = 503
    code = "unavailable"

    def __init__(self, detail: str, retry_after: int = 5, code: str | None = None) -> None:
        super().__init__(detail, code=code, headers={"Retry-After": str(retry_after)})


_CODES = {
    400: "bad_request",
    401: "not_signed_in",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    408: "timeout",
    409: "conflict",
    411: "length_required",
    413: "too_large",
    414: "address_too_long",
    415: "unsupported_media_type",
    416: "range_not_satisfiable",
    422: "invalid_input",
    429: "too_many_requests",
    431: "headers_too_large",
    503: "unavailable",
}

_SENTENCES = {
    400: "We could not understand this request.",
    404: "There is nothing here.",
    405: "This address does not take that method.",
    413: "This is larger than we accept.",
    500: "Something went wrong on our side. It has been noted; please try again.",
    503: "A part of the service is away for a moment. Please try again.",
}


def _phrase(status: int) -> str:
    return "Checksum Mismatch" if status == 460 else HTTPStatus(status).phrase  # tus has its own


def wants_json() -> bool:
    """Whether this request's errors are problem+json rather than a page."""
    return request.path.startswith(("/api/", "/stream/", "/healthz", "/readyz", "/metrics"))


def problem(
    status: int,
    code: str,
    detail: str,
    errors: FieldErrors | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """An answer of type application/problem+json."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": _phrase(status),
        "status": status,
        "detail": detail,
        "code": code,
        "errors": errors or {},
    }
    return Response(
        json.dumps(body), status, dict(headers or {}), content_type="application/problem+json"
    )


def error_response(
    status: int,
    code: str,
    detail: str,
    errors: FieldErrors | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The error in the form this request wants."""
    if wants_json():
        return problem(status, code, detail, errors, headers)
    title = HTTPStatus(status).phrase
    page = render_template("error.html", status=status, title=title, detail=detail, code=code)
    return Response(page, status, dict(headers or {}), content_type="text/html; charset=utf-8")


def init_errors(app: Flask) -> None:
    """Register the handlers."""

    @app.errorhandler(DomainError)
    def _domain(error: DomainError) -> Response:
        return error_response(error.status, error.code, error.detail, error.errors, error.headers)

    @app.errorhandler(HTTPError)
    def _schema(error: HTTPError) -> Response:
        if error.status_code == app.config["VALIDATION_ERROR_STATUS_CODE"] and error.detail:
            invalid = InvalidInput(_field_errors(error.detail))
            return _domain(invalid)
        code = _CODES.get(error.status_code, "error")
        headers = {str(k): str(v) for k, v in dict(error.headers or {}).items()}
        return error_response(error.status_code, code, error.message or "", headers=headers)

    @app.errorhandler(CSRFError)
    def _csrf(_error: CSRFError) -> Response:
        return error_response(
            400, "form_expired", "This form is too old. Go back, reload the page and send it again."
        )

    @app.errorhandler(HTTPException)
    def _http(error: HTTPException) -> Response:
        if error.response is not None:  # a redirect raised on purpose
            return error.get_response()  # type: ignore[return-value]
        status = error.code or 500
        if 300 <= status < 400:
            return error.get_response()  # type: ignore[return-value]
        kept = {"allow", "retry-after", "content-range", "www-authenticate"}
        headers = {k: v for k, v in error.get_headers() if k.lower() in kept}
        detail = _SENTENCES.get(status, HTTPStatus(status).phrase + ".")
        return error_response(status, _CODES.get(status, "error"), detail, headers=headers)

    @app.errorhandler(OperationalError)
    @app.errorhandler(RedisError)
    def _part_away(error: Exception) -> Response:
        log.error("a part is away", exc_info=error)
        return error_response(503, "unavailable", _SENTENCES[503], headers={"Retry-After": "5"})

    @app.errorhandler(Exception)
    def _unexpected(error: Exception) -> Response:
        log.error("unexpected error", exc_info=error)
        return error_response(500, "internal_error", _SENTENCES[500])


def _field_errors(detail: Any) -> dict[str, list[str]]:
    """Flatten APIFlask's {location: {field: [text]}} into {field: [text]}."""
    flat: dict[str, list[str]] = {}
    for fields in detail.values():
        if isinstance(fields, Mapping):
            for name, texts in fields.items():
                flat.setdefault(str(name), []).extend(
                    str(text) for text in (texts if isinstance(texts, list) else [texts])
                )
    return flat
