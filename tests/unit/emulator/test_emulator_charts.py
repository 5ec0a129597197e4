"""Where the bars of shares stand, and their names; how long they are is in test_emulator_statistics.py."""

from __future__ import annotations

from target.emulator.page.charts import share_chart


def test_names_stand_above_their_bars_and_nothing_overlaps() -> None:
    chart = share_chart(["x" * 300] * 5, [0.2] * 5, [1.0, 0, 0, 0, 0])
    edges = [edge for row in chart.rows for edge in (row.y, *(bar.y for bar in row.bars))]
    assert edges == sorted(set(edges))
    assert edges[0] > 10  # there is room for the first name
    assert edges[-1] < chart.height - 10
    assert all(len(row.label) < 50 and row.label.endswith("…") for row in chart.rows)
    assert all(bar.width <= chart.full_width < chart.width for row in chart.rows for bar in row.bars)


def test_nothing_is_an_empty_chart() -> None:
    assert share_chart([], [], []).rows == ()
