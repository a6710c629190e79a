"""The one typed tree of settings.

A profile's `args` fill it, `RAYSCRIBE_*` environment variables override it (two underscores
go down a level: `RAYSCRIBE_RECOGNITION__MODEL`), and an unknown key or variable is refused.
How many replicas, CPUs and GPUs a deployment gets is Serve's own part of a profile, not this.
Secrets are apart, in `configs/secrets.py`: they come from the environment of the replica that
needs them and from nowhere else.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PositiveFloat,
    PositiveInt,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from configs.networks import Network, networks
from configs.secrets import secret_variables

PREFIX = "RAYSCRIBE_"

OTHER_VARIABLES = {
    "RAYSCRIBE_CACHE": "Folder of the weights that were fetched and converted once; "
    "~/.cache/rayscribe/models where it is not set.",
    "RAYSCRIBE_SERVER": "For the command line: where the service is.",
    "RAYSCRIBE_API_KEY": "For the command line: a key of the service.",
}
"""Variables with the prefix that are read elsewhere, and what they are for."""


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def usable_cores() -> int:
    """Cores this process may run on. Ray's `num_cpus` is bookkeeping, and often a fraction."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class FetchSettings(Section):
    """Limits on a recording fetched from a URL, and on an uploaded one."""

    max_bytes: PositiveInt = Field(4 * 2**30, description="Largest recording, in bytes.")
    max_redirects: int = Field(20, ge=0, description="Redirects followed before giving up.")
    max_header_bytes: PositiveInt = Field(
        64 * 1024, description="Longest header of an answer, in bytes."
    )
    max_disk_bytes: PositiveInt = Field(
        32 * 2**30,
        description="Bytes that the storage may hold for an upload to be accepted, and as many "
        "that one loader holds of fetched recordings; beyond it a 503.",
    )
    connect_timeout_s: PositiveFloat = Field(10, description="Seconds to connect.")
    headers_timeout_s: PositiveFloat = Field(
        30, description="Seconds until the headers of an answer are there, from its request on."
    )
    read_timeout_s: PositiveFloat = Field(30, description="Longest silence of the remote server.")
    min_bytes_per_s: float = Field(
        1000, ge=0, description="Slowest transfer, over twice `fetch.read_timeout_s`; 0: any."
    )
    total_timeout_s: PositiveFloat = Field(3600, description="Seconds a whole download may take.")


class AudioSettings(Section):
    """Decoding, voice activity and windows."""

    max_duration_s: PositiveFloat = Field(12 * 3600, description="Longest recording, in seconds.")
    decoders: PositiveInt = Field(
        8,
        description="Recordings that one loader decodes at once, each in a process of 600 MB at "
        "most; half as many again while they are still fetched.",
    )
    window_s: float = Field(30, ge=5, le=30, description="Longest window, in seconds.")
    vad_threshold: float = Field(0.5, gt=0, lt=1, description="Speech probability of a word.")
    vad_faint: bool = Field(
        True, description="Whether the model judges what may be a whisper in detected silence."
    )
    vad_threads: int = Field(
        0, ge=0, description="Threads that find the speech of long recordings; 0: one a core."
    )


class AdmissionSettings(Section):
    """What is let in, and what is asked to come again."""

    max_requests: PositiveInt = Field(
        896,
        description="Requests that one ingress works on at once; below its "
        "`max_ongoing_requests`, so that `/health`, `/ready` and cancelling find a place.",
    )
    max_wait_s: PositiveFloat = Field(
        30,
        description="Seconds that a recording may wait for those before it; one that would wait "
        "longer gets a 429 that says when there will be room. A long one may wait as long as it "
        "takes itself.",
    )
    expected_rate: PositiveFloat = Field(
        10,
        description="Seconds of audio that the graph works off in a second; only until that was "
        "measured.",
    )
    always_s: float = Field(
        200,
        ge=0,
        description="Seconds of waiting audio up to which recordings are let in however slow the "
        "machine is: about what sixteen clients send with a clip each.",
    )
    max_request_s: float = Field(
        12 * 3600,
        ge=0,
        description="Seconds that a request may take from its arrival to its answer; then its work "
        "stops everywhere, and it gets a 504. 0: any number. Jobs have the time that they take.",
    )
    min_upload_bytes_s: PositiveFloat = Field(
        1024, description="Least rate of a request's body, after 15 s; slower ones get a 408."
    )


class AutoscalingSettings(Section):
    """How many replicas there are where a profile names `deployments.autoscaling:by_seconds`."""

    wanted_wait_s: PositiveFloat = Field(
        10,
        description="Seconds that somebody may wait for a stage; more audio than is worked off in "
        "that time asks for more replicas.",
    )
    bulk_wait_s: PositiveFloat = Field(
        600, description="The same for jobs, which nobody watches: everything that waits."
    )


