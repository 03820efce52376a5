"""What a failure leaves on a record: its alert, the next attempt, the group, and when it all expires."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from lambda_ingest.contract.dates import utc_timestamp
from lambda_ingest.contract.keys import ManifestName
from lambda_ingest.contract.records import ManifestStatus
from ndjson_pipeline.claims.alert_marks import MOST_ALERTS_DUE
from ndjson_pipeline.claims.claim import Claim
from ndjson_pipeline.claims.due_alerts import DueAlert
from ndjson_pipeline.claims.moves import Move
from ndjson_pipeline.claims.record import ManifestRecord
from ndjson_pipeline.claims.retries import FailureKind
from ndjson_pipeline.claims.store import ManifestRecordStore
from ndjson_pipeline.claims.totals import ManifestNumbers
from ndjson_pipeline.errors import StaleHolderError
from ndjson_pipeline.resources import PipelineResource
from ndjson_pipeline_tests.pipeline.harness import DATE, NOW, ManifestTable

CRASHED, NOT_STARTED = FailureKind.CRASHED, FailureKind.NOT_STARTED
TTL = timedelta(days=7)


class World:
    """Manifests, and a store whose clock a test sets."""

    def __init__(self, manifests: ManifestTable) -> None:
        self.manifests = manifests
        self.now = NOW
        deployment = manifests.deployment
        self.store = ManifestRecordStore(
            deployment.dynamodb,
            table=deployment.names.tracking_table,
            manifest_bucket=deployment.names.manifest_bucket,
            clock=lambda: self.now,
            ttl=TTL,
        )
        self.name = manifests.commit(1)

    @property
    def item(self) -> dict[str, Any]:
        return self.manifests.item(self.name)

    def read(self) -> ManifestRecord:
        record = self.store.read(self.name)
        assert record is not None
        return record

    def claim(self, run_id: str = "run-1", move: Move = Move.CLAIM) -> Claim:
        claim = self.store.claim(self.read(), run_id, move)
        assert claim is not None
        return claim

    def fail(self, run_id: str = "run-1", kind: FailureKind = FailureKind.FINAL, **values: Any) -> None:
        """Claim it, in whatever way its status allows, and fail it."""
        move = Move.RETRY if self.read().status is ManifestStatus.FAILED else Move.CLAIM
        self.store.fail(self.claim(run_id, move), f"{run_id} broke", kind, **values)

    def due(self) -> list[tuple[str, int]]:
        return [(alert.run_id, alert.attempt) for alert in self.read().alerts_due]


@pytest.fixture
def world(manifests: ManifestTable) -> World:
    return World(manifests)


class TestAlerts:
    def test_a_failure_is_due_from_the_write_that_fails_the_record(self, world: World) -> None:
        claim = world.claim()
        world.store.started(claim, "jr_1")
        world.store.fail(claim, "broken", CRASHED, glue_job_run_id="jr_1")
        assert world.read().alerts_due == (
            DueAlert("run-1", 1, "jr_1", "broken", utc_timestamp(NOW), will_retry=True),
        )
        assert world.item["alert_pending"] == "run-1"

    def test_it_outlives_the_next_attempts_claim_failure_and_completion(self, world: World) -> None:
        world.fail("run-1", CRASHED, glue_job_run_id="jr_1")
        second = world.claim("run-2", Move.RETRY)
        assert world.due() == [("run-1", 1)]
        assert world.item["alert_pending"] == "run-1"
        world.store.fail(second, "broken again", CRASHED, glue_job_run_id="jr_2")
        assert world.due() == [("run-1", 1), ("run-2", 2)]
        assert [alert.glue_job_run_id for alert in world.read().alerts_due] == ["jr_1", "jr_2"]
        assert world.item["alert_pending"] == "run-2"
        world.store.complete(world.claim("run-3", Move.RETRY), ManifestNumbers(records_processed=5))
        assert world.due() == [("run-1", 1), ("run-2", 2)]
        found, _ = world.store.alerts_pending(10)
        assert [(record.name, record.status) for record in found] == [(world.name, ManifestStatus.COMPLETED)]

    def test_what_was_published_is_no_longer_due_and_the_rest_is(self, world: World) -> None:
        world.fail("run-1", CRASHED)
        world.fail("run-2", CRASHED)
        record = world.read()
        first, second = record.alerts_due
        world.store.alerted(record, [first])
        assert (world.due(), world.item["alert_pending"]) == ([("run-2", 2)], "run-2")
        world.store.alerted(world.read(), [second])
        assert not {"alert_pending", "alerts_due"} & set(world.item)
        assert world.store.alerts_pending(10) == ([], None)

    def test_the_newest_is_published_first_and_the_older_stays_indexed(self, world: World) -> None:
        world.fail("run-1", CRASHED)
        world.fail("run-2", CRASHED)
        record = world.read()
        world.store.alerted(record, record.alerts_due[1:])
        assert (world.due(), world.item["alert_pending"]) == ([("run-1", 1)], "run-1")

    def test_a_failure_between_the_read_and_the_note_stays_due(self, world: World) -> None:
        world.fail("run-1", CRASHED)
        stale = world.read()
        world.fail("run-2", CRASHED)
        world.store.alerted(stale, stale.alerts_due)
        assert (world.due(), world.item["alert_pending"]) == ([("run-2", 2)], "run-2")

    def test_a_later_failure_of_the_same_run_is_another_one(self, world: World) -> None:
        world.fail("sensor:manifest_sensor", CRASHED)
        stale = world.read()
        world.now += timedelta(minutes=1)
        world.fail("sensor:manifest_sensor", CRASHED)
        world.store.alerted(stale, stale.alerts_due)
        assert world.due() == [("sensor:manifest_sensor", 2)]

    def test_noted_twice_it_is_noted_once(self, world: World) -> None:
        world.fail()
        record = world.read()
        world.store.alerted(record, record.alerts_due)
        before = world.item
        world.store.alerted(record, record.alerts_due)
        assert world.item == before

    def test_of_a_record_that_is_gone_none_is_made(self, world: World) -> None:
        world.fail()
        record = world.read()
        deployment = world.manifests.deployment
        deployment.dynamodb.delete_item(
            TableName=deployment.names.tracking_table,
            Key={"date_prefix": {"S": DATE}, "file_key": {"S": record.file_key}},
        )
        world.store.alerted(record, record.alerts_due)
        assert world.store.read(world.name) is None

    def test_a_failure_that_is_told_twice_is_due_once(self, world: World) -> None:
        claim = world.claim()
        for _ in range(2):
            world.store.fail(claim, "broken")
        assert world.due() == [("run-1", 1)]

    def test_where_nothing_can_be_published_the_newest_are_kept(self, world: World) -> None:
        for number in range(MOST_ALERTS_DUE + 3):
            world.fail(f"run-{number}", NOT_STARTED)
        due = world.due()
        assert len(due) == MOST_ALERTS_DUE
        assert (due[0][0], due[-1][0]) == ("run-3", f"run-{MOST_ALERTS_DUE + 2}")

    def test_long_errors_leave_the_record_room(self, world: World) -> None:
        for number in range(MOST_ALERTS_DUE + 1):
            claim = world.claim(f"run-{number}", Move.RETRY)
            world.store.fail(claim, "\U0001f525" * 10_000, NOT_STARTED)
        assert len(str(world.item["alerts_due"]).encode()) < 300_000

    def test_pages_follow_each_other_to_the_end(self, world: World) -> None:
        names = {world.name}
        for sequence in range(2, 6):
            names.add(world.manifests.commit(sequence))
        for name in names:
            record = world.store.read(name)
            assert record is not None
            claim = world.store.claim(record, f"run-{name.sequence}")
            assert claim is not None
            world.store.fail(claim, "broken")
        seen: list[ManifestName] = []
        after: dict[str, str] | None = None
        for _ in range(3):
            found, after = world.store.alerts_pending(2, after)
            seen += [record.name for record in found]
        assert after is None
        assert sorted(seen) == sorted(names)


class TestRetries:
    def due_at(self, world: World, now: datetime) -> list[ManifestName]:
        return [record.name for record in world.store.retries_due(now, 10)]

    def test_three_crashes_take_their_time(self, world: World) -> None:
        for wait in (timedelta(minutes=1), timedelta(minutes=5)):
            world.fail("run", CRASHED)
            assert self.due_at(world, world.now + wait - timedelta(seconds=1)) == []
            assert self.due_at(world, world.now + wait) == [world.name]
            world.now += wait
        world.fail("run", CRASHED)
        assert self.due_at(world, world.now + timedelta(days=365)) == []
        item = world.item
        assert (item["status"], item["attempt"], item["crashes"]) == ("failed", 3, 3)
        assert "retry_at" not in item

    def test_what_failed_by_its_data_is_not_tried_again(self, world: World) -> None:
        world.fail()
        assert self.due_at(world, NOW + timedelta(days=365)) == []

    def test_starts_that_glue_refuses_cost_no_attempt_and_wait_longer_each_time(self, world: World) -> None:
        waits = []
        for _ in range(8):
            world.fail("run", NOT_STARTED)
            record = world.read()
            assert record.retry_at is not None
            waits.append(datetime.fromisoformat(record.retry_at) - world.now)
            world.now += waits[-1]
        minutes = [wait / timedelta(minutes=1) for wait in waits]
        assert minutes == [1, 5, 25, 60, 60, 60, 60, 60]
        assert "crashes" not in world.item or world.item["crashes"] == 0

    def test_a_claim_takes_it_out_of_what_is_due(self, world: World) -> None:
        world.fail("run", CRASHED)
        world.claim("run", Move.RETRY)
        assert "retry_at" not in world.item
        assert self.due_at(world, NOW + timedelta(days=365)) == []

    def test_a_person_has_it_tried_at_once_with_all_attempts_again(self, world: World) -> None:
        for _ in range(3):
            world.fail("run", CRASHED)
        assert world.store.retry_later(world.read())
        assert self.due_at(world, world.now) == [world.name]
        world.fail("run", CRASHED)
        assert world.item["crashes"] == 1
        assert "retry_at" in world.item

    def test_no_more_are_returned_than_asked_for(self, world: World) -> None:
        for sequence in range(2, 6):
            world.manifests.commit(sequence, status="failed", attempt=1, retry_at=utc_timestamp(NOW))
        assert len(world.store.retries_due(NOW, 3)) == 3
        assert len(world.store.retries_due(NOW, 10)) == 4

    def test_those_that_wait_hide_none_that_is_due(self, world: World) -> None:
        later = utc_timestamp(NOW + timedelta(hours=1))
        for sequence in range(2, 9):
            world.manifests.commit(sequence, status="failed", attempt=1, retry_at=later)
        name = world.manifests.commit(9, status="failed", attempt=1, retry_at=utc_timestamp(NOW))
        assert [record.name for record in world.store.retries_due(NOW, 1)] == [name]


class TestGroups:
    def test_a_crash_in_company_leaves_the_size_of_the_next_group(self, world: World) -> None:
        world.fail("run", CRASHED, group_size=3)
        claim = world.claim("run", Move.RETRY)
        assert claim.record.group_size == 3
        assert world.read().group_size == 3
        world.store.fail(claim, "broken", CRASHED)
        assert world.read().group_size == 3

    def test_a_crash_in_company_is_always_followed_by_another_attempt(self, world: World) -> None:
        for size in (100, 5, 1):
            world.fail("run", CRASHED, group_size=size)
            assert world.read().retry_at is not None
        world.fail("run", CRASHED)
        assert world.read().retry_at is None

    @pytest.mark.parametrize("is_completed", [True, False])
    def test_completing_or_a_person_forgets_it(self, world: World, is_completed: bool) -> None:
        world.fail("run", CRASHED, group_size=3)
        if is_completed:
            world.store.complete(world.claim("run", Move.RETRY), ManifestNumbers(records_processed=5))
        else:
            assert world.claim("run", Move.RECLAIM).record.group_size is None
        assert not {"group_size", "crashes", "refused_starts"} & set(world.item)

    def test_a_takeover_keeps_it(self, world: World) -> None:
        world.fail("run", CRASHED, group_size=3)
        world.claim("run", Move.RETRY)
        taken = world.store.take_over(world.read(), "run-2")
        assert taken is not None
        assert (taken.record.group_size, world.read().group_size) == (3, 3)


class TestExpiry:
    def test_what_is_open_never_expires(self, world: World) -> None:
        world.manifests.put_item(**{**world.item, "ttl": 1})
        claim = world.claim()
        assert "ttl" not in world.item
        world.manifests.put_item(**{**world.item, "ttl": 1})
        taken = world.store.take_over(world.read(), "run-2")
        assert taken is not None
        assert "ttl" not in world.item
        world.store.note_left(taken, "lost sight of it")
        world.store.fail(replace(claim, run_id="run-2"), "broken")
        assert "ttl" not in world.item

    def test_what_completed_expires(self, world: World) -> None:
        world.store.complete(world.claim(), ManifestNumbers(records_processed=5))
        assert world.item["ttl"] == int((NOW + TTL).timestamp())
        world.claim("run", Move.RECLAIM)
        assert "ttl" not in world.item

    def test_a_failure_expires_once_it_was_told_and_no_attempt_follows(self, world: World) -> None:
        world.fail()
        record = world.read()
        world.now += timedelta(hours=2)
        world.store.alerted(record, record.alerts_due)
        assert world.item["ttl"] == int((world.now + TTL).timestamp())
        assert world.store.retry_later(world.read())
        assert "ttl" not in world.item

    @pytest.mark.parametrize("is_retried_after_the_read", [True, False])
    def test_a_failure_that_is_tried_again_does_not(
        self, world: World, is_retried_after_the_read: bool
    ) -> None:
        world.fail("run", FailureKind.FINAL if is_retried_after_the_read else CRASHED)
        record = world.read()
        if is_retried_after_the_read:
            assert world.store.retry_later(record)
        world.store.alerted(record, record.alerts_due)
        assert not {"ttl", "alerts_due"} & set(world.item)

    def test_a_failure_of_which_more_is_to_be_told_does_not(self, world: World) -> None:
        world.fail("run-1", CRASHED)
        world.fail("run-2")
        record = world.read()
        world.store.alerted(record, record.alerts_due[:1])
        assert "ttl" not in world.item

    def test_the_deployments_days_count(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TTL_DAYS", "90")
        store = PipelineResource().records()
        record = store.read(world.name)
        assert record is not None
        claim = store.claim(record, "run")
        assert claim is not None
        store.complete(claim, ManifestNumbers(records_processed=1))
        item = world.item
        completed = datetime.fromisoformat(item["completed_time"])
        assert item["ttl"] == int((completed + timedelta(days=90)).timestamp())


class TestFailedOfADate:
    def test_a_record_bears_its_date_while_it_has_failed(self, world: World) -> None:
        assert "failed_date" not in world.item
        world.fail("run", CRASHED)
        assert world.item["failed_date"] == DATE
        world.claim("run", Move.RETRY)
        assert "failed_date" not in world.item


def test_the_reason_why_a_run_lets_go_is_noted_and_the_record_stays_in_work(world: World) -> None:
    claim = world.claim()
    world.store.note_left(claim, "the answer was lost")
    assert (world.item["status"], world.item["error_message"]) == ("processing", "the answer was lost")
    assert "alerts_due" not in world.item
    with pytest.raises(StaleHolderError):
        world.store.note_left(replace(claim, run_id="another"), "it was lost")
    world.store.complete(claim, ManifestNumbers(records_processed=1))
    assert "error_message" not in world.item


def test_settled_failures_cost_neither_read_anything(world: World, reads: list[int]) -> None:
    deployment = world.manifests.deployment
    for sequence in range(2, 42):
        world.manifests.commit(sequence, status="failed", attempt=3, failed_date=DATE)
    reads.clear()
    assert world.store.alerts_pending(1000) == ([], None)
    assert world.store.retries_due(NOW, 1000) == []
    assert (sum(reads), len(reads)) == (0, 2), deployment


@pytest.fixture
def reads(manifests: ManifestTable) -> Iterator[list[int]]:
    """How many items each scan and query looked at."""
    seen: list[int] = []
    events = manifests.deployment.dynamodb.meta.events

    def note(parsed: dict[str, Any], **_: Any) -> None:
        seen.append(parsed["ScannedCount"])

    for operation in ("Scan", "Query"):
        events.register(f"after-call.dynamodb.{operation}", note)
    yield seen
    for operation in ("Scan", "Query"):
        events.unregister(f"after-call.dynamodb.{operation}", note)
