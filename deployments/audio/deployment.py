"""The Ray Serve deployment of the audio stage; the work is in `loader`."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

from ray import serve

from configs.settings import Settings
from deployments.audio.fetching.relay import Relay
from deployments.audio.loader import Loader
from deployments.autoscaling import Demand
from interchange.budget import each_within
from interchange.stages import LoadEvent, LoadOptions, RemoteFile, Source, UrlSource
from serve_app import replica


# A load waits for the network and for whoever takes its windows most of the time, so a
# replica takes several on one CPU. A profile overrides any of these.
@serve.deployment(
    ray_actor_options={"num_cpus": 1},
    max_ongoing_requests=8,
    max_queued_requests=64,
    health_check_period_s=10,
    health_check_timeout_s=30,
    graceful_shutdown_wait_loop_s=2,
    graceful_shutdown_timeout_s=60,
)
class AudioLoader:
    """Fetches, decodes and cuts recordings, and passes them on to who plays them."""

    def __init__(self, settings: Settings) -> None:
        replica.begin()
        self._loader = Loader(settings, stands_back=True)
        self._loader.check()
        self._decoders = settings.audio.decoders
        self._open = 0
        self._relay = Relay(settings)

    async def load(self, source: Source, options: LoadOptions) -> AsyncIterator[LoadEvent]:
        """Stream the events of one recording; call it by a handle with `stream=True`."""
        self._open += 1
        try:
            load = each_within(options.within_s, self._loader.load(source, options))
            async with aclosing(load) as events:
                async for event in events:
                    yield event
        finally:
            self._open -= 1

    async def record_autoscaling_stats(self) -> dict[str, float]:
        """For `deployments.autoscaling.by_seconds`, where a profile names it: how long a load takes
        is others' affair, so what counts is how many there are."""
        here = self._open
        return Demand(soon=here / self._decoders, in_time=0, steady=0, pieces=here).stats()

    async def relay(
        self, source: UrlSource, start: int, most: int
    ) -> AsyncIterator[RemoteFile | bytes]:
        """Stream a piece of a recording as its server has it; call it with `stream=True`."""
        async with aclosing(self._relay.relay(source, start, most)) as events:
            async for event in events:
                yield event

    async def check_health(self) -> None:
        """Raises when voice activity detection does not run or the disk cannot be written."""
        await asyncio.to_thread(self._loader.check)
