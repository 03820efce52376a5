"""Moves of manifest records on a real table: who may make them, and what they leave."""

from dataclasses import replace
from enum import Enum
from itertools import count, product

import pytest

from lambda_ingest.contract.keys import ManifestName
from lambda_ingest.contract.records import ManifestStatus
from ndjson_pipeline.claims.claim import Claim
from ndjson_pipeline.claims.moves import Move
from ndjson_pipeline.claims.record import ManifestRecord
from ndjson_pipeline.claims.store import ManifestRecordStore
from ndjson_pipeline.claims.totals import ManifestNumbers
from ndjson_pipeline.deployment.clients import Deployment
from ndjson_pipeline.errors import StaleHolderError
from ndjson_pipeline_tests.pipeline.harness import ManifestTable, make_name

PENDING, PROCESSING = ManifestStatus.PENDING, ManifestStatus.PROCESSING
COMPLETED, FAILED = ManifestStatus.COMPLETED, ManifestStatus.FAILED


class End(Enum):
    """How a run ends a manifest's record."""

    COMPLETE = "complete"
    FAIL = "fail"


CLAIM, RETRY, RECLAIM, TAKE_OVER = Move.CLAIM, Move.RETRY, Move.RECLAIM, Move.TAKE_OVER
COMPLETE, FAIL = End.COMPLETE, End.FAIL

# Each record of the table test is at attempt 3, made by run-3. Who tries to move it:
HOLDER = "holder"  # run-3 with attempt 3
STALE = "stale"  # run-2, which still has the record of attempt 2
OTHER = "other"  # run-4, which has read the record as it is

TAKES = "takes"  # processing at attempt 4
FOLLOWS = "follows"  # processing at attempt 3, held by who tries
OWN = "own"  # the claim of attempt 3 again, nothing written
MOVES = "moves"  # completed or failed at attempt 3
AGAIN = "again"  # accepted, nothing written
REFUSED = "refused"  # nothing written

EXPECTED = {
    (PENDING, CLAIM): {HOLDER: TAKES, STALE: REFUSED, OTHER: TAKES},
    (PENDING, RETRY): {HOLDER: TAKES, STALE: REFUSED, OTHER: TAKES},
    (PENDING, RECLAIM): {HOLDER: TAKES, STALE: REFUSED, OTHER: TAKES},
    (PENDING, TAKE_OVER): {HOLDER: REFUSED, STALE: REFUSED, OTHER: REFUSED},
    (PENDING, COMPLETE): {HOLDER: REFUSED, STALE: REFUSED, OTHER: REFUSED},
    (PENDING, FAIL): {HOLDER: REFUSED, STALE: REFUSED, OTHER: REFUSED},
    (PROCESSING, CLAIM): {HOLDER: OWN, STALE: REFUSED, OTHER: REFUSED},
    (PROCESSING, RETRY): {HOLDER: OWN, STALE: REFUSED, OTHER: REFUSED},
    (PROCESSING, RECLAIM): {HOLDER: OWN, STALE: REFUSED, OTHER: REFUSED},
    (PROCESSING, TAKE_OVER): {HOLDER: OWN, STALE: REFUSED, OTHER: FOLLOWS},
    (PROCESSING, COMPLETE): {HOLDER: MOVES, STALE: REFUSED, OTHER: REFUSED},
    (PROCESSING, FAIL): {HOLDER: MOVES, STALE: REFUSED, OTHER: REFUSED},
    (COMPLETED, CLAIM): {HOLDER: REFUSED, STALE: REFUSED, OTHER: REFUSED},
    (COMPLETED, RETRY): {HOLDER: REFUSED, STALE: REFUSED, OTHER: REFUSED},
    (COMPLETED, RECLAIM): {HOLDER: TAKES, STALE: REFUSED, OTHER: TAKES},
    (COMPLETED, TAKE_OVER): {HOLDER: REFUSED, STALE: REFUSED, OTHER: REFUSED},
    (COMPLETED, COMPLETE): {HOLDER: AGAIN, STALE: REFUSED, OTHER: REFUSED},
    (COMPLETED, FAIL): {HOLDER: REFUSED, STALE: REFUSED, OTHER: REFUSED},
    (FAILED, CLAIM): {HOLDER: REFUSED, STALE: REFUSED, OTHER: REFUSED},
    (FAILED, RETRY): {HOLDER: TAKES, STALE: REFUSED, OTHER: TAKES},
    (FAILED, RECLAIM): {HOLDER: TAKES, STALE: REFUSED, OTHER: TAKES},
    (FAILED, TAKE_OVER): {HOLDER: REFUSED, STALE: REFUSED, OTHER: REFUSED},
    (FAILED, COMPLETE): {HOLDER: REFUSED, STALE: REFUSED, OTHER: REFUSED},
    (FAILED, FAIL): {HOLDER: AGAIN, STALE: REFUSED, OTHER: REFUSED},
}
CASES = [
    pytest.param(status, move, who, result, id=f"{status.value}-{move.value}-by-{who}-{result}")
    for (status, move), row in EXPECTED.items()
    for who, result in row.items()
]


