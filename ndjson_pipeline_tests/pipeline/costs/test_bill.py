"""A day's bill follows the simulated days, and the tables of docs/cost.md follow the bill."""

import re
from pathlib import Path

import pytest

from ndjson_pipeline.costs.bill import day_bill, total
from ndjson_pipeline.costs.glue_day import glue_day
from ndjson_pipeline.costs.load import Load
from ndjson_pipeline.costs.pace import SECONDS_A_DAY
from ndjson_pipeline.costs.prices import HOURS_A_MONTH, Prices, read_prices
from ndjson_pipeline.costs.standing import (
    ALARM_METRICS_OF_A_FEED,
    PLATFORMS,
    provisioned_tables,
    standing_bill,
)
from ndjson_pipeline.errors import SettingsError

DOCS = Path(__file__).resolve().parents[3] / "docs"


def simulated_days():
    """Yield rate, dial, latencies in minutes, runs and DPU-hours of each whole day of `steady`."""
    for line in (DOCS / "architecture.md").read_text().splitlines():
        cells = [cell.strip().replace(",", "") for cell in line.strip("|").split("|")]
        if len(cells) == 9 and re.fullmatch(r"[\d.]+", cells[0]) and "*" not in line:
            yield (
                float(cells[0]),
                0.0 if cells[1] == "off" else float(cells[1]),
                [float(cell) for cell in cells[3:6]],
                int(cells[6]),
                float(cells[7]),
            )


@pytest.mark.parametrize(("rate", "dial", "latencies", "runs", "dpu_hours"), list(simulated_days()))
def test_glues_part_is_what_the_simulated_day_came_to(rate, dial, latencies, runs, dpu_hours):
    day = glue_day(Load(rate * SECONDS_A_DAY, dial_minutes=dial))
    assert day.runs == pytest.approx(runs, abs=1)
    assert day.dpu_hours == pytest.approx(dpu_hours, abs=0.1)
    # In minutes, with one digit; a file comes every ten seconds at the slowest.
    assert [seconds / 60 for seconds in day.latencies] == pytest.approx(latencies, abs=0.3)


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


def test_what_stands_there_is_what_the_docs_say():
    page = (DOCS / "cost.md").read_text().partition("## The idle platform")[2]
    together = [float(usd) for usd in re.findall(r"\*\*together\*\* \| \*\*([\d.]+)\*\*", page)]
    for environment, told in zip(("dev", "prod"), together, strict=True):
        dagsters = [one for one in standing_bill(PLATFORMS[environment]) if one.what.startswith("Dagster")]
        service_alarms = PLATFORMS[environment].alarms * Prices().alarm_month
        a_month = total(dagsters) * HOURS_A_MONTH / 24 + service_alarms
        assert a_month == pytest.approx(told, abs=0.02)


def test_a_feed_has_as_many_alarms_as_are_billed():
    text = (DOCS.parent / "deploy" / "terraform" / "modules" / "feed" / "alarms.tf").read_text()
    assert len(re.findall(r"^      severity   =", text, re.MULTILINE)) + 2 * 6 == ALARM_METRICS_OF_A_FEED


def test_provisioned_tables_cost_what_the_docs_say():
    told = re.search(r"and ([\d.]+) USD a day at its smallest", (DOCS / "cost.md").read_text())
    assert told is not None
    assert provisioned_tables(Prices()) == pytest.approx(float(told[1]), abs=0.05)


def test_a_price_file_takes_the_place_of_what_it_names(tmp_path):
    for name, text in (("p.json", '{"dpu_hour": 0.29}'), ("p.toml", "dpu_hour = 0.29")):
        path = tmp_path / name
        path.write_text(text)
        assert read_prices(path) == Prices(dpu_hour=0.29)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"[", "can't be read"),
        (b"[1]", "must be an object"),
        (b"\xff\xfe", "can't be read"),
        (b'{"dpu_hours": 1}', "dpu_hours is no price"),
        (b'{"dpu_hour": -1}', "at least 0"),
        (b'{"dpu_hour": NaN}', "at least 0"),
        (b'{"dpu_hour": true}', "at least 0"),
        (b'{"dpu_hour": "0.29"}', "at least 0"),
        (b'{"\\u202e<script>": 1}', r"\u202e"),
        (b" " * 70_000, "larger than"),
    ],
)
def test_a_price_file_that_makes_no_sense_is_told(tmp_path, content, told):
    path = tmp_path / "prices.json"
    path.write_bytes(content)
    with pytest.raises(SettingsError) as raised:
        read_prices(path)
    assert told in str(raised.value)
    assert str(path) in str(raised.value)
    assert "\u202e" not in str(raised.value)


def test_a_price_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(SettingsError, match=r"No such file"):
        read_prices(tmp_path / "absent.json")
