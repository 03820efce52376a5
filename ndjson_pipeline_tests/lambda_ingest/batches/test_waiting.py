"""How long manifests have waited, whatever else is in the index."""

from datetime import timedelta
from typing import Any

import pytest

from lambda_ingest.contract.dates import utc_timestamp
from lambda_ingest.contract.items import to_item
from ndjson_pipeline_tests.lambda_ingest.harness import TODAY, Ingest


def put(ingest: Ingest, name: str, age: timedelta, **attributes: Any) -> None:
    row = {
        "date_prefix": TODAY,
        "file_key": f"MANIFEST#{name}",
        "status": "pending",
        "file_count": 1,
        "created_at": utc_timestamp(ingest.clock.now - age),
    }
    item = to_item({**row, **attributes})
    ingest.clients.dynamodb.put_item(TableName=ingest.settings.tracking_table, Item=item)


def oldest(ingest: Ingest) -> timedelta:
    return ingest.runtime().waiting.oldest_age(ingest.clock.now)


def test_nothing_waits(ingest: Ingest) -> None:
    put(ingest, "done", timedelta(days=3), status="completed")
    put(ingest, "going", timedelta(days=3), status="processing")
    assert oldest(ingest) == timedelta(0)


def test_the_oldest_counts_whatever_its_date(ingest: Ingest) -> None:
    put(ingest, "new", timedelta(minutes=1))
    put(ingest, "old", timedelta(minutes=9), date_prefix="2025-02-03", file_count=7)
    put(ingest, "newer", timedelta(minutes=2), file_count=9)
    assert oldest(ingest) == timedelta(minutes=9)


def test_a_manifest_of_tomorrow_waits_for_its_day(ingest: Ingest) -> None:
    tomorrow = (ingest.clock.now + timedelta(days=1)).date().isoformat()
    put(ingest, "early", timedelta(hours=9), date_prefix=tomorrow)
    assert oldest(ingest) == timedelta(0)
    ingest.clock.advance(days=1)
    assert oldest(ingest) == timedelta(hours=33)


def test_rows_of_another_shape_are_skipped(ingest: Ingest, caplog: pytest.LogCaptureFixture) -> None:
    put(ingest, "timeless", timedelta(0), created_at="yesterday")
    put(ingest, "numbered", timedelta(0), created_at=1)
    put(ingest, "dateless", timedelta(hours=5), date_prefix="2026-13-01")
    put(ingest, "sound", timedelta(minutes=4))
    assert oldest(ingest) == timedelta(minutes=4)
    assert [record.getMessage() for record in caplog.records].count(
        "Skipped a pending manifest's record of another shape"
    ) == 3


def test_what_is_read_is_bounded(ingest: Ingest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A day without Glue leaves many; of those that are not read none makes the others younger."""
    pages: list[dict[str, Any]] = []

    def query(**request: Any) -> dict[str, Any]:
        pages.append(request)
        age = timedelta(minutes=len(pages))
        row = {
            "date_prefix": TODAY,
            "file_key": "MANIFEST#a",
            "created_at": utc_timestamp(ingest.clock.now - age),
        }
        return {"Items": [to_item(row)], "LastEvaluatedKey": to_item({"file_key": str(len(pages))})}

    monkeypatch.setattr(ingest.clients.dynamodb, "query", query)
    assert oldest(ingest) == timedelta(minutes=3)
    assert len(pages) == 3