@pytest.fixture(scope="module")
def table(module_deployment: Deployment) -> ManifestTable:
    """One table for the module; each test has manifests of its own."""
    return ManifestTable(module_deployment)


_sequences = count(1)


@pytest.fixture
def store(table: ManifestTable) -> ManifestRecordStore:
    return table.store()


@pytest.fixture
def pending(table: ManifestTable, store: ManifestRecordStore) -> ManifestRecord:
    """A manifest as ingest commits it."""
    return read(store, table.commit(next(_sequences)))


def read(store: ManifestRecordStore, name: ManifestName) -> ManifestRecord:
    record = store.read(name)
    assert record is not None
    return record


def claimed(store: ManifestRecordStore, record: ManifestRecord, run_id: str, move: Move = CLAIM) -> Claim:
    claim = store.claim(record, run_id, move)
    assert claim is not None
    return claim


def test_the_table_of_moves_is_complete() -> None:
    assert set(EXPECTED) == set(product(ManifestStatus, [*Move, *End]))


@pytest.mark.parametrize(("status", "move", "who", "result"), CASES)
def test_a_record_moves_as_its_status_and_holder_allow(
    table: ManifestTable,
    store: ManifestRecordStore,
    status: ManifestStatus,
    move: Move | End,
    who: str,
    result: str,
) -> None:
    name = table.commit(next(_sequences), status=status.value, attempt=3, dagster_run_id="run-3")
    before = table.item(name)
    current = read(store, name)
    record = replace(current, attempt=2, dagster_run_id="run-2") if who == STALE else current
    run_id = {HOLDER: "run-3", STALE: "run-2", OTHER: "run-4"}[who]

    if move in (CLAIM, RETRY, RECLAIM, TAKE_OVER):
        claim = store.take_over(record, run_id) if move is TAKE_OVER else store.claim(record, run_id, move)
        assert (claim is None) is (result == REFUSED)
        if claim is not None:
            assert (claim.run_id, claim.attempt) == (run_id, 4 if result == TAKES else 3)
            assert claim.record.status is PROCESSING
    else:
        held = Claim(record, run_id)
        if result == REFUSED:
            with pytest.raises(StaleHolderError, match=f"attempt {record.attempt}"):
                end(store, held, move)
        else:
            end(store, held, move)

    after = table.item(name)
    if result == TAKES:
        assert (after["status"], after["attempt"], after["dagster_run_id"]) == ("processing", 4, run_id)
    elif result == FOLLOWS:
        assert (after["status"], after["attempt"], after["dagster_run_id"]) == ("processing", 3, "run-4")
    elif result == MOVES:
        ended = "completed" if move is COMPLETE else "failed"
        assert (after["status"], after["attempt"], after["dagster_run_id"]) == (ended, 3, "run-3")
    else:
        assert after == before


def end(store: ManifestRecordStore, claim: Claim, move: End) -> None:
    if move is COMPLETE:
        store.complete(claim, ManifestNumbers(records_processed=5))
    else:
        store.fail(claim, "broken")


@pytest.mark.parametrize(
    ("status", "who", "is_written"),
    [
        (PROCESSING, HOLDER, True),
        (PROCESSING, STALE, False),
        (PROCESSING, OTHER, False),
        (PENDING, HOLDER, False),
        (COMPLETED, HOLDER, False),
        (FAILED, HOLDER, False),
    ],
)
def test_only_the_holder_of_a_record_in_work_stores_its_glue_run(
    table: ManifestTable, store: ManifestRecordStore, status: ManifestStatus, who: str, is_written: bool
) -> None:
    name = table.commit(next(_sequences), status=status.value, attempt=3, dagster_run_id="run-3")
    record = read(store, name)
    claim = Claim(
        replace(record, attempt=2) if who == STALE else record,
        {HOLDER: "run-3", STALE: "run-2", OTHER: "run-4"}[who],
    )
    if is_written:
        store.started(claim, "jr_1")
        store.started(claim, "jr_1")
    else:
        with pytest.raises(StaleHolderError):
            store.started(claim, "jr_1")
    assert table.item(name).get("glue_job_run_id") == ("jr_1" if is_written else None)


def test_of_runs_that_read_the_same_record_the_first_claims_it(
    store: ManifestRecordStore, pending: ManifestRecord
) -> None:
    claims = [store.claim(pending, f"run-{number}") for number in range(5)]
    assert [claim is not None for claim in claims] == [True, False, False, False, False]
    record = read(store, pending.name)
    assert (record.dagster_run_id, record.attempt) == ("run-0", 1)


def test_of_runs_that_reclaim_the_same_record_the_first_has_it(
    store: ManifestRecordStore, pending: ManifestRecord
) -> None:
    store.fail(claimed(store, pending, "run-0"), "broken")
    failed = read(store, pending.name)
    claims = [store.claim(failed, f"run-{number}", RECLAIM) for number in (1, 2, 3)]
    assert [claim is not None for claim in claims] == [True, False, False]


