"""The tables of a batch and how they are written, by name."""

from enum import StrEnum
from typing import Literal

Table = Literal["transcripts", "failures"]


class Format(StrEnum):
    JSONL = "jsonl"
    PARQUET = "parquet"