class RecognitionSettings(Section):
    """The Whisper model and how it is run."""

    model: str = Field(
        "bundled:whisper-base", description="Hub id, folder, or `bundled:whisper-base`."
    )
    revision: str | None = Field(None, description="Revision of a hub id.")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="Where the model runs.")
    dtype: Literal["auto", "float32", "float16", "bfloat16", "int16"] = Field(
        "auto",
        description="What matrices are multiplied in. auto: float16 on a GPU; on a CPU "
        "bfloat16 if it has instructions for it (AVX512-BF16), else 16-bit integers with scales "
        "(int16) where they are faster than float32 (AVX2; AVX-512 with VNNI), else float32.",
    )
    attention: Literal["auto", "flash_attention_2", "sdpa", "eager"] = Field(
        "auto", description="auto: FlashAttention 2 where the GPU and the installation have it."
    )
    threads: int = Field(
        0, ge=0, description="CPU threads of the model; 0: every core the replica may run on."
    )
    slots: PositiveInt = Field(
        8, description="Windows decoded at once; each holds its keys and values in memory."
    )
    vocabulary: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Names and terms that any recording may hold, comma-separated or as a list: "
        "put before the keywords and the prompt of every request. About 220 tokens.",
    )
    vocabulary_file: Path | None = Field(
        None, description="A file of such terms, one a line, where the recognizer runs."
    )
    max_queued_audio_s: PositiveFloat = Field(
        24 * 3600, description="Seconds of audio that may wait; beyond it requests get a 429."
    )
    silent_suffix: bool = Field(
        True, description="Encode only the speech of a window, not its padding to 30 s."
    )
    capture: Literal["auto", "off", "cuda_graph"] = Field(
        "auto",
        description="auto: a GPU's steps are recorded as CUDA graphs; a CPU records nothing.",
    )

    @field_validator("vocabulary", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return value.split(",") if isinstance(value, str) else value

    @property
    def cpu_threads(self) -> int:
        return self.threads or usable_cores()


class DiarizationSettings(Section):
    """The speaker diarization pipeline."""

    model: str = Field(
        "bundled:diarization",
        description="`pyannote/speaker-diarization-community-1`, `-3.1`, a folder, or "
        "`bundled:diarization`.",
    )
    revision: str | None = Field(None, description="Revision of a hub id.")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="Where the models run.")
    dtype: Literal["auto", "float32", "bfloat16", "int16"] = Field(
        "auto",
        description="What the bundled networks multiply in on a CPU: int16 (with scales) where "
        "that is faster than float32; but with instructions for bfloat16 (AVX512-BF16) that, for "
        "embeddings, and float32 for segmentation. GPUs and pyannote's pipelines: float32.",
    )
    threads: int = Field(
        0, ge=0, description="CPU threads of the models; 0: every core the replica may run on."
    )
    batch_size: PositiveInt = Field(32, description="Chunks in a batch; on a CPU 8 at most.")

    @property
    def cpu_threads(self) -> int:
        return self.threads or usable_cores()

    @property
    def voice_model(self) -> str:
        """Which model hears voices: what one says of a voice means nothing to another."""
        return "@".join(filter(None, (self.model, self.revision)))


class SpeakerSettings(Section):
    """People who are known by their voices."""

    profiles: bool = Field(
        False,
        description="Whether `/v1/speakers` keeps voices under names, for requests with "
        "`identify`. Voices are biometric data: see docs/diarization.md first.",
    )


class JobSettings(Section):
    """Asynchronous work: where its rows lie, and how runners share it."""

    database_url: str = Field(
        "sqlite:///~/.cache/rayscribe/jobs.sqlite",
        description="sqlite:///FILE on one machine, postgresql://HOST/NAME for several replicas "
        "or machines. RAYSCRIBE_DATABASE_URL overrides it.",
    )
    concurrency: PositiveInt = Field(4, description="Jobs that one replica works on at once.")
    lease_s: PositiveFloat = Field(
        30, description="Seconds after which the jobs of a runner that fell silent go to others."
    )
    poll_s: PositiveFloat = Field(
        0.5,
        description="How often a runner looks for lost leases, and for new jobs that nobody "
        "announced: up to ten times as seldom while there are none. In seconds.",
    )
    max_attempts: PositiveInt = Field(
        8, description="Tries without any progress after which a job fails."
    )
    retry_delay_s: PositiveFloat = Field(
        2, description="Seconds before the second try; each further one doubles it, to 5 min."
    )
    retention_s: PositiveFloat = Field(
        7 * 24 * 3600, description="Seconds that an ended job, its recording and result are kept."
    )
    inline_bytes: int = Field(
        256 * 1024, ge=0, description="Larger results go to `storage`, not into a row."
    )


