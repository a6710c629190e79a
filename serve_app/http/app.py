"""The HTTP app. It needs no Ray: what it stands on comes in as `Services`."""

from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware

from serve_app import __version__
from serve_app.http.around import docs, errors, examples, health
from serve_app.http.around.measured import Measured
from serve_app.http.around.request_id import RequestIds
from serve_app.http.around.trailing_slash import TrailingSlash
from serve_app.http.asr import routes as asr
from serve_app.http.gate.auth import OPEN_PATHS, Auth
from serve_app.http.gate.bounds import Bounds
from serve_app.http.gate.crossing import Crossing
from serve_app.http.gate.headers import SecurityHeaders
from serve_app.http.gate.keyring import KeyRing
from serve_app.http.gate.places import Places
from serve_app.http.intake.form_reader import FIELD_BYTES
from serve_app.http.jobs import routes as jobs
from serve_app.http.openai import routes as openai
from serve_app.http.openai.realtime import routes as realtime
from serve_app.http.page.middleware import Page
from serve_app.http.seed import routes as seed
from serve_app.http.services import Services
from serve_app.http.speakers import routes as speakers

MAX_BODY_BYTES = 2**20
"""For every body that is not an upload."""

_UPLOAD_PATHS = openai.UPLOAD_PATHS | asr.UPLOAD_PATHS | speakers.UPLOAD_PATHS | {jobs.PATH}

_DESCRIPTION = """
Speech to text with speakers. Three dialects of one service: `POST /` is
insanely-fast-whisper-api's, `/v1/audio` is OpenAI's, `/asr` is whisper-asr-webservice's. Work that
outlives its request are tasks in the first, and `/v1/jobs`. People are known by their voices in
`/v1/speakers`.
"""


def create_app(services: Services) -> FastAPI:
    """The app over these services. Raises KeysUnreadable."""
    config = services.config
    keys = KeyRing(config.admin_key, config.keys_file)
    middleware = [
        Middleware(TrailingSlash),
        Middleware(RequestIds),
        Middleware(Crossing),
        Middleware(Measured),
        Middleware(SecurityHeaders, shared=bool(config.cors_origins)),
        Middleware(errors.UnexpectedErrors),
        *_cors(config.cors_origins),
        Middleware(Page),
        Middleware(Auth, keys=keys),
        Middleware(Places, limit=config.max_requests, seconds=config.max_request_s),
        Middleware(
            Bounds,
            max_bytes=MAX_BODY_BYTES,
            max_json_bytes=FIELD_BYTES,
            uploads=_UPLOAD_PATHS,
            min_rate=config.min_upload_bytes_s,
        ),
    ]
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
    docs.install(app, OPEN_PATHS)
    examples.install(app)
    for surface in (seed, openai, realtime, asr, jobs, speakers, health):
        app.include_router(surface.routes)
    return app


def _cors(origins: tuple[str, ...]) -> list[Middleware]:
    """Pages of these origins may use the service from a browser; where none is named, no other."""
    if not origins:
        return []
    return [
        Middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=["GET", "POST", "PATCH", "DELETE"],
            allow_headers=[
                "authorization",
                "x-admin-api-key",
                "content-type",
                "idempotency-key",
                "last-event-id",
                "x-request-id",
            ],
            expose_headers=["location", "retry-after", "x-request-id"],
            max_age=3600,
        )
    ]
