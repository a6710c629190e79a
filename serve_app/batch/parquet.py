"""Parquet, where the package pyarrow is installed."""

import io
from collections.abc import Sequence
from functools import cache
from typing import Any, BinaryIO

from interchange.errors import ServerError


class NoParquet(ServerError):
    code = "no_parquet"


def column(file: BinaryIO, name: str) -> list[str]:
    """The texts of one column; those that are null are left out. Raises NoParquet."""
    _, parquet = _pyarrow()
    there = parquet.ParquetFile(file)
    if name not in there.schema_arrow.names:
        raise NoParquet(
            f"The list has no column {name!r}, but {', '.join(there.schema_arrow.names)}: name "
            "one by --column."
        )
    values = there.read(columns=[name])[name].to_pylist()
    return [str(value) for value in values if value is not None]


def rows(file: BinaryIO, columns: list[str] | None = None) -> list[dict[str, Any]]:
    """All rows of a file, or these columns of them. Raises NoParquet."""
    _, parquet = _pyarrow()
    found: list[dict[str, Any]] = parquet.ParquetFile(file).read(columns).to_pylist()
    return found


def encoded(rows: Sequence[dict[str, Any]], table: str) -> bytes:
    """A file of the table of that name, its columns typed whatever the rows hold. Raises
    NoParquet."""
    arrow, parquet = _pyarrow()
    file = io.BytesIO()
    parquet.write_table(arrow.Table.from_pylist(list(rows), _schemas()[table]), file)
    return file.getvalue()


def check() -> None:
    """Raises NoParquet where it cannot be written."""
    _pyarrow()


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow  # noqa: PLC0415 - not everybody has it
        import pyarrow.parquet  # noqa: PLC0415
    except ImportError as error:
        raise NoParquet(
            "Parquet needs the package pyarrow: pip install 'rayscribe[batch]'."
        ) from error
    return pyarrow, pyarrow.parquet


@cache
def _schemas() -> dict[str, Any]:
    arrow, _ = _pyarrow()
    text, number, whole = arrow.string(), arrow.float64(), arrow.int64()
    when = [("start", number), ("end", number)]
    whose = [("speaker", text), ("overlap", arrow.bool_())]
    word = [("word", text), *when, ("probability", number), *whose]
    judged = ("avg_logprob", "no_speech_prob", "compression_ratio")
    said = [("text", text), ("language", text), *whose, ("channel", whole)]
    segment = [*when, *said, *((name, number) for name in judged)]
    account = ("transcribed", "silent", "silence_score", "decoded_again", "failed")
    others = [("channels", whole), ("notes", arrow.list_(text))]
    quality = [*((name, number) for name in account), *others]

    def rows(fields: list[tuple[str, Any]]) -> Any:
        return arrow.list_(arrow.struct(fields))

    transcript = [
        *(("path", text), ("duration", number), ("language", text), ("text", text)),
        *(("segments", rows(segment)), ("words", rows(word))),
        ("speakers", rows([*when, ("speaker", text)])),
        ("quality", arrow.struct(quality)),
    ]
    failure = [(name, text) for name in ("path", "code", "message", "fault")]
    return {"transcripts": arrow.schema(transcript), "failures": arrow.schema(failure)}
