"""Throttling is met with patience, and contention with some."""

import random
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lambda_ingest.aws.patience import RESERVED_SECONDS, Patience, Refusal, refusal_of
from ndjson_pipeline_tests.lambda_ingest.harness import TODAY, YESTERDAY, FakeContext, Ingest, names


def refused(code: str, *reasons: str) -> ClientError:
    response: Any = {"Error": {"Code": code, "Message": "on demand"}}
    if reasons:
        response["CancellationReasons"] = [{"Code": reason} for reason in reasons]
    return ClientError(response, "Operation")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (refused("ThrottlingException"), Refusal.THROTTLED),
        (refused("ProvisionedThroughputExceededException"), Refusal.THROTTLED),
        (refused("TransactionCanceledException", "None", "ThrottlingError"), Refusal.THROTTLED),
        (refused("TransactionCanceledException", "ProvisionedThroughputExceeded"), Refusal.THROTTLED),
        (refused("TransactionCanceledException", "None", "TransactionConflict"), Refusal.CONTENDED),
        (refused("TransactionConflictException"), Refusal.CONTENDED),
        # Throttling lasts longer than a conflict, so it decides.
        (
            refused("TransactionCanceledException", "TransactionConflict", "ThrottlingError"),
            Refusal.THROTTLED,
        ),
        (refused("TransactionCanceledException", "ConditionalCheckFailed"), None),
        (refused("ConditionalCheckFailedException"), None),
        (refused("ValidationException"), None),
        (refused("TransactionCanceledException", "ValidationError"), None),
    ],
)
def test_throttling_contention_and_the_rest_are_told_apart(
    error: ClientError, expected: Refusal | None
) -> None:
    assert refusal_of(error) is expected


def patience(slept: list[float], seed: int = 1) -> Patience:
    return Patience(sleep=slept.append, draw=random.Random(seed))


def test_throttling_is_waited_for_as_long_as_there_is_time() -> None:
    slept: list[float] = []
    waits = patience(slept).waits(lambda: 60.0)
    while waits.again(Refusal.THROTTLED):
        pass
    assert 60.0 - RESERVED_SECONDS - 5.0 < sum(slept) <= 60.0 - RESERVED_SECONDS
    assert waits.waited_seconds == sum(slept)


def test_contention_is_tried_a_few_times_close_together() -> None:
    slept: list[float] = []
    waits = patience(slept).waits(lambda: 60.0)
    while waits.again(Refusal.CONTENDED):
        pass
    assert waits.tried == 10
    assert 0 < sum(slept) < 5


@pytest.mark.parametrize("refusal", list(Refusal))
def test_the_reserve_of_the_lambdas_time_is_never_slept_away(refusal: Refusal) -> None:
    slept: list[float] = []
    assert not patience(slept).waits(lambda: RESERVED_SECONDS).again(refusal)
    assert slept == []


def test_pauses_grow_and_no_two_lambdas_come_back_together() -> None:
    def pauses(seed: int) -> list[float]:
        slept: list[float] = []
        waits = patience(slept, seed).waits(lambda: 1000.0)
        for _ in range(12):
            assert waits.again(Refusal.THROTTLED)
        return slept

    several = [pauses(seed) for seed in range(200)]
    assert len({each[3] for each in several}) == 200
    longest = [max(each[number] for each in several) for number in range(12)]
    assert longest[0] <= 0.1 < longest[2] <= 0.4 < longest[-1] <= 5.0
    # Full jitter begins at nothing.
    assert min(each[-1] for each in several) < 0.5


def answering(
    monkeypatch: pytest.MonkeyPatch, client: Any, method: str, answer: Callable[[Any, Mapping[str, Any]], Any]
) -> None:
    """Let a method of a client be answered by a function that is given the method and its request."""
    original = getattr(client, method)
    monkeypatch.setattr(client, method, lambda **request: answer(original, request))


def test_unprocessed_keys_are_waited_for(ingest: Ingest, monkeypatch: pytest.MonkeyPatch) -> None:
    left = 6

    def answer(original: Any, request: Mapping[str, Any]) -> Any:
        nonlocal left
        if left:
            left -= 1
            return {"Responses": {}, "UnprocessedKeys": request["RequestItems"]}
        return original(**request)

    answering(monkeypatch, ingest.clients.dynamodb, "batch_get_item", answer)
    ingest.deliver(*(ingest.put(name) for name in names(10)))
    assert [len(manifest.files) for manifest in ingest.manifests()] == [10]
    assert len(ingest.slept) == 6


@pytest.mark.parametrize("is_whole", [False, True])
def test_a_throttled_read_ends_with_the_time_and_says_so(
    ingest: Ingest, monkeypatch: pytest.MonkeyPatch, is_whole: bool
) -> None:
    def answer(_: Any, request: Mapping[str, Any]) -> Any:
        if is_whole:
            raise refused("ProvisionedThroughputExceededException")
        return {"Responses": {}, "UnprocessedKeys": request["RequestItems"]}

    answering(monkeypatch, ingest.clients.dynamodb, "batch_get_item", answer)
    assert ingest.deliver(*(ingest.put(name) for name in names(10))) == []
    (error,) = ingest.reports()[-1]["errors"]
    assert error["kind"] == "UnreadKeysError"
    assert "throttled: raise its read capacity" in error["message"]
    assert 40 < sum(ingest.slept) <= 50
    assert ingest.locks() == []


