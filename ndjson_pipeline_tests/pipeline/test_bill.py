"""A day's bill follows the simulated days, and the tables of docs/cost.md follow the bill."""

import re
from pathlib import Path

import pytest

from ndjson_pipeline.bill import SECONDS_A_DAY, Load, Prices, day_bill, glue_day, total
from ndjson_pipeline.glue.capacity import Capacity

DOCS = Path(__file__).resolve().parents[2] / "docs"


def simulated_days():
    """Yield rate, dial, runs and DPU-hours of each day that the benchmark `steady` has simulated whole."""
    for line in (DOCS / "architecture.md").read_text().splitlines():
        cells = [cell.strip().replace(",", "") for cell in line.strip("|").split("|")]
        if len(cells) == 9 and re.fullmatch(r"[\d.]+", cells[0]) and "*" not in line:
            yield (
                float(cells[0]),
                0.0 if cells[1] == "off" else float(cells[1]),
                int(cells[6]),
                float(cells[7]),
            )


@pytest.mark.parametrize(("rate", "dial", "runs", "dpu_hours"), list(simulated_days()))
def test_glues_part_is_what_the_simulated_day_came_to(rate, dial, runs, dpu_hours):
    load = Load(rate * SECONDS_A_DAY, dial_minutes=dial)
    day = glue_day(load)
    # A launch that waits for about as much as one run is given makes one run now, and two then.
    is_between = abs(load.mb_a_day / day.runs / Capacity().most_mb - 1) < 1 / 10
    assert day.runs == pytest.approx(runs, rel=1 / 2 if is_between else 1 / 8)
    assert day.dpu_hours == pytest.approx(dpu_hours, rel=1 / 8)


def test_there_are_simulated_days_to_compare_with():
    assert len(list(simulated_days())) >= 13


@pytest.mark.parametrize("files", [0, 1, 7, 100, 10_000, 10_000_000])
def test_a_bill_never_falls_with_more_files_nor_with_larger_ones(files):
    smaller, more, larger = Load(files), Load(files * 2 + 1), Load(files, file_mb=7)
    assert 0 <= total(day_bill(smaller)) <= total(day_bill(more))
    assert total(day_bill(smaller)) <= total(day_bill(larger))


def test_waiting_costs_no_more_than_not_waiting():
    for files in (10, 1_000, 100_000, 3_000_000):
        bills = [total(day_bill(Load(files, dial_minutes=dial))) for dial in (0, 5, 15, 60)]
        assert bills == sorted(bills, reverse=True)


def test_other_prices_take_their_place():
    load = Load(1_000)
    free = Prices(dpu_hour=0)
    assert next(line.usd for line in day_bill(load, free) if line.what == "Glue") == 0
    assert total(day_bill(load, free)) < total(day_bill(load))


def test_the_table_of_the_docs_is_the_bills():
    table = (DOCS / "cost.md").read_text()
    rows = re.findall(r"^\| ([\d,]+) \| ([\d.]+) \| (off|\d+) \|(.*)\|$", table, re.MULTILINE)
    assert len(rows) >= 10
    for files, file_mb, dial, cells in rows:
        load = Load(float(files.replace(",", "")), float(file_mb), 0.0 if dial == "off" else float(dial))
        lines = day_bill(load)
        expected = [*(f"{line.usd:.2f}" for line in lines), f"{total(lines):.2f}"]
        assert [cell.strip().replace(",", "") for cell in cells.split("|")] == expected, f"{files} files"
