"""`/api/uploads/`: films that come in pieces, by tus 1.0.0, and a list of them as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from apiflask import APIBlueprint
from flask import Flask, Response, current_app, jsonify, request, url_for
from pydantic import ValidationError

from app.auth.identity import require_user, require_verified, signed_in
from app.auth.models import User
from app.database import db, writing
from app.errors import DomainError, Forbidden, InvalidInput, Unavailable
from app.json_body import field_errors, json_body
from app.openapi import describes
from app.videos import policy
from app.videos.models import Upload, Video
from app.videos.presentation import absolute, describe_upload
from app.videos.schemas import UploadChange, UploadOut, VideoDetails
from app.videos.uploads import resumable, tus_headers, writer
from app.videos.uploads.form import title_from
from app.videos.uploads.intake import Interrupted, Readable, end_silence, stop_reading
from app.videos.uploads.leases import Locked
from app.videos.uploads.tus_headers import progress_headers, read_number

api = APIBlueprint("uploads_api", __name__, url_prefix="/api/uploads", tag="Resumable uploads")

_SPOKEN = {"Tus-Resumable": "1.0.0"}
_CHECKED = {"Upload-Checksum?": "sha1, sha256 or md5, a space, the digest of the body in base64."}
_TEXT = {"schema": {"type": "string"}}
_PROGRESS = {"Upload-Offset": _TEXT, "Upload-Expires": _TEXT}
_LOCATION = {"Location": _TEXT}
_VIDEO = {"Video-Location": _TEXT}

_TRUE = {"", "1", "true", "yes"}
_ROOT = "/api/uploads/"
_METHODS = {"OPTIONS", "HEAD", "GET", "POST", "PATCH", "DELETE"}


def init_app(app: Flask) -> None:
    """Register the routes, for clients too that have only GET and POST to say what they mean."""
    app.register_blueprint(api)
    app.wsgi_app = _MethodOverride(app.wsgi_app)  # type: ignore[method-assign]


@api.after_request
def _tell_version(response: Response) -> Response:
    response.headers["Tus-Resumable"] = tus_headers.VERSION
    if request.method == "HEAD":  # which the connection may know as a POST, and wait for the body
        response.set_data(b"")
    return response


@api.route("/", methods=["OPTIONS"], provide_automatic_options=False)
@api.route("/<name>/", methods=["OPTIONS"], provide_automatic_options=False)
@api.doc(hide=True)
def tell_abilities(name: str = "") -> Response:
    """Tell what of tus is spoken here."""
    return Response(
        status=204,
        headers={
            "Tus-Version": tus_headers.VERSION,
            "Tus-Extension": tus_headers.EXTENSIONS,
            "Tus-Max-Size": str(current_app.config["MAX_UPLOAD_BYTES"]),
            "Tus-Checksum-Algorithm": ",".join(tus_headers.ALGORITHMS),
        },
    )


@api.get("/")
@api.output(list[UploadOut])  # type: ignore[arg-type]
def list_uploads() -> Response:
    """List one's own uploads, unfinished ones and those finished lately, newest first."""
    user = require_user()
    return jsonify(
        [describe_upload(one, resumable.offset_of(one)) for one in resumable.listed(user.id)]
    )


@api.post("/")
@api.doc(summary="Begin an upload (tus)", responses=[409, 411, 412, 413, 415, 423, 460, 507])
@describes(
    headers={
        **_SPOKEN,
        "Upload-Length": "Bytes of the film.",
        "Upload-Metadata?": "Pairs `name base64`, with commas between them: filename, title, "
        "description, category.",
        **_CHECKED,
    },
    answers={201: {"description": "It can begin.", "headers": {**_PROGRESS, **_LOCATION}}},
)
def create() -> Response:
    """Begin an upload with the headers Upload-Length and Upload-Metadata; the body may be its
    first bytes.
    """
    user = require_verified()
    tus_headers.require_version(request.headers.get("Tus-Resumable"))
    body = _body() if request.mimetype == tus_headers.CHUNK_TYPE else None
    upload = _create(user)
    db.session.commit()
    name, owner_id = upload.name, upload.owner_id
    location = url_for("uploads_api.ask", name=name)
    try:
        if body is not None and body.length != 0:
            writer.append(upload, 0, body)
    except DomainError:
        _forget(name, owner_id)  # nobody has learnt of it
        raise
    upload = resumable.find(name, owner_id)
    return Response(status=201, headers={"Location": location, **_progress(upload)})


@api.route("/<name>/", methods=["HEAD"])
@api.doc(hide=True)
def ask(name: str) -> Response:
    """Tell how far an upload is."""
    user = require_verified()
    tus_headers.require_version(request.headers.get("Tus-Resumable"))
    upload = resumable.find(name, user.id)
    if upload.finished_at is None and resumable.is_whole(upload):
        with writing():
            writer.settle(upload)
    headers = {
        "Upload-Length": str(upload.length),
        "Cache-Control": "no-store",
    }
    if upload.said:
        headers["Upload-Metadata"] = upload.said
    return Response(headers={**headers, **_progress(upload)})


