"""Films: uploads, the catalogue, playback."""

from __future__ import annotations

from apiflask import APIFlask

from app.auth.belongings import register_belongings
from app.videos.api.catalogue import api as catalogue_api
from app.videos.api.films import api
from app.videos.api.legacy import api as legacy_api
from app.videos.api.shared import api as shared_api
from app.videos.api.viewing import api as viewing_api
from app.videos.belongings import Films, MyList, Uploads, Viewings
from app.videos.catalogue_cache import watch_writes
from app.videos.cli import videos
from app.videos.gauges import init_gauges
from app.videos.pages.catalogue import pages as catalogue_pages
from app.videos.pages.conversions import pages as admin_pages
from app.videos.pages.edit import pages as edit_pages
from app.videos.pages.films import pages
from app.videos.pages.overview import pages as overview_pages
from app.videos.pages.owner import pages as owner_pages
from app.videos.pages.remember import pages as remember_pages
from app.videos.pages.search import pages as search_pages
from app.videos.pages.shared import pages as shared_pages
from app.videos.search.index import keep_up
from app.videos.stream import stream
from app.videos.uploads import tus


def init_app(app: APIFlask) -> None:
    """Register the blueprints and the commands."""
    app.register_blueprint(api)
    app.register_blueprint(viewing_api)
    app.register_blueprint(catalogue_api)
    app.register_blueprint(shared_api)
    app.register_blueprint(legacy_api)
    tus.init_app(app)
    app.register_blueprint(pages)
    app.register_blueprint(catalogue_pages)
    app.register_blueprint(search_pages)
    app.register_blueprint(remember_pages)
    app.register_blueprint(owner_pages)
    app.register_blueprint(edit_pages)
    app.register_blueprint(admin_pages)
    app.register_blueprint(overview_pages)
    app.register_blueprint(shared_pages)
    app.register_blueprint(stream)
    app.cli.add_command(videos)
    init_gauges(app)
    watch_writes()
    keep_up()
    register_belongings(app, "videos", Films())
    register_belongings(app, "uploads", Uploads())
    register_belongings(app, "viewings", Viewings())
    register_belongings(app, "my_list", MyList())
