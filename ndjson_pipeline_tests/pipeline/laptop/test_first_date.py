"""Where a laptop's dates begin."""

from datetime import date
from pathlib import Path

import pytest

from ndjson_pipeline.deployment.settings import PipelineSettings
from ndjson_pipeline.laptop.first_date import FILE, first_date
from ndjson_pipeline.laptop.folder import LaptopFolder
from ndjson_pipeline.laptop.settings import read_settings

TODAY, LATER = date(2026, 11, 28), date(2027, 3, 1)
MONTH_AGO, OLDER = date(2026, 10, 29), date(2025, 6, 1)


def test_a_new_laptop_begins_a_month_before_its_first_start_and_stays_there(tmp_path: Path) -> None:
    folder = tmp_path / "local"
    assert first_date(folder, None, TODAY, is_used=False) == MONTH_AGO
    assert first_date(folder, None, LATER, is_used=True) == MONTH_AGO


def test_what_is_set_counts_and_an_earlier_one_is_kept(tmp_path: Path) -> None:
    assert first_date(tmp_path, None, TODAY, is_used=False) == MONTH_AGO
    assert first_date(tmp_path, OLDER, TODAY, is_used=True) == OLDER
    # It is taken out of the settings again, and the dates that came by it stay.
    assert first_date(tmp_path, None, LATER, is_used=True) == OLDER
    # A later one hides dates, as whoever sets it wants it; it is not kept.
    assert first_date(tmp_path, TODAY, LATER, is_used=True) == TODAY
    assert first_date(tmp_path, None, LATER, is_used=True) == OLDER


def test_a_laptop_of_before_goes_on_with_the_default(tmp_path: Path) -> None:
    assert first_date(tmp_path, None, TODAY, is_used=True) is None
    assert first_date(tmp_path, OLDER, TODAY, is_used=True) == OLDER
    assert first_date(tmp_path, None, TODAY, is_used=True) is None


def test_a_file_without_a_date_is_told_and_does_not_count(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / FILE).write_text("yesterday")
    assert first_date(tmp_path, None, TODAY, is_used=False) == MONTH_AGO
    assert "has no date" in caplog.text
    assert (tmp_path / FILE).read_text() == "2026-10-29\n"


def test_a_fresh_start_takes_it_away(tmp_path: Path) -> None:
    folder = LaptopFolder(tmp_path)
    first_date(folder.path, OLDER, TODAY, is_used=False)
    folder.begin_anew()
    assert first_date(folder.path, None, LATER, is_used=False) == date(2027, 1, 30)


def test_ingest_and_the_ui_get_the_same(tmp_path: Path) -> None:
    settings = read_settings(tmp_path, {})
    assert settings.chosen_start_date is None
    begun = type(settings)(settings.chosen, MONTH_AGO)
    assert begun.local_aws().lambda_variables["PARTITION_START_DATE"] == "2026-10-29"
    assert PipelineSettings.from_environment(begun.dagster_variables()).partition_start_date == MONTH_AGO
    assert begun.lines() == []
    (tmp_path / "settings.toml").write_text("partition_start_date = '2025-06-01'")
    chosen = read_settings(tmp_path, {})
    assert chosen.chosen_start_date == OLDER
    assert type(chosen)(chosen.chosen, MONTH_AGO).partition_start_date == OLDER
