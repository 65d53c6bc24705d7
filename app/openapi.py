"""The API's description, completed: what no schema of a body or an answer says by itself.

Errors, who may ask, headers, bodies that are read as streams. What holds for many operations is
derived here; what only one has, its view says with `describes`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from apiflask import APIFlask
from pydantic import BaseModel

from app.routing import LARGEST_ID

View = TypeVar("View", bound=Callable[..., Any])
Described = dict[str, Any]

PROBLEM = "application/problem+json"

CODES: Mapping[int, str] = {
    400: "bad_request, invalid_input, foreign_host; of links link_invalid, link_expired; of tokens "
    "no_refresh_token; of uploads interrupted, bad_checksum",
    401: "not_signed_in, wrong_credentials",
    403: "forbidden, not_verified, role_needed, scope_needed, session_needed, cross_origin",
    404: "not_found",
    409: "conflict, not_playable, not_converting, not_stopped, not_ready, converting_again, "
    "original_gone, too_many_subtitles, too_many_tokens, too_many_uploads, wrong_offset, "
    "last_admin",
    410: "upload_expired",
    411: "length_required",
    412: "tus_version",
    413: "too_large, too_long",
    415: "unsupported_media_type, not_a_video, not_an_image",
    416: "range_not_satisfiable",
    423: "upload_busy",
    429: "too_many_requests",
    460: "checksum_mismatch",
    500: "internal_error",
    503: "unavailable, busy, pending, storage_away",
    507: "no_room, quota",
}
"""Which codes of docs/errors.md come with a status."""

_OPEN = {"auth_api", "shared_api"}
"""Blueprints that ask for no account."""

_UNSAFE = {"post", "put", "patch", "delete"}
_METHODS = ("get", *sorted(_UNSAFE))
_SAID = "_videoflix_described"

_ABOUT = (
    "Everything the pages do, for programs. `docs/api.md` is a short guide. Lists are bare arrays; "
    "the next page stands in `Link`. Errors are `application/problem+json` with a stable `code`."
)


def describes(
    *,
    body: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
    answers: Mapping[int, Mapping[str, Any]] | None = None,
) -> Callable[[View], View]:
    """Say of a view what it takes and gives: media types with schemas, request headers, answers.

    A schema is a model or the schema itself. `headers` are the request's, each with a sentence; a
    name that ends in `?` may be left out.
    """

    def decorate(view: View) -> View:
        setattr(view, _SAID, {"body": body, "headers": headers or {}, "answers": answers or {}})
        return view

    return decorate


def init_openapi(app: APIFlask) -> None:
    """Let the description be completed whenever it is made."""
    app.config["AUTO_OPERATION_ID"] = True
    app.config["AUTO_VALIDATION_ERROR_RESPONSE"] = False
    app.config["AUTO_404_RESPONSE"] = False
    app.config["SECURITY_SCHEMES"] = {
        "bearer": {"type": "http", "scheme": "bearer", "description": "An API token."},
        "access": {"type": "apiKey", "in": "cookie", "name": "access_token"},
        "page": {"type": "apiKey", "in": "cookie", "name": app.config["SESSION_COOKIE_NAME"]},
    }
    app.description = _ABOUT
    app.servers = [{"url": app.config["PUBLIC_URL"]}]

    @app.spec_processor
    def _complete(spec: dict[Any, Any] | str) -> dict[Any, Any] | str:
        if isinstance(spec, dict):  # it is no YAML here
            complete(app, spec)
        return spec


def complete(app: APIFlask, spec: Described) -> None:
    """Add to each operation what its route, its method and its view tell."""
    spec["tags"] = list({tag["name"]: tag for tag in spec.get("tags", [])}.values())
    components = spec.setdefault("components", {})
    components.setdefault("schemas", {})["ProblemDetails"] = _PROBLEM_SCHEMA
    components["responses"] = {f"Error{status}": _error(status) for status in CODES}
    for rule in app.url_map.iter_rules():
        path = re.sub(r"<(?:[^<>:]+:)?([^<>]+)>", r"{\1}", rule.rule)
        item = spec["paths"].get(path, {})
        for method in _METHODS:
            if method in item and method.upper() in (rule.methods or ()):
                view = app.view_functions[rule.endpoint]
                is_open = rule.endpoint.split(".")[0] in _OPEN
                said = getattr(view, _SAID, None)
                _complete_operation(item[method], method, said, is_open, components["schemas"])
        for parameter in item.get("parameters", []):
            _bound(parameter)


def _complete_operation(
    operation: Described,
    method: str,
    said: Described | None,
    is_open: bool,
    schemas: Described,
) -> None:
    operation["security"] = [] if is_open else [{"bearer": []}, {"access": []}, {"page": []}]
    parameters = operation.setdefault("parameters", [])
    answers = operation["responses"]
    if said is not None:
        if said["body"] is not None:
            content = {
                kind: {"schema": _schema(found, schemas)} for kind, found in said["body"].items()
            }
            operation["requestBody"] = {"required": True, "content": content}
        parameters += [
            {
                "in": "header",
                "name": name.rstrip("?"),
                "required": not name.endswith("?"),
                "description": text,
                "schema": {"type": "string"},
            }
            for name, text in said["headers"].items()
        ]
        for status, answer in said["answers"].items():
            answers[str(status)] = {"description": "Done.", **answer}
    for parameter in parameters:
        _bound(parameter)
        if told := _TOLD.get(parameter["name"]):
            answers["200"].setdefault("headers", {}).update(told)
    if method == "get" and "application/json" in answers.get("200", {}).get("content", {}):
        answers["200"].setdefault("headers", {})["ETag"] = _ETAG
        answers["304"] = {"description": "It is what `If-None-Match` names."}
    for status in {*_errors(operation, method, is_open), *map(int, answers)}:
        if status >= 400:
            answers[str(status)] = {"$ref": f"#/components/responses/Error{status}"}


def _schema(found: type[BaseModel] | Described, schemas: Described) -> Described:
    """The schema of a body; a model becomes a component."""
    if isinstance(found, dict):
        return found
    schemas[found.__name__] = found.model_json_schema()
    return {"$ref": f"#/components/schemas/{found.__name__}"}


def _errors(operation: Described, method: str, is_open: bool) -> set[int]:
    """What can go wrong with any operation of its kind."""
    found = {400, 429, 500, 503}
    if method in _UNSAFE:
        found.add(403)
    if not is_open:
        found.add(401)
    if "requestBody" in operation:
        found |= {413, 415}
    if any(parameter["in"] == "path" for parameter in operation["parameters"]):
        found.add(404)
    return found


def _bound(parameter: Described) -> None:
    """Ids in a path are positive and fit a column."""
    schema = parameter.get("schema", {})
    if parameter.get("in") == "path" and schema.get("type") == "integer":
        schema.update(minimum=0, maximum=LARGEST_ID)


def _error(status: int) -> Described:
    answer: Described = {
        "description": f"A problem; `code` is one of: {CODES[status]}.",
        "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}},
    }
    if status in {429, 503}:
        answer["headers"] = {
            "Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}
        }
    return answer


_TOLD: Described = {
    "before": {
        "Link": {
            "description": 'Where the list goes on: `<ADDRESS>; rel="next"`; missing at its end.',
            "schema": {"type": "string"},
        }
    },
    "q": {
        "Search-Instead": {
            "description": "What was searched for instead of a typo, percent-encoded.",
            "schema": {"type": "string"},
        }
    },
}
"""The headers of an answer, by the parameter of the request that they belong to."""

_ETAG: Described = {
    "description": "For `If-None-Match` of the next request.",
    "schema": {"type": "string"},
}

_PROBLEM_SCHEMA: Described = {
    "type": "object",
    "description": "Why a request was not fulfilled (RFC 9457).",
    "required": ["type", "title", "status", "detail", "code", "errors"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "A sentence for people."},
        "code": {"type": "string", "description": "Stable; see docs/errors.md."},
        "errors": {
            "type": "object",
            "description": "Sentences by the field that is wrong.",
            "additionalProperties": {"type": "array", "items": {"type": "string"}},
        },
    },
    "examples": [
        {
            "type": "about:blank",
            "title": "Bad Request",
            "status": 400,
            "detail": "Please check the marked fields.",
            "code": "invalid_input",
            "errors": {"title": ["Use at most 200 characters."]},
        }
    ],
}