class LiveSettings(Section):
    """Live sessions, of each ingress replica."""

    max_sessions: PositiveInt = Field(
        32, description="Live sessions at once. Each is one of the ingress's ongoing requests."
    )
    max_sessions_a_key: PositiveInt = Field(16, description="Of them with the same key.")
    max_session_s: PositiveFloat = Field(
        12 * 3600, description="Seconds after which a session is closed."
    )
    idle_timeout_s: PositiveFloat = Field(
        600, description="Seconds without any event of its client after which one is closed."
    )
    max_event_bytes: PositiveInt = Field(
        15 * 2**20, description="Longest event of a client. Serve's proxy takes 16 MiB at most."
    )
    max_buffer_s: PositiveFloat = Field(
        600,
        description="Seconds of audio of one session that may wait, 32 kB each: whoever sends so "
        "much faster than it is recognized is closed.",
    )


class WebhookSettings(Section):
    """How the end of a job is announced."""

    timeout_s: PositiveFloat = Field(15, description="Seconds a receiver has to answer.")
    concurrency: PositiveInt = Field(16, description="Deliveries that one replica tries at once.")
    first_delay_s: PositiveFloat = Field(
        5, description="Seconds before the second try; each further one waits three times longer."
    )
    max_delay_s: PositiveFloat = Field(6 * 3600, description="Longest wait between two tries.")
    retry_for_s: PositiveFloat = Field(
        28 * 3600, description="Seconds for which a failing delivery is tried again."
    )


class Settings(BaseSettings):
    """Everything a deployment needs to know that is not a secret."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True
    )

    fetch: FetchSettings = FetchSettings()
    audio: AudioSettings = AudioSettings()
    admission: AdmissionSettings = AdmissionSettings()
    autoscaling: AutoscalingSettings = AutoscalingSettings()
    recognition: RecognitionSettings = RecognitionSettings()
    diarization: DiarizationSettings = DiarizationSettings()
    speakers: SpeakerSettings = SpeakerSettings()
    jobs: JobSettings = JobSettings()
    live: LiveSettings = LiveSettings()
    webhooks: WebhookSettings = WebhookSettings()
    windows_in_flight: PositiveInt = Field(
        64, description="Windows of one recording that may be in recognition at once."
    )
    allowed_networks: Annotated[tuple[Network, ...], NoDecode] = Field(
        (), description="Private networks that may be fetched from: CIDRs, comma-separated."
    )
    refused_networks: Annotated[tuple[Network, ...], NoDecode] = Field(
        (),
        description="Public networks that may not, such as the address that a router or a cloud "
        "gives this machine: CIDRs, comma-separated.",
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Origins such as `https://example.com` whose pages may use the service from a "
        "browser, comma-separated; `*` for all.",
    )
    keys_file: Path | None = Field(
        None,
        description="Named keys with scopes, as `rayscribe keys` writes them. A changed file is "
        "read again within a second.",
    )
    storage: str = Field(
        "file://" + str(Path.home() / ".cache" / "rayscribe" / "storage"),
        description="Where uploads and large results lie: an fsspec URL that every node reaches.",
    )

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_variables(cls, values: Any) -> Any:
        # The environment source skips what it does not know, so a misspelt variable of the top
        # level would pass in silence.
        for variable in os.environ:
            name = variable.upper()
            field = name.removeprefix(PREFIX).partition("__")[0].lower()
            if name.startswith(PREFIX) and not (
                field in cls.model_fields or name in OTHER_VARIABLES or name in secret_variables()
            ):
                raise ValueError(
                    f"The environment variable {variable} names no setting. Known are "
                    f"{PREFIX} followed by {', '.join(sorted(cls.model_fields)).upper()}."
                )
        return values

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _origins(cls, value: Any) -> Any:
        parts = value.split(",") if isinstance(value, str) else value
        origins = tuple(str(part).strip().rstrip("/") for part in parts if str(part).strip())
        for origin in origins:
            if origin != "*" and not re.fullmatch(r"https?://[^/?#\s]+", origin):
                raise ValueError(f"{origin!r} is no origin such as https://example.com.")
        return origins

    @field_validator("allowed_networks", "refused_networks", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return networks(value)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment overrides the profile; nothing else is read."""
        return env_settings, init_settings

    @classmethod
    def from_args(cls, args: Mapping[str, Any]) -> "Settings":
        """Settings of a profile's `args`. Raises pydantic's ValidationError."""
        return cls(**args)