def test_a_claim_that_took_effect_and_timed_out_is_its_runs_own_at_the_retry(
    store: ManifestRecordStore, pending: ManifestRecord
) -> None:
    first = claimed(store, pending, "run-1")
    again = store.claim(pending, "run-1")
    assert again is not None
    assert (again.attempt, again.run_id) == (first.attempt, "run-1")
    assert store.claim(pending, "run-2") is None


def test_every_claim_counts_the_attempt_up_and_forgets_the_last_ones_end(
    table: ManifestTable, store: ManifestRecordStore, pending: ManifestRecord
) -> None:
    first = claimed(store, pending, "run-1")
    store.started(first, "jr_1")
    store.fail(first, "broken")
    second = claimed(store, read(store, pending.name), "run-2", RECLAIM)
    assert (first.attempt, second.attempt) == (1, 2)
    forgotten = {"glue_job_run_id", "failed_time", "error_message", "completed_time", "records_processed"}
    assert not forgotten & set(table.item(pending.name))
    store.complete(second, ManifestNumbers(records_processed=12))
    item = table.item(pending.name)
    assert (item["status"], item["attempt"], item["records_processed"]) == ("completed", 2, 12)
    third = claimed(store, read(store, pending.name), "run-3", RECLAIM)
    assert third.attempt == 3
    assert not forgotten & set(table.item(pending.name))


def test_a_takeover_keeps_the_attempt_and_its_glue_run_and_shuts_the_former_holder_out(
    table: ManifestTable, store: ManifestRecordStore, pending: ManifestRecord
) -> None:
    former = claimed(store, pending, "run-1")
    store.started(former, "jr_1")
    taken = store.take_over(read(store, pending.name), "run-2")
    assert taken is not None
    assert (taken.attempt, taken.run_id, taken.record.glue_job_run_id) == (1, "run-2", "jr_1")
    assert taken.begun_at == former.record.processing_start_time
    item = table.item(pending.name)
    assert (item["attempt"], item["glue_job_run_id"], item["dagster_run_id"]) == (1, "jr_1", "run-2")
    for write in (
        lambda: store.started(former, "jr_2"),
        lambda: store.complete(former, None),
        lambda: store.fail(former, "terminated"),
    ):
        with pytest.raises(StaleHolderError, match="run-2"):
            write()
    assert table.item(pending.name) == item
    store.complete(taken, None)
    assert table.item(pending.name)["status"] == "completed"


def test_of_runs_that_take_the_same_record_over_the_first_has_it(
    store: ManifestRecordStore, pending: ManifestRecord
) -> None:
    claimed(store, pending, "run-0")
    held = read(store, pending.name)
    claims = [store.take_over(held, f"run-{number}") for number in (1, 2, 3)]
    assert [claim is not None for claim in claims] == [True, False, False]


def test_a_claim_says_whether_its_attempt_is_new_or_went_on(
    store: ManifestRecordStore, pending: ManifestRecord
) -> None:
    first = claimed(store, pending, "run-1")
    assert first.begun_at is None
    assert claimed(store, pending, "run-1").begun_at == first.record.processing_start_time


def test_a_record_without_an_attempt_counts_as_never_claimed(
    table: ManifestTable, store: ManifestRecordStore
) -> None:
    name = table.commit(next(_sequences), attempt=None)
    assert claimed(store, read(store, name), "run-1").attempt == 1


def test_a_claim_of_a_record_that_is_gone_is_refused_and_makes_none(
    table: ManifestTable, store: ManifestRecordStore, pending: ManifestRecord
) -> None:
    gone = replace(pending, name=make_name(next(_sequences)))
    assert store.claim(gone, "run-1") is None
    assert store.read(gone.name) is None
    with pytest.raises(StaleHolderError, match="gone"):
        store.complete(Claim(replace(gone, attempt=1), "run-1"), None)
    assert store.read(gone.name) is None


@pytest.mark.parametrize("move", [COMPLETE, FAIL])
def test_an_end_is_told_twice_by_its_holder_and_written_once(
    table: ManifestTable, store: ManifestRecordStore, pending: ManifestRecord, move: End
) -> None:
    claim = claimed(store, pending, "run-1")
    end(store, claim, move)
    written = table.item(pending.name)
    end(store, claim, move)
    assert table.item(pending.name) == written


@pytest.mark.parametrize(("first", "second"), [(COMPLETE, FAIL), (FAIL, COMPLETE)])
def test_an_end_is_never_turned_into_the_other(
    table: ManifestTable, store: ManifestRecordStore, pending: ManifestRecord, first: Move, second: Move
) -> None:
    claim = claimed(store, pending, "run-1")
    end(store, claim, first)
    written = table.item(pending.name)
    with pytest.raises(StaleHolderError):
        end(store, claim, second)
    assert table.item(pending.name) == written


def test_a_long_error_is_cut_to_what_an_item_holds(
    table: ManifestTable, store: ManifestRecordStore, pending: ManifestRecord
) -> None:
    claim = claimed(store, pending, "run-1")
    store.fail(claim, "x" * 1_000_000)
    assert 100 < len(table.item(pending.name)["error_message"]) < 10_000
