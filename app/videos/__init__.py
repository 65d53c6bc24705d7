"""Films: uploads, the catalogue, playback."""

from __future__ import annotations

from apiflask import APIFlask

from app.auth.belongings import register_belongings
from app.videos import tus
from app.videos.admin_pages import pages as admin_pages
from app.videos.api import api
from app.videos.belongings import Films, Uploads
from app.videos.cli import videos
from app.videos.legacy import api as legacy_api
from app.videos.owner_pages import pages as owner_pages
from app.videos.pages import pages
from app.videos.stream import stream


def init_app(app: APIFlask) -> None:
    """Register the blueprints and the commands."""
    app.register_blueprint(api)
    app.register_blueprint(legacy_api)
    tus.init_app(app)
    app.register_blueprint(pages)
    app.register_blueprint(owner_pages)
    app.register_blueprint(admin_pages)
    app.register_blueprint(stream)
    app.cli.add_command(videos)
    register_belongings(app, "videos", Films())
    register_belongings(app, "uploads", Uploads())
