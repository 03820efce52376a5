"""Which dates a sweep audits."""

import re

import pytest

from lambda_ingest.audit.dates import MOST_DATES, audited_dates, recent_dates
from lambda_ingest.errors import SweepEventError
from lambda_ingest.settings import Settings
from ndjson_pipeline_tests.lambda_ingest.harness import NOON, TODAY, YESTERDAY


def test_only_a_few_recent_dates_are_listed() -> None:
    assert recent_dates(NOON, 3) == ["2026-01-31", TODAY, YESTERDAY, "2026-01-28", "2026-01-27"]


def test_what_a_timer_sends_audits_the_recent_dates() -> None:
    event = {"version": "0", "source": "aws.scheduler", "detail": {}}
    dates = audited_dates(event, Settings("bucket", "table", audit_days=1), NOON)
    assert dates == ("2026-01-31", TODAY, YESTERDAY)


@pytest.mark.parametrize(
    ("dates", "reason"),
    [
        ("2026-01-30", "must be a list"),
        ([], "must be a list"),
        (None, "must be a list"),
        ([TODAY] * (MOST_DATES + 1), "must be a list"),
        ([7], "7 is no date"),
        (["2026-1-30"], "'2026-1-30' is no date"),
        (["2026-02-30"], "'2026-02-30' is no date"),
        (["2024-12-31"], "2024-12-31 lies not between 2025-01-01 and"),
        (["2026-02-01"], "2026-02-01 lies not between 2025-01-01 and 2026-01-31"),
        ([TODAY, "x", "2024-12-31"], "'x' is no date as YYYY-MM-DD; 2024-12-31 lies"),
    ],
)
def test_dates_that_make_no_sense_are_refused_with_the_reason(dates: object, reason: str) -> None:
    with pytest.raises(SweepEventError, match=re.escape(reason)):
        audited_dates({"dates": dates}, Settings("bucket", "table"), NOON)


def test_dates_without_an_audit_are_refused() -> None:
    with pytest.raises(SweepEventError, match="leave one of them out"):
        audited_dates({"dates": [TODAY], "audit": False}, Settings("bucket", "table"), NOON)
