"""Names of the contract for files that have others."""

from datetime import date

import pytest

from lambda_ingest.contract.settings import DateSource, InputSettings
from ndjson_pipeline.loading.naming import Dating, Named, date_in, name_in_input

RULES = InputSettings()
DAY, MODIFIED = date(2026, 1, 30), date(2026, 3, 1)
NO_DATE = Dating()


def named(relative: str, *, rules: InputSettings = RULES, dating: Dating = NO_DATE, above: str = "") -> Named:
    return name_in_input(relative, f"mine/{relative}", MODIFIED, rules, dating, above=above)


@pytest.mark.parametrize(
    "relative", ["2026-01-30-a.ndjson", "2026-01-30-b c+d.ndjson.gz", "sub/2026-01-30-ü.ndjson"]
)
def test_a_name_of_the_contract_stays(relative: str) -> None:
    assert named(relative) == Named(relative)


@pytest.mark.parametrize(
    ("relative", "beginning", "ending"),
    [
        ("app-2026-01-30.json", "2026-01-30-app-", ".ndjson"),
        ("app_20260130.jsonl.gz", "2026-01-30-app-", ".ndjson.gz"),
        ("dt=2026-01-30/part 1.jsonl", "2026-01-30-part-1-", ".ndjson"),
        ("2026/01/30/07/x.JSON.GZ", "2026-01-30-07-x-", ".ndjson.gz"),
        ("2026-01-30-a\nb\x1b[31m.ndjson", "2026-01-30-a-b-31m-", ".ndjson"),
        ("2026-01-30-" + "é#" * 300 + ".json", "2026-01-30-file-", ".ndjson"),
    ],
    ids=["dash", "compact", "dt", "folders", "control", "marks"],
)
def test_another_name_becomes_one_that_is_read_and_allowed(
    relative: str, beginning: str, ending: str
) -> None:
    found = named(relative).below_prefix
    assert found.startswith(beginning)
    assert found.endswith(ending)
    assert len(found) == len(beginning) + 8 + len(ending)
    assert named(found).below_prefix == found
    assert named(relative).below_prefix == found


def test_no_two_files_get_the_same_name() -> None:
    names = ["a b-2026-01-30.json", "a-b-2026-01-30.json", "a/b-2026-01-30.json", "a%b-2026-01-30.json"]
    assert len({named(one).below_prefix for one in names}) == len(names)


def test_what_no_text_is_has_a_name_too() -> None:
    assert named("2026-01-30-\udcff.json").below_prefix.startswith("2026-01-30-file-")


def test_a_file_without_a_date_gets_one_that_is_asked_for_alone() -> None:
    assert named("a.json").problem.startswith("no date: ")
    assert named("a.json", dating=Dating(DAY)).below_prefix.startswith("2026-01-30-a-")
    assert named("a.json", dating=Dating(is_by_modification=True)).below_prefix.startswith("2026-03-01-a-")
    # Its own date counts more.
    assert named("a-20250506.json", dating=Dating(DAY)).below_prefix.startswith("2025-05-06-")


def test_the_folders_above_tell_a_date_too() -> None:
    assert named("a.json", above="logs/dt=2026-01-30/").below_prefix.startswith("2026-01-30-a-")
    assert named("a.json", above="logs/2026/01/30/").below_prefix.startswith("2026-01-30-a-")


@pytest.mark.parametrize("relative", ["a.csv", "2026-01-30-a.parquet", "README", "a.json.zip"])
def test_other_files_are_left(relative: str) -> None:
    assert named(relative).is_left


@pytest.mark.parametrize(
    ("sources", "beginning"),
    [
        ((DateSource.PATH,), "dt=2026-01-30/app-"),
        ((DateSource.PATH, DateSource.NAME), "2026-01-30-app-"),
        ((DateSource.ARRIVAL,), "app-"),
    ],
)
def test_a_name_has_its_date_where_the_deployment_looks(
    sources: tuple[DateSource, ...], beginning: str
) -> None:
    found = named("app 2026-01-30.json", rules=InputSettings(date_sources=sources)).below_prefix
    assert found.startswith(beginning)


def test_the_deployments_own_extensions_count() -> None:
    rules = InputSettings(input_extensions=(".log",))
    assert named("2026-01-30-a.log", rules=rules) == Named("2026-01-30-a.log")
    assert named("x 2026-01-30.json", rules=rules).below_prefix.endswith(".log")
    assert named("2026-01-30-a.json.gz", rules=rules).is_left


@pytest.mark.parametrize(
    ("relative", "day"),
    [
        ("x-2026-02-30.json", None),
        ("build-2026013.json", None),
        ("id-120260130.json", None),
        ("x-2026-13-01-20260130.json", DAY),
        ("2025-01-01/x-2026_01_30.json", DAY),
        ("2026-01-30/x.json", DAY),
    ],
)
def test_a_date_is_one_of_the_calendar(relative: str, day: date | None) -> None:
    assert date_in(relative) == day
