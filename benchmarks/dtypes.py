"""Word errors by the type that matrices are multiplied in: `python -m benchmarks.dtypes`.

Each recording with a text is recognized by the engine alone, its language given, in one type and in
another, from several starts each (see `silent_suffix`).
"""

from typing import Annotated

import typer

from benchmarks.measuring import results
from benchmarks.measuring.recordings import NoSpeech
from benchmarks.silent_suffix import FOLDERS, compare_words, grouped, recognize
from configs.settings import RecognitionSettings


def main(
    *,
    dtypes: Annotated[str, typer.Option(help="Two of `recognition.dtype`.")] = "float32,int16",
    folders: Annotated[str, typer.Option(help="Of recordings.")] = ",".join(FOLDERS),
    languages: Annotated[str, typer.Option(help="Only these, separated by commas.")] = "",
    shifts: Annotated[int, typer.Option(min=1, help="Starts of each recording.")] = 4,
) -> None:
    """Compare the errors of two types, language by language."""
    try:
        groups = grouped(folders.split(","), {each for each in languages.split(",") if each})
    except NoSpeech as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    recordings = [each for group in groups.values() for each in group]
    heard = {
        dtype: recognize(recordings, shifts, RecognitionSettings.model_validate({"dtype": dtype}))
        for dtype in dtypes.split(",")
    }
    found = {"shifts": shifts, "words": compare_words(groups, heard)}
    typer.echo(f"Written to {results.write('dtypes', found)}")


if __name__ == "__main__":
    typer.run(main)
