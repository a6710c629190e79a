from pathlib import Path

import pytest

from configs.reference import tables, written
from configs.secrets import Secrets
from configs.settings import Settings

ROOT = Path(__file__).parents[3]


def test_the_tables_in_the_docs_are_those_of_the_code() -> None:
    texts = {file: file.read_text() for file in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]}
    with_tables = [file for file, text in texts.items() if "<!-- settings -->" in text]
    assert ROOT / "docs/configuration.md" in with_tables
    for file in with_tables:
        assert written(texts[file]) == texts[file], f"Run `python -m configs.reference {file}`."


def test_every_setting_and_secret_has_a_row_with_its_meaning() -> None:
    rows = [line for line in tables().splitlines() if line.startswith("| `")]
    leaves = [
        f"{name}.{leaf}"
        for name, field in Settings.model_fields.items()
        for leaf in getattr(field.annotation, "model_fields", {})
    ]
    plain = [
        name
        for name, field in Settings.model_fields.items()
        if not hasattr(field.annotation, "model_fields")
    ]
    for setting in leaves + plain:
        variable = "RAYSCRIBE_" + setting.replace(".", "__").upper()
        (row,) = [row for row in rows if row.startswith(f"| `{setting}` | `{variable}` |")]
        assert "None" not in row.split("|")[4]
    for field in Secrets.model_fields.values():
        assert any(row.startswith(f"| `{field.validation_alias}` |") for row in rows)


def test_a_text_without_a_place_for_the_tables_is_refused() -> None:
    with pytest.raises(ValueError, match="no pair"):
        written("# Nothing\n")
