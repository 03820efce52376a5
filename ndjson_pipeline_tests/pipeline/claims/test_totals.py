"""A date's totals follow its manifests, whatever is repeated, refused or lost on the way."""

from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lambda_ingest.contract.clock import utc_now
from lambda_ingest.contract.items import from_item, to_item
from lambda_ingest.contract.records import ManifestStatus
from ndjson_pipeline.claims.claim import Claim
from ndjson_pipeline.claims.completion import MANIFESTS_PER_TRANSACTION, Completion
from ndjson_pipeline.claims.moves import Move
from ndjson_pipeline.claims.store import ManifestRecordStore
from ndjson_pipeline.claims.totals import (
    DateTotals,
    GlueCharge,
    ManifestNumbers,
    glue_charge_key,
    saved_percent,
    totals_key,
)
from ndjson_pipeline.errors import StaleHolderError
from ndjson_pipeline_tests.pipeline.harness import DATE, ManifestTable, client_error, make_name

EIGHT = ManifestNumbers(8, 7, 1, 1, 1, 1000, 250)
OTHER_DATE = "2026-01-29"


def times(number: int, one: ManifestNumbers = EIGHT) -> ManifestNumbers:
    return ManifestNumbers(**{name: number * value for name, value in one.to_item().items()})


@pytest.fixture
def store(manifests: ManifestTable) -> ManifestRecordStore:
    return manifests.store()


def claim(
    store: ManifestRecordStore, manifests: ManifestTable, sequence: int, date_prefix: str = DATE
) -> Claim:
    """Commit a manifest and claim it."""
    record = store.read(manifests.commit(sequence, date_prefix))
    assert record is not None
    return again(store, record.name.sequence, Move.CLAIM, date_prefix)


def again(
    store: ManifestRecordStore, sequence: int, move: Move = Move.RECLAIM, date_prefix: str = DATE
) -> Claim:
    record = store.read(make_name(sequence, date_prefix))
    assert record is not None
    held = store.claim(record, f"run-{record.attempt + 1}", move)
    assert held is not None
    return held


class Answers:
    """A client whose transactions meet errors, before they are sent or after they took effect."""

    def __init__(self, client: Any, errors: Sequence[Exception | None], *, is_done: bool = False) -> None:
        self._client = client
        self._errors = list(errors)
        self._is_done = is_done
        self.before: Callable[[], object] = lambda: None
        self.sizes: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def transact_write_items(self, **request: Any) -> Any:
        self.sizes.append(len(request["TransactItems"]))
        self.before()
        error = self._errors.pop(0) if self._errors else None
        if error is not None and not self._is_done:
            raise error
        answer = self._client.transact_write_items(**request)
        if error is not None:
            raise error
        return answer


def store_with(manifests: ManifestTable, answers: Answers, sleeps: list[float]) -> ManifestRecordStore:
    return ManifestRecordStore(
        answers,  # type: ignore[arg-type]
        table=manifests.deployment.names.tracking_table,
        manifest_bucket=manifests.deployment.names.manifest_bucket,
        clock=utc_now,
        sleep=sleeps.append,
        jitter=lambda: 1.0,
    )


def canceled(code: str, actions: int = 2) -> ClientError:
    reasons = [{"Code": code}, *[{"Code": "None"}] * (actions - 1)]
    error = client_error("TransactionCanceledException", "TransactWriteItems")
    error.response["CancellationReasons"] = reasons  # type: ignore[typeddict-unknown-key]
    return error


def test_a_date_without_totals_has_zeros(store: ManifestRecordStore) -> None:
    assert store.totals(DATE) == DateTotals()


def test_the_totals_of_a_date_are_those_of_all_its_manifests_and_of_no_other_date(
    store: ManifestRecordStore, manifests: ManifestTable
) -> None:
    store.complete(claim(store, manifests, 1), EIGHT)
    store.complete(claim(store, manifests, 2), EIGHT)
    store.complete(claim(store, manifests, 1, OTHER_DATE), times(3))
    totals = store.totals(DATE)
    assert (totals.manifests, totals.manifests_unreported, totals.numbers) == (2, 0, times(2))
    assert store.totals(OTHER_DATE).numbers == times(3)