@api.patch("/<name>/")
@api.doc(
    summary="Send the next bytes (tus)",
    responses=[409, 410, 411, 412, 413, 415, 423, 460, 507],
)
@describes(
    body={tus_headers.CHUNK_TYPE: {"type": "string", "format": "binary"}},
    headers={**_SPOKEN, "Upload-Offset": "The byte at which the body begins.", **_CHECKED},
    answers={204: {"description": "They are here.", "headers": {**_PROGRESS, **_VIDEO}}},
)
def send(name: str) -> Response:
    """Append the body at the header Upload-Offset; the answer to the last byte has the film's
    address as Video-Location.
    """
    user = require_verified()
    tus_headers.require_version(request.headers.get("Tus-Resumable"))
    upload = resumable.find(name, user.id)
    owner_id = user.id
    if request.mimetype != tus_headers.CHUNK_TYPE:
        raise DomainError(
            f"Send the bytes as {tus_headers.CHUNK_TYPE}.",
            code="unsupported_media_type",
            status=415,
        )
    offset = read_number("Upload-Offset", request.headers.get("Upload-Offset"))
    try:
        writer.append(upload, offset, _body())
    except (Locked, Unavailable):
        stop_reading(request.environ)
        raise
    return Response(status=204, headers=_progress(resumable.find(name, owner_id)))


@api.delete("/<name>/")
@api.doc(summary="End an upload (tus)", responses=[410, 412])
@describes(headers=_SPOKEN, answers={204: {"description": "It is forgotten."}})
def end(name: str) -> Response:
    """Forget an upload with all that came of it; a film that it has become stays."""
    user = require_verified()
    tus_headers.require_version(request.headers.get("Tus-Resumable"))
    resumable.remove(resumable.find(name, user.id))
    db.session.commit()
    return Response(status=204)


@api.post("/<name>/details/")
@signed_in
@api.output(UploadOut)
@json_body(api, UploadChange)
@api.doc(responses=[410])
def change_details(name: str, body: UploadChange) -> dict[str, Any]:
    """Change title, description or category, while it comes in or afterwards."""
    upload = resumable.find(name, require_verified().id)
    resumable.change(upload, body)
    db.session.commit()
    return describe_upload(upload, resumable.offset_of(upload))


def _create(user: User) -> Upload:
    length = read_number("Upload-Length", request.headers.get("Upload-Length"))
    given = request.headers.get("Upload-Metadata", "")
    metadata = tus_headers.read_metadata(given)
    filename = tus_headers.read_filename(metadata)
    is_global = "global" in metadata and metadata["global"].strip().lower() in _TRUE
    if is_global and not policy.may_fill_catalogue(user):
        raise Forbidden("Only curators add films to the catalogue.")
    said = {str(key): metadata.get(key, "") for key in ("title", "description", "category")}
    said["title"] = said["title"].strip() or title_from(filename)
    try:
        details = VideoDetails.model_validate(said)
    except ValidationError as error:
        raise InvalidInput(field_errors(error)) from None
    upload = resumable.create(user, length, filename, details, is_global=is_global)
    upload.said = given
    return upload


def _forget(name: str, owner_id: int) -> None:
    db.session.rollback()
    try:
        resumable.remove(resumable.find(name, owner_id))
        db.session.commit()
    except DomainError:
        db.session.rollback()


def _progress(upload: Upload) -> dict[str, str]:
    headers = progress_headers(upload, resumable.offset_of(upload))
    if upload.video_id is not None:
        video = db.session.get_one(Video, upload.video_id)
        endpoint = "videos_api.get_global" if video.is_global else "videos_api.get_owned"
        headers["Video-Location"] = absolute(url_for(endpoint, video_id=video.id))
    return headers


def _body() -> writer.Body:
    """The request's body, to be read once. Raises DomainError `length_required`, `bad_checksum`."""
    checksum = tus_headers.read_checksum(request.headers.get("Upload-Checksum"))
    chunked = "chunked" in request.headers.get("Transfer-Encoding", "").lower()
    length = request.content_length
    if length is None and chunked and not request.environ.get("wsgi.input_terminated"):
        raise DomainError("Send a Content-Length.", code="length_required", status=411)
    if length is None and not chunked:
        length = 0
    request.max_content_length = current_app.config["MAX_UPLOAD_BYTES"]  # None is the site's own
    end_silence(request.environ)
    return writer.Body(_Stream(request.stream), length, checksum)


class _Stream:
    """A body that says when it broke off, whatever server it comes from."""

    def __init__(self, stream: Readable) -> None:
        self._stream = stream

    def read(self, size: int, /) -> bytes:
        """At most so many bytes. Raises Interrupted."""
        try:
            return self._stream.read(size)
        except Exception as error:  # werkzeug, gunicorn and sockets have each their own
            raise Interrupted from error


class _MethodOverride:
    """Takes the method of a request to /api/uploads/ from its header X-HTTP-Method-Override."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Pass the request on."""
        wanted = environ.get("HTTP_X_HTTP_METHOD_OVERRIDE", "").upper()
        if wanted in _METHODS and environ.get("PATH_INFO", "").startswith(_ROOT):
            environ["REQUEST_METHOD"] = wanted
        answer: Iterable[bytes] = self._inner(environ, start_response)
        return answer
