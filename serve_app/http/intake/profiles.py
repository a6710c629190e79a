"""The voice profiles of whoever sent the request."""

from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from interchange.errors import Forbidden, InvalidOption
from serve_app.http.gate.auth import caller
from serve_app.http.services import Given, Services
from serve_app.jobs.store.profiles import ProfileStore
from serve_app.profiles import OFF


def _client_profiles(services: Given, connection: HTTPConnection) -> ProfileStore:
    if services.profiles is None:
        raise Forbidden(OFF)
    who = caller(connection.scope)
    return services.profiles.seen_by(who.name, everybody=who.may("admin"))


TheirProfiles = Annotated[ProfileStore, Depends(_client_profiles)]
"""The profiles that this request's key may see, as a parameter of a route. Raises Forbidden where
profiles are turned off."""


def whose_profiles(services: Services, connection: HTTPConnection, *, wanted: bool) -> str | None:
    """The name of the key whose profiles are looked for; None where they are not `wanted`. Raises
    InvalidOption where they are turned off."""
    if not wanted:
        return None
    if services.profiles is None:
        raise InvalidOption(OFF, "identify")
    return caller(connection.scope).name