def refusing_transactions(
    monkeypatch: pytest.MonkeyPatch, ingest: Ingest, kind: str, code: str, count: int
) -> None:
    """Refuse the first `count` transactions that have an action of a kind."""

    def answer(original: Any, request: Mapping[str, Any]) -> Any:
        nonlocal count
        if count and any(kind in action for action in request["TransactItems"]):
            count -= 1
            others = len(request["TransactItems"]) - 1
            raise refused("TransactionCanceledException", code, *["None"] * others)
        return original(**request)

    answering(monkeypatch, ingest.clients.dynamodb, "transact_write_items", answer)


@pytest.mark.parametrize("code", ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"])
@pytest.mark.parametrize("kind", ["Update", "ConditionCheck"])
def test_a_transaction_that_was_canceled_is_sent_again_after_a_pause(
    ingest: Ingest, monkeypatch: pytest.MonkeyPatch, kind: str, code: str
) -> None:
    refusing_transactions(monkeypatch, ingest, kind, code, 3)
    ingest.deliver(*(ingest.put(name) for name in names(10)), metrics_table=None)
    assert {record["status"] for record in ingest.file_records().values()} == {"manifested"}
    assert len(ingest.manifest_records()) == 1
    assert len(ingest.slept) == 3


@pytest.mark.parametrize(
    ("code", "kind", "said", "least", "most"),
    [
        ("TransactionConflict", "MarkingContentionError", "other writers held their records", 0, 5),
        ("ThrottlingError", "MarkingThrottledError", "raise its write capacity", 40, 50),
    ],
)
def test_marks_that_are_refused_for_good_say_why(
    ingest: Ingest,
    monkeypatch: pytest.MonkeyPatch,
    code: str,
    kind: str,
    said: str,
    least: float,
    most: float,
) -> None:
    refusing_transactions(monkeypatch, ingest, "Update", code, 1_000)
    ingest.deliver(*(ingest.put(name) for name in names(10)), metrics_table=None)
    (error,) = ingest.reports()[-1]["errors"]
    assert error["kind"] == kind
    assert said in error["message"]
    assert least < sum(ingest.slept) <= most
    monkeypatch.undo()
    ingest.sweep(audit=False)
    assert {record["status"] for record in ingest.file_records().values()} == {"manifested"}


def test_a_lambda_without_time_does_not_sleep(ingest: Ingest, monkeypatch: pytest.MonkeyPatch) -> None:
    remaining = iter([60.0])
    ingest.context = FakeContext(remaining=lambda: next(remaining, 5.0))
    refusing_transactions(monkeypatch, ingest, "Update", "ThrottlingError", 1_000)
    ingest.deliver(*(ingest.put(name) for name in names(10)), metrics_table=None)
    assert ingest.slept == []


def test_a_file_whose_record_is_in_a_transaction_waits_for_it(
    ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A single write is refused while a transaction is about the same item."""
    count = 2

    def answer(original: Any, request: Mapping[str, Any]) -> Any:
        nonlocal count
        if count and request["Item"]["date_prefix"] == {"S": YESTERDAY}:
            count -= 1
            raise refused("TransactionConflictException")
        return original(**request)

    answering(monkeypatch, ingest.clients.dynamodb, "put_item", answer)
    assert ingest.deliver(ingest.put(f"{YESTERDAY}-a.ndjson")) == []
    assert ingest.record(f"{YESTERDAY}-a.ndjson")["status"] == "manifested"
    assert len(ingest.slept) == 2


def test_a_lock_that_a_transaction_is_about_is_held(ingest: Ingest, monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(original: Any, request: Mapping[str, Any]) -> Any:
        if request["Item"]["file_key"] == {"S": "LOCK"}:
            raise refused("TransactionConflictException")
        return original(**request)

    answering(monkeypatch, ingest.clients.dynamodb, "put_item", answer)
    assert ingest.deliver(*(ingest.put(name) for name in names(10))) == []
    assert ingest.reports()[-1]["errors"] == []
    monkeypatch.undo()
    assert ingest.sweep(audit=False)["flushed"] == {TODAY: 10}


def test_metrics_wait_little_and_fail_nothing(
    ingest: Ingest, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    refusing_transactions(monkeypatch, ingest, "Put", "ThrottlingError", 1_000)
    assert ingest.deliver(ingest.put(f"{TODAY}-a.ndjson")) == []
    assert 0 < sum(ingest.slept) <= 2
    assert "throttled: raise its write capacity" in caplog.text


def test_metrics_of_other_writers_are_met_at_another_instant(
    ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusing_transactions(monkeypatch, ingest, "Put", "TransactionConflict", 3)
    ingest.deliver(ingest.put(f"{TODAY}-a.ndjson"))
    items = ingest.clients.dynamodb.scan(TableName=ingest.settings.metrics_table or "")["Items"]
    assert {"S": "files_processed"} in [item["metric_type"] for item in items]