def test_a_run_of_several_dates_completes_each_for_itself(
    store: ManifestRecordStore, manifests: ManifestTable
) -> None:
    dates = (DATE, OTHER_DATE, DATE)
    claims = [claim(store, manifests, place, date) for place, date in enumerate(dates, 1)]
    assert store.complete_all([Completion(one, EIGHT) for one in claims]) == []
    assert [store.totals(date).numbers for date in (DATE, OTHER_DATE)] == [times(2), EIGHT]


def test_a_manifest_converted_again_replaces_its_former_numbers(
    store: ManifestRecordStore, manifests: ManifestTable
) -> None:
    store.complete(claim(store, manifests, 1), times(5))
    store.complete(claim(store, manifests, 2), EIGHT)
    store.complete(again(store, 1), times(2))
    totals = store.totals(DATE)
    assert (totals.manifests, totals.numbers) == (2, times(3))
    # A third time, after a failure between.
    store.fail(again(store, 1), "broken")
    store.complete(again(store, 1), EIGHT)
    assert store.totals(DATE).numbers == times(2)


def test_what_is_being_converted_again_or_failed_again_counts_as_the_output_that_lies_there(
    store: ManifestRecordStore, manifests: ManifestTable
) -> None:
    store.complete(claim(store, manifests, 1), EIGHT)
    before = store.totals(DATE)
    held = again(store, 1)
    assert store.totals(DATE) == before
    store.fail(held, "broken")
    assert store.totals(DATE) == before


def test_a_manifest_without_a_report_is_counted_and_told_apart(
    store: ManifestRecordStore, manifests: ManifestTable
) -> None:
    store.complete(claim(store, manifests, 1), None)
    store.complete(claim(store, manifests, 2), EIGHT)
    totals = store.totals(DATE)
    assert (totals.manifests, totals.manifests_unreported, totals.numbers) == (2, 1, EIGHT)
    assert "records_processed" not in manifests.item(make_name(1))
    store.complete(again(store, 1), EIGHT)
    totals = store.totals(DATE)
    assert (totals.manifests, totals.manifests_unreported, totals.numbers) == (2, 0, times(2))


def test_an_end_that_is_told_twice_counts_once(store: ManifestRecordStore, manifests: ManifestTable) -> None:
    held = claim(store, manifests, 1)
    store.complete(held, EIGHT)
    before = store.totals(DATE)
    store.complete(held, EIGHT)
    assert store.totals(DATE) == before


def test_a_stale_holder_changes_no_totals(store: ManifestRecordStore, manifests: ManifestTable) -> None:
    held = claim(store, manifests, 1)
    store.fail(held, "broken")
    again(store, 1)
    with pytest.raises(StaleHolderError, match="run-2"):
        store.complete(held, EIGHT)
    assert store.totals(DATE) == DateTotals()


def test_one_that_is_refused_is_taken_out_and_the_others_are_completed(
    store: ManifestRecordStore, manifests: ManifestTable
) -> None:
    claims = [claim(store, manifests, sequence) for sequence in range(1, 6)]
    store.fail(claims[2], "broken")
    again(store, 3)
    (refused,) = store.complete_all([Completion(one, EIGHT) for one in claims])
    assert refused.claim is claims[2]
    assert "run-2" in str(refused.error)
    statuses = [manifests.item(make_name(sequence))["status"] for sequence in range(1, 6)]
    assert statuses == ["completed", "completed", "processing", "completed", "completed"]
    totals = store.totals(DATE)
    assert (totals.manifests, totals.numbers) == (4, times(4))


