from robust_ts.evaluation.tables import markdown_table


def test_cells_align_and_missing_values_are_dashes():
    rows = [{"name": "long name", "x": 1.25, "n": 3}, {"name": "s", "x": float("nan"), "n": 12}]
    lines = markdown_table(rows).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert lines[1].split("|")[1:4] == ["-----------", "----:", "---:"]
    assert [cell.strip() for cell in lines[3].strip("|").split("|")] == ["s", "-", "12"]
