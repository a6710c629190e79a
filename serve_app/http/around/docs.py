"""The page at /docs, from files of this machine: a service without internet has docs too."""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

_ASSETS = "/docs/assets"

_SCHEMES = {
    "Bearer": {"type": "http", "scheme": "bearer"},
    "AdminKey": {"type": "apiKey", "in": "header", "name": "x-admin-api-key"},
}
"""Where a key may stand; one of them is enough."""


def install(app: FastAPI, open_paths: frozenset[str]) -> None:
    """Serve Swagger UI at /docs. The app must have been made with `docs_url=None`.

    `open_paths` are those that GET needs no key for.
    """
    app.mount(_ASSETS, StaticFiles(packages=[("fastapi_offline", "static")]), name="docs-assets")
    describe = app.openapi

    def with_keys() -> dict[str, Any]:
        return app.openapi_schema or _with_keys(describe(), open_paths)

    app.openapi = with_keys  # type: ignore[method-assign]

    @app.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> HTMLResponse:
        root = request.scope.get("root_path", "").rstrip("/")
        return get_swagger_ui_html(
            openapi_url=f"{root}{app.openapi_url}",
            title=app.title,
            swagger_js_url=f"{root}{_ASSETS}/swagger-ui-bundle.js",
            swagger_css_url=f"{root}{_ASSETS}/swagger-ui.css",
            swagger_favicon_url=f"{root}{_ASSETS}/favicon.png",
        )


def _with_keys(document: dict[str, Any], open_paths: frozenset[str]) -> dict[str, Any]:
    """The document with the keys: its page gets an Authorize button by them."""
    document["components"]["securitySchemes"] = _SCHEMES
    document["security"] = [{name: []} for name in _SCHEMES]
    for path, operations in document["paths"].items():
        if path in open_paths and "get" in operations:
            operations["get"]["security"] = []
    return document
