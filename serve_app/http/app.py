"""The HTTP app. It needs no Ray: what it stands on comes in as `Services`."""

from fastapi import FastAPI
from starlette.middleware import Middleware

from serve_app import __version__
from serve_app.http.around import docs, errors, examples, health
from serve_app.http.around.auth import AdminKeyAuth
from serve_app.http.around.body_limit import BodyLimit
from serve_app.http.around.request_id import RequestIds
from serve_app.http.around.trailing_slash import TrailingSlash
from serve_app.http.asr import routes as asr
from serve_app.http.jobs import routes as jobs
from serve_app.http.openai import routes as openai
from serve_app.http.page.middleware import Page
from serve_app.http.seed import routes as seed
from serve_app.http.services import Services

MAX_BODY_BYTES = 2**20
"""For every body that is not an upload."""

_UPLOAD_PATHS = openai.UPLOAD_PATHS | asr.UPLOAD_PATHS | {jobs.PATH}

_DESCRIPTION = """
Speech to text with speakers. Three dialects of one service: `POST /` is
insanely-fast-whisper-api's, `/v1/audio` is OpenAI's, `/asr` is whisper-asr-webservice's. Work that
outlives its request are tasks in the first, and `/v1/jobs`.
"""


def create_app(services: Services) -> FastAPI:
    """The app over these services; it keeps no state of its own."""
    middleware = [
        Middleware(TrailingSlash),
        Middleware(RequestIds),
        Middleware(errors.UnexpectedErrors),
        Middleware(Page),
        Middleware(BodyLimit, max_bytes=MAX_BODY_BYTES, uploads=_UPLOAD_PATHS),
    ]
    if (key := services.config.admin_key) is not None:
        middleware.insert(4, Middleware(AdminKeyAuth, key=key))
    app = FastAPI(
        title="Rayscribe",
        version=__version__,
        description=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        middleware=middleware,
        lifespan=lambda _: services.jobs.serving(),
    )
    app.state.services = services
    errors.install(app)
    docs.install(app)
    examples.install(app)
    for surface in (seed, openai, asr, jobs, health):
        app.include_router(surface.routes)
    return app