def test_more_manifests_than_a_transaction_takes_are_completed_by_bounded_ones(
    manifests: ManifestTable, store: ManifestRecordStore
) -> None:
    held = [claim(store, manifests, sequence) for sequence in range(1, MANIFESTS_PER_TRANSACTION + 3)]
    answers = Answers(manifests.deployment.dynamodb, [])
    writer = store_with(manifests, answers, [])
    assert writer.complete_all([Completion(one, EIGHT) for one in held]) == []
    assert answers.sizes == [MANIFESTS_PER_TRANSACTION + 1, 3]
    assert MANIFESTS_PER_TRANSACTION + 1 == 100
    totals = store.totals(DATE)
    assert (totals.manifests, totals.numbers) == (101, times(101))
    assert manifests.item(make_name(101))["records_processed"] == 7


@pytest.mark.parametrize(
    "error",
    [
        canceled("TransactionConflict"),
        canceled("ThrottlingError"),
        canceled("ProvisionedThroughputExceeded"),
        client_error("TransactionInProgressException"),
        client_error("ThrottlingException"),
    ],
)
def test_conflicts_and_throttling_are_met_with_growing_pauses(
    manifests: ManifestTable, store: ManifestRecordStore, error: ClientError
) -> None:
    held = claim(store, manifests, 1)
    sleeps: list[float] = []
    store_with(manifests, Answers(manifests.deployment.dynamodb, [error] * 4), sleeps).complete(held, EIGHT)
    assert sleeps == sorted(set(sleeps))
    assert len(sleeps) == 4
    assert store.totals(DATE).numbers == EIGHT


@pytest.mark.parametrize(
    "error", [canceled("ThrottlingError"), client_error("ProvisionedThroughputExceededException")]
)
def test_a_throttled_transaction_is_made_smaller_and_loses_none(
    manifests: ManifestTable, store: ManifestRecordStore, error: ClientError
) -> None:
    held = [claim(store, manifests, sequence) for sequence in range(1, 9)]
    answers = Answers(manifests.deployment.dynamodb, [error] * 6)
    store_with(manifests, answers, []).complete_all([Completion(one, EIGHT) for one in held])
    assert answers.sizes[:5] == [9, 9, 9, 9, 7]
    assert store.totals(DATE).manifests == 8


def test_patience_ends_with_the_service_s_own_error_and_nothing_half_written(
    manifests: ManifestTable, store: ManifestRecordStore
) -> None:
    held = claim(store, manifests, 1)
    sleeps: list[float] = []
    answers = Answers(manifests.deployment.dynamodb, [canceled("ThrottlingError")] * 10_000)
    with pytest.raises(ClientError, match="TransactionCanceledException"):
        store_with(manifests, answers, sleeps).complete(held, EIGHT)
    assert 60 < sum(sleeps) < 600
    assert (manifests.item(make_name(1))["status"], store.totals(DATE)) == ("processing", DateTotals())


def test_any_other_refusal_is_raised_at_once(manifests: ManifestTable, store: ManifestRecordStore) -> None:
    held = claim(store, manifests, 1)
    for error in (client_error("AccessDeniedException"), canceled("ValidationError")):
        sleeps: list[float] = []
        with pytest.raises(ClientError):
            store_with(manifests, Answers(manifests.deployment.dynamodb, [error]), sleeps).complete(
                held, EIGHT
            )
        assert sleeps == []


@pytest.mark.parametrize("error", [canceled("TransactionConflict"), client_error("ThrottlingException")])
def test_a_lost_answer_counts_once(
    manifests: ManifestTable, store: ManifestRecordStore, error: ClientError
) -> None:
    """The transaction took effect; what came back told otherwise."""
    held = [claim(store, manifests, sequence) for sequence in (1, 2)]
    answers = Answers(manifests.deployment.dynamodb, [error], is_done=True)
    refused = store_with(manifests, answers, []).complete_all([Completion(one, EIGHT) for one in held])
    assert refused == []
    totals = store.totals(DATE)
    assert (totals.manifests, totals.numbers) == (2, times(2))


