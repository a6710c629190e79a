"""The jobs of whoever sent the request."""

from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from serve_app.http.gate.auth import caller
from serve_app.http.services import Given
from serve_app.jobs.frontend import ClientJobs


def _client_jobs(services: Given, connection: HTTPConnection) -> ClientJobs:
    who = caller(connection.scope)
    return services.jobs.of(who.name, everybody=who.may("admin"))


TheirJobs = Annotated[ClientJobs, Depends(_client_jobs)]
"""The jobs that this request's key may see, as a parameter of a route."""
