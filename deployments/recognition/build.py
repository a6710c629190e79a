"""From settings to an engine that recognizes."""

import logging

import torch

from configs.settings import RecognitionSettings
from deployments.graphs import Graphs
from deployments.models.resolve import resolve
from deployments.recognition.captured.batch import CapturedBatch
from deployments.recognition.captured.decoder import Operations
from deployments.recognition.captured.events import stream
from deployments.recognition.captured.lanes import CapturedLanes
from deployments.recognition.device import DevicePolicy
from deployments.recognition.engine.base import Engine
from deployments.recognition.engine.cpu_batch import CpuBatch
from deployments.recognition.engine.cpu_lanes import CpuLanes
from deployments.recognition.engine.whisper import WhisperEngine
from deployments.recognition.fair_queue import FairQueue
from deployments.recognition.model.whisper import WhisperModel
from interchange.errors import ServerError

log = logging.getLogger("ray.serve")


def whisper_engine(
    settings: RecognitionSettings, queue: FairQueue, token: str | None = None
) -> Engine:
    """An engine that is ready to be started and takes the windows of `queue`.

    `token` opens gated models of the hub. Raises what `resolve` and `DevicePolicy` raise, and
    ServerError for a vocabulary that cannot be read or is too long.
    """
    policy = DevicePolicy.choose(settings)
    if policy.device.type == "cpu":
        torch.set_num_threads(1)  # of the caller: the engine's own threads take theirs
    log.info("Recognition runs on %s.", policy.reason)
    folder = resolve(settings.model, settings.revision, token)
    do = operations(policy)
    model = WhisperModel.load(folder, policy, do.add_norm)
    model.text = model.text.with_terms(terms(settings))
    return engine_of(
        model,
        queue,
        do,
        slots=settings.slots,
        silent_suffix=settings.silent_suffix,
    )


def terms(settings: RecognitionSettings) -> tuple[str, ...]:
    """The names and terms of the service, each once: those of the list, then those of the file.

    Raises ServerError where the file cannot be read.
    """
    listed = list(settings.vocabulary)
    if settings.vocabulary_file is not None:
        try:
            lines = settings.vocabulary_file.expanduser().read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ServerError(
                f"The vocabulary {settings.vocabulary_file} cannot be read: {error}."
            ) from error
        listed += [line for line in lines if not line.startswith("#")]
    return tuple(dict.fromkeys(term.strip() for term in listed if term.strip()))


def engine_of(
    model: WhisperModel,
    queue: FairQueue,
    do: Operations,
    *,
    slots: int,
    silent_suffix: bool = True,
) -> Engine:
    """An engine that decodes in the way of the model's policy; `do` is what `operations` gives."""
    policy = model.policy
    if policy.way == "ragged":
        lanes = CpuLanes(
            model,
            silent_suffix=silent_suffix,
            threads=policy.threads,
            integers=policy.dtype == torch.int16,
        )
        batch = CpuBatch(model, slots, apart=lanes.concurrent)
        return WhisperEngine(model.text, batch, lanes, queue)
    with torch.inference_mode():
        captured = CapturedBatch(model, slots, do, Graphs(enabled=policy.graphs))
        ahead = CapturedLanes(model, silent_suffix=silent_suffix, graphs=policy.graphs)
    # A step's kernels are short: they go first wherever one of the encoder's ends.
    steps = stream(policy.device, first=True)
    if steps is not None:
        torch.cuda.synchronize()  # what is laid out here is used on other streams
        steps = torch.cuda.stream(steps)
    return WhisperEngine(model.text, captured, ahead, queue, device=steps)


def operations(policy: DevicePolicy) -> Operations:
    """Compiled kernels, or torch's own operations where these cannot be compiled."""
    from deployments.recognition.captured import plain  # noqa: PLC0415

    if not policy.kernels:
        return plain
    try:
        # Their compiler is loaded only where it is used.
        from deployments.recognition.captured import kernels  # noqa: PLC0415

        kernels.check(policy.device)
    except Exception as error:  # noqa: BLE001 - whatever a compiler says
        log.warning(
            "Triton cannot compile here, and steps are several times slower without it. It needs "
            "a C compiler (the variable CC, or gcc on the PATH). It says: %s",
            error,
        )
        return plain
    return kernels
