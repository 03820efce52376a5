"""Many refusals are alerted once an hour, whatever crashes, and not by each Lambda at once."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from lambda_ingest.contract.dates import utc_timestamp
from lambda_ingest.contract.records import REFUSALS_PARTITION
from lambda_ingest.files.refusals import CLAIM_LIFE, is_due
from ndjson_pipeline_tests.lambda_ingest.harness import NOON, TODAY, YESTERDAY, Ingest, names
from ndjson_pipeline_tests.lambda_ingest.stubs import Counting, Failing


def refuse(ingest: Ingest, count: int, start: int = 0, **changes: Any) -> None:
    """Deliver empty files, ten a message batch."""
    events = [ingest.put(name, b"") for name in names(count, start=start)]
    for first in range(0, count, 10):
        assert ingest.deliver(*events[first : first + 10], **changes) == []


def the_count(ingest: Ingest) -> Mapping[str, Any]:
    (item,) = [item for item in ingest.items() if item["date_prefix"] == REFUSALS_PARTITION]
    return item


def refused(alerts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [alert for alert in alerts if alert["Alert"] == "refused"]


def test_many_refusals_alert_with_count_reasons_and_examples(
    ingest: Ingest, alerts: list[dict[str, Any]]
) -> None:
    refuse(ingest, 7)
    assert alerts == []
    ingest.deliver(*(ingest.put(f"{TODAY}-{number}.csv") for number in range(5)))
    (alert,) = refused(alerts)
    assert alert["Count"] == 12
    assert alert["Reasons"] == {"empty file": 7, "other extension": 5}
    assert alert["Since"] == utc_timestamp(NOON)
    assert len(alert["Examples"]) == 3
    assert alert["Examples"][0] == {
        "FilePath": f"s3://{ingest.settings.input_bucket}/{ingest.key(f'{TODAY}-f00000.ndjson')}",
        "Reason": "empty file",
    }


def test_few_refusals_within_an_hour_alert_nothing(ingest: Ingest, alerts: list[dict[str, Any]]) -> None:
    """Nine an hour are no mass, however many hours it goes on."""
    for hour in range(4):
        refuse(ingest, 9, start=hour * 9)
        ingest.clock.advance(minutes=61)
        assert ingest.sweep(audit=False)["refusals_alerted"] is False
    assert alerts == []


def test_it_alerts_once_an_hour_while_it_goes_on_and_no_longer(
    ingest: Ingest, alerts: list[dict[str, Any]]
) -> None:
    for minute in range(125):
        refuse(ingest, 1, start=minute)
        ingest.clock.advance(minutes=1)
    assert [alert["Count"] for alert in refused(alerts)] == [10, 60]
    ingest.clock.advance(minutes=60)
    # What was refused after the last alert is told by the sweeper.
    assert ingest.sweep(audit=False)["refusals_alerted"] is True
    assert sum(alert["Count"] for alert in refused(alerts)) == 125
    for _ in range(3):
        ingest.clock.advance(hours=2)
        assert ingest.sweep(audit=False)["refusals_alerted"] is False


@pytest.mark.parametrize(("threshold", "expected"), [(0, 0), (1, 1), (25, 1), (26, 0)])
def test_the_threshold_is_set_and_zero_is_off(
    ingest: Ingest, alerts: list[dict[str, Any]], threshold: int, expected: int
) -> None:
    refuse(ingest, 25, refusal_alert_threshold=threshold)
    assert len(refused(alerts)) == expected
    if threshold == 0:
        assert [item for item in ingest.items() if item["date_prefix"] == REFUSALS_PARTITION] == []


def test_an_invocation_costs_one_write_once_there_are_examples(ingest: Ingest) -> None:
    def updates(*events: Any) -> int:
        counting = Counting(ingest.clients)
        runtime = ingest.runtime(counting.clients, metrics_table=None, quarantine_bucket=None)
        ingest.deliver(*events, runtime=runtime)
        return counting.calls.count("UpdateItem")

    assert updates(*(ingest.put(name, b"") for name in names(3))) == 2
    assert updates(*(ingest.put(name, b"") for name in names(3, start=3))) == 1
    assert updates(ingest.put(f"{TODAY}-fine.ndjson")) == 0


def test_the_item_is_bounded_however_many_are_refused(ingest: Ingest, alerts: list[dict[str, Any]]) -> None:
    long = "\U0001f600" * 220
    for number in range(30):
        ingest.deliver(
            *(ingest.put(f"{long}{number}-{each}.csv") for each in range(3)), quarantine_bucket=None
        )
    item = the_count(ingest)
    assert len(item.get("examples", [])) <= 5
    assert len(json.dumps(item, default=str)) < 20_000
    (alert,) = refused(alerts)
    assert len(alert["Examples"]) == 3
    assert len(json.dumps(alert).encode()) < 32_000
    assert item["refused"] + alert["Count"] == 90


def test_an_alert_that_sns_refuses_stays_due(ingest: Ingest, alerts: list[dict[str, Any]]) -> None:
    broken = ingest.runtime(Failing(ingest.clients, "Publish").clients, metrics_table=None)
    events = [ingest.put(name, b"") for name in names(12)]
    assert ingest.deliver(*events, runtime=broken) == []
    assert ingest.reports()[-1]["errors"][-1]["subject"] == "refused files"
    assert "claim_id" not in the_count(ingest)
    assert ingest.sweep(audit=False)["refusals_alerted"] is True
    assert [alert["Count"] for alert in refused(alerts)] == [12]


def test_a_crash_before_the_alert_leaves_it_to_the_sweeper(
    ingest: Ingest, alerts: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = ingest.runtime()
    monkeypatch.setattr(runtime.refusals, "_publish", lambda: False)
    ingest.deliver(*(ingest.put(name, b"") for name in names(12)), runtime=runtime)
    assert alerts == []
    ingest.sweep(audit=False)
    assert [alert["Count"] for alert in refused(alerts)] == [12]


def test_a_claim_whose_holder_died_runs_out(ingest: Ingest, alerts: list[dict[str, Any]]) -> None:
    runtime = ingest.runtime()
    refuse(ingest, 12, refusal_alert_threshold=100)
    assert runtime.refusals._claim() is not None
    ingest.clock.advance(seconds=CLAIM_LIFE.total_seconds() - 1)
    assert ingest.sweep(audit=False)["refusals_alerted"] is False
    ingest.clock.advance(seconds=1)
    assert ingest.sweep(audit=False)["refusals_alerted"] is True
    assert len(refused(alerts)) == 1


def test_of_two_that_see_it_due_one_tells_it(ingest: Ingest) -> None:
    refuse(ingest, 12, refusal_alert_threshold=100)
    first, second = ingest.runtime(), ingest.runtime()
    claim = first.refusals._claim()
    assert claim is not None
    assert second.refusals._claim() is None
    first.refusals._settle(claim, {"empty file": 12})
    assert second.refusals._claim() is None
    refuse(ingest, 12, start=12)
    assert second.refusals._claim() is None


def test_a_claim_whose_answer_was_lost_is_ours_at_the_retry(ingest: Ingest) -> None:
    refuse(ingest, 12, refusal_alert_threshold=100)
    first, again = ingest.runtime(), ingest.runtime()
    claim = first.refusals._claim()
    assert claim is not None
    again.refusals._new_id = lambda: claim.claim_id
    assert again.refusals._claim() == claim


def test_what_is_refused_while_the_alert_is_told_counts_for_the_next(ingest: Ingest) -> None:
    refuse(ingest, 12, refusal_alert_threshold=100)
    runtime = ingest.runtime()
    claim = runtime.refusals._claim()
    assert claim is not None
    refuse(ingest, 5, start=12)
    runtime.refusals._settle(claim, {"empty file": 12})
    count = the_count(ingest)
    assert (count["refused"], count["reason: empty file"]) == (5, 5)
    assert {"claim_id", "claimed_at"}.isdisjoint(count)


def test_a_claim_that_ran_out_neither_settles_nor_releases_the_next_ones(ingest: Ingest) -> None:
    refuse(ingest, 12, refusal_alert_threshold=100)
    first, second = ingest.runtime(), ingest.runtime()
    late = first.refusals._claim()
    ingest.clock.advance(seconds=CLAIM_LIFE.total_seconds())
    held = second.refusals._claim()
    assert late is not None and held is not None
    first.refusals._settle(late, {"empty file": 12})
    first.refusals._release(late)
    count = the_count(ingest)
    assert (count["refused"], count["claim_id"]) == (12, held.claim_id)


def test_a_count_that_others_began_anew_is_added_to(ingest: Ingest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two find the hour passed; the second must not wipe out what the first counted."""
    refuse(ingest, 3)
    ingest.clock.advance(minutes=61)
    runtime = ingest.runtime()
    begin_anew = runtime.refusals._begin_anew

    def second(refused: Any) -> Any:
        monkeypatch.setattr(runtime.refusals, "_begin_anew", begin_anew)
        refuse(ingest, 4, start=3)
        return begin_anew(refused)

    monkeypatch.setattr(runtime.refusals, "_begin_anew", second)
    ingest.deliver(*(ingest.put(name, b"") for name in names(2, start=7)), runtime=runtime)
    count = the_count(ingest)
    assert (count["refused"], count["reason: empty file"]) == (6, 6)


