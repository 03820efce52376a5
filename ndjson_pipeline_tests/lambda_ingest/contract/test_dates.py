"""Dates, instants and numbers in names: ASCII digits, and nothing looser."""

from datetime import UTC, date, datetime

import pytest

from lambda_ingest.contract.dates import parse_date, parse_utc_timestamp
from lambda_ingest.contract.errors import ManifestKeyError
from lambda_ingest.contract.keys import ManifestName

FULL_WIDTH = str.maketrans("0123456789", "".join(chr(0xFF10 + digit) for digit in range(10)))
ARABIC = str.maketrans("0123456789", "".join(chr(0x0660 + digit) for digit in range(10)))


def test_a_date_is_read() -> None:
    assert parse_date("2026-01-30") == date(2026, 1, 30)


@pytest.mark.parametrize(
    "text",
    [
        *("2026-01-30".translate(digits) for digits in (FULL_WIDTH, ARABIC)),
        *("2026-01- 1", "2026-1-30", "2026-01-30\n", " 2026-01-30", "20260130", "2026-W05-5", "+026-01-30"),
        *("2026-02-30", "0000-01-01", "2026-00-01", ""),
    ],
)
def test_whatever_is_looser_is_no_date(text: str) -> None:
    with pytest.raises(ValueError):
        parse_date(text)


@pytest.mark.parametrize(
    "text",
    [
        "9999-12-31T23:59:59-14:00",
        "0001-01-01T00:00:00+14:00",
        "0000-01-01T00:00:00Z",
        "2026-01-30T00:00:00",
        "2026-01-30T00:00:00Z".translate(FULL_WIDTH),
        "2026-01-30\u300000:00:00Z",
    ],
)
def test_an_instant_that_utc_has_not_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):
        parse_utc_timestamp(text)


def test_an_instant_of_any_zone_is_read() -> None:
    assert parse_utc_timestamp("2026-01-30T01:00:00+02:00") == datetime(2026, 1, 29, 23, tzinfo=UTC)


@pytest.mark.parametrize("digits", [FULL_WIDTH, ARABIC])
@pytest.mark.parametrize("part", ["2026-01-30", "000001", "1f0c2a9b"])
def test_a_manifests_name_has_ascii_digits(part: str, digits: dict[int, int]) -> None:
    name = "manifest-2026-01-30-batch-000001-1f0c2a9b.json"
    assert ManifestName.parse(name).filename == name
    with pytest.raises(ManifestKeyError):
        ManifestName.parse(name.replace(part, part.translate(digits)))
