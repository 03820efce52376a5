"""Backfills that convert older dates again, as Dagster is asked for them."""

from types import SimpleNamespace
from typing import Any

import pytest

from ndjson_pipeline.desk.dagster_api import DagsterApi, DagsterUnreachableError
from ndjson_pipeline.desk.schema import rebuild as schema_rebuild
from ndjson_pipeline.desk.schema.rebuild import Progress, Rebuilds

QUERIES = [schema_rebuild._BACKFILL, schema_rebuild._BACKFILLS]


def rebuilds(feed: str = "") -> Rebuilds:
    desk: Any = SimpleNamespace(settings=SimpleNamespace(dagster_url="http://dagster", feed=feed))
    return Rebuilds(desk)


def answering(monkeypatch: pytest.MonkeyPatch, *answers: Any) -> list[Any]:
    """Let Dagster answer one thing after the other, and return what it was asked."""
    asked, left = [], list(answers)

    def ask(_: DagsterApi, query: str, variables: Any) -> Any:
        asked.append((query, variables))
        return left.pop(0)

    monkeypatch.setattr(DagsterApi, "ask", ask)
    return asked


def state(status: str, *counts: int) -> dict[str, Any]:
    names = ("numPartitionsTargeted", "numPartitionsMaterialized", "numPartitionsFailed")
    data = {"assetBackfillStatuses": [dict(zip(names, counts, strict=True))]} if counts else None
    return {"partitionBackfillOrError": {"status": status, "error": None, "assetBackfillData": data}}


@pytest.mark.parametrize("query", QUERIES)
def test_dagster_understands_what_it_is_asked(query: str) -> None:
    from dagster_graphql.schema import create_schema  # noqa: PLC0415 - some seconds
    from graphql import parse, validate  # noqa: PLC0415

    assert validate(create_schema().graphql_schema, parse(query)) == []


@pytest.mark.parametrize(
    ("feed", "asset", "tags"),
    [
        ("", ["merged_parquet"], {"ndjson/rebuild": "merged_parquet"}),
        (
            "orders",
            ["orders", "merged_parquet"],
            {"ndjson/rebuild": "orders/merged_parquet", "ndjson/feed": "orders"},
        ),
    ],
)
def test_a_backfill_is_of_the_feeds_own_asset(
    monkeypatch: pytest.MonkeyPatch, feed: str, asset: list[str], tags: dict[str, str]
) -> None:
    asked = answering(monkeypatch, {"launchPartitionBackfill": {"backfillId": "b"}})
    assert rebuilds(feed).launch(["2026-01-30"]) == "b"
    ((_, variables),) = asked
    assert variables["assets"] == [{"path": asset}]
    assert variables["dates"] == ["2026-01-30"]
    told = {tag["key"]: tag["value"] for tag in variables["tags"]}
    assert told == {**tags, "dagster/priority": "-10"}


def test_a_backfill_of_another_feed_is_none_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    results = [
        {"id": "one", "tags": [{"key": "ndjson/rebuild", "value": "orders/merged_parquet"}]},
        {"id": "two", "tags": []},
    ]
    answer = {"partitionBackfillsOrError": {"results": results}}
    answering(monkeypatch, answer, answer)
    assert rebuilds("orders").going() == "one"
    assert rebuilds().going() is None


def test_following_tells_each_state_once_and_how_it_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    going = [state("REQUESTED"), state("REQUESTED", 3, 1, 0), state("REQUESTED", 3, 1, 0)]
    answering(monkeypatch, *going, state("COMPLETED_FAILED", 3, 2, 1))
    told: list[str] = []
    waits: list[None] = []
    ended = rebuilds().follow("b", lambda: waits.append(None), told.append)
    assert ended == Progress("b", "COMPLETED_FAILED", 3, 2, 1)
    assert told == ["backfill b: waits for the daemon", "backfill b: 1 of 3 dates"]
    assert len(waits) == 3


@pytest.mark.parametrize(
    "answer", [{"partitionBackfillOrError": {"__typename": "BackfillNotFoundError", "message": "gone"}}]
)
def test_a_backfill_that_dagster_does_not_know_is_told(monkeypatch: pytest.MonkeyPatch, answer: Any) -> None:
    answering(monkeypatch, answer)
    with pytest.raises(DagsterUnreachableError, match="knows no backfill b: gone"):
        rebuilds().progress("b")