def test_examples_of_others_are_enough(ingest: Ingest, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = ingest.runtime()
    add_examples = runtime.refusals._add_examples

    def second(refused: Any) -> None:
        monkeypatch.setattr(runtime.refusals, "_add_examples", add_examples)
        refuse(ingest, 3, start=20)
        add_examples(refused)

    monkeypatch.setattr(runtime.refusals, "_add_examples", second)
    ingest.deliver(*(ingest.put(name, b"") for name in names(3)), runtime=runtime)
    assert len(the_count(ingest)["examples"]) == 3


def test_a_count_that_can_not_be_written_fails_no_message(ingest: Ingest) -> None:
    broken = ingest.runtime(Failing(ingest.clients, "UpdateItem").clients, metrics_table=None)
    assert ingest.deliver(ingest.put(f"{TODAY}-a.ndjson", b""), runtime=broken) == []
    assert ingest.record(f"{TODAY}-a.ndjson")["status"] == "quarantined"
    assert ingest.reports()[-1]["errors"][-1]["subject"] == "refused files"


@pytest.mark.parametrize(
    "odd",
    [
        {"refused": {"S": "many"}},
        {"refused": {"N": "50"}, "updated_at": {"N": "7"}, "reason: empty file": {"L": []}},
        {"refused": {"N": "50"}, "examples": {"S": "none"}, "reason: x": {"S": "y"}, "first_at": {"N": "1"}},
        {"refused": {"N": "50"}, "examples": {"L": [{"S": "x"}, {"M": {}}]}},
    ],
    ids=str,
)
def test_a_count_of_another_shape_stops_no_sweep(ingest: Ingest, odd: dict[str, Any]) -> None:
    key = {"date_prefix": {"S": REFUSALS_PARTITION}, "file_key": {"S": "REFUSALS"}}
    ingest.clients.dynamodb.put_item(TableName=ingest.settings.tracking_table, Item={**key, **odd})
    ingest.deliver(ingest.put(f"{YESTERDAY}-a.ndjson"), min_files_for_partial_batch=10)
    assert ingest.sweep()["flushed"] == {YESTERDAY: 1}


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ({}, False),
        ({"refused": 9}, False),
        ({"refused": 10}, True),
        ({"refused": 99, "alerted_at": utc_timestamp(NOON - timedelta(minutes=59))}, False),
        ({"refused": 99, "alerted_at": utc_timestamp(NOON - timedelta(minutes=60))}, True),
        ({"refused": 99, "claimed_at": utc_timestamp(NOON - CLAIM_LIFE + timedelta(seconds=1))}, False),
        ({"refused": 99, "claimed_at": utc_timestamp(NOON - CLAIM_LIFE)}, True),
    ],
)
def test_when_an_alert_is_due(item: dict[str, Any], expected: bool) -> None:
    assert is_due(item, 10, NOON) is expected