def test_a_record_that_counts_otherwise_than_it_was_read_is_replaced_by_what_it_says_now(
    store: ManifestRecordStore, manifests: ManifestTable
) -> None:
    store.complete(claim(store, manifests, 1), times(5))
    held = again(store, 1)
    stale = Claim(
        # As an index that lags would show it.
        type(held.record)(**{**vars(held.record), "counted": None}),
        held.run_id,
    )
    store.complete(stale, times(2))
    totals = store.totals(DATE)
    assert (totals.manifests, totals.numbers) == (1, times(2))


def test_two_runs_of_a_date_at_once_are_both_counted(
    manifests: ManifestTable, store: ManifestRecordStore
) -> None:
    first, second = claim(store, manifests, 1), claim(store, manifests, 2)
    answers = Answers(manifests.deployment.dynamodb, [canceled("TransactionConflict")])
    turns = count()
    answers.before = lambda: store.complete(second, EIGHT) if next(turns) == 0 else None
    store_with(manifests, answers, []).complete(first, EIGHT)
    assert store.totals(DATE).numbers == times(2)


def charge(run_id: str = "jr_1", **changes: Any) -> GlueCharge:
    return GlueCharge(
        **{
            "date_prefix": DATE,
            "glue_job_run_id": run_id,
            "seconds": 12.5,
            "dpu_hours": 0.05,
            "cost_usd": 0.022,
            **changes,
        }
    )


def test_a_glue_run_counts_once_a_date_whoever_settles_it(
    store: ManifestRecordStore, manifests: ManifestTable
) -> None:
    assert store.charge(charge())
    assert not store.charge(charge())
    assert store.charge(charge(date_prefix=OTHER_DATE))
    assert store.charge(charge("jr_2"))
    totals = store.totals(DATE)
    assert (totals.glue_runs, totals.glue_seconds, totals.dpu_hours, totals.cost_usd) == (2, 25.0, 0.1, 0.044)
    assert store.totals(OTHER_DATE).glue_runs == 1


def test_a_glue_run_whose_answer_was_lost_counts_once(
    store: ManifestRecordStore, manifests: ManifestTable
) -> None:
    errors = [canceled("TransactionConflict"), client_error("ThrottlingException")]
    answers = Answers(manifests.deployment.dynamodb, errors, is_done=True)
    store_with(manifests, answers, []).charge(charge())
    assert store.totals(DATE).glue_runs == 1


def test_a_glue_run_without_a_price_is_told_apart(store: ManifestRecordStore) -> None:
    store.charge(charge(dpu_hours=None, cost_usd=None))
    totals = store.totals(DATE)
    assert (totals.glue_runs, totals.glue_runs_unpriced, totals.glue_seconds) == (1, 1, 12.5)


def test_what_says_that_a_glue_run_is_counted_expires_and_the_totals_do_not(
    store: ManifestRecordStore, manifests: ManifestTable
) -> None:
    store.charge(charge())

    def item(key: dict[str, str]) -> dict[str, Any]:
        response = manifests.deployment.dynamodb.get_item(
            TableName=manifests.deployment.names.tracking_table, Key=to_item(key)
        )
        return from_item(response["Item"])

    assert item(glue_charge_key(charge()))["ttl"] > 0
    assert "ttl" not in item(totals_key(DATE))
    assert totals_key(DATE) == {"date_prefix": f"TOTALS#{DATE}", "file_key": "TOTALS"}


def test_readers_of_manifests_leave_the_totals_alone(
    store: ManifestRecordStore, manifests: ManifestTable, caplog: pytest.LogCaptureFixture
) -> None:
    store.complete(claim(store, manifests, 1), EIGHT)
    store.charge(charge())
    (record,) = store.of_date(DATE)
    assert [store.with_status(status, 10) for status in ManifestStatus] == [[], [], [record], []]
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("read", "written", "files", "saved"),
    [(1_000_000, 250_000, 1, 75.0), (90, 1_850, 1, None), (1_000_000, 250_000, 10, None), (0, 0, 0, None)],
)
def test_what_is_saved_is_told_where_files_are_large_enough_to_say(
    read: int, written: int, files: int, saved: float | None
) -> None:
    assert saved_percent(read, written, files) == saved
