from benchmarks.measuring.tables import percent, table


def test_columns_stand_under_each_other_and_numbers_to_the_right() -> None:
    assert table(["name", "s"], [["one", 1.5], ["twelve", 12.25]]) == "\n".join(
        [
            "| name   |     s |",
            "| ------ | ----: |",
            "| one    |  1.50 |",
            "| twelve | 12.25 |",
        ]
    )


def test_a_missing_figure_leaves_its_cell_empty() -> None:
    assert table(["a", "b"], [[None, 3]]).splitlines()[-1] == "|     |   3 |"


def test_a_table_without_rows_has_its_headings() -> None:
    assert table(["name"], []).splitlines()[0] == "| name |"


def test_shares_are_shown_as_percent() -> None:
    assert percent(0.1234) == "12.3 %"
    assert percent(1.0, 0) == "100 %"
    assert percent(None) == "–"
