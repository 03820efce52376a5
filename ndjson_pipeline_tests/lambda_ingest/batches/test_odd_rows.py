"""One bad row stops no sweep and no date."""

from typing import Any

import pytest

from lambda_ingest.contract.keys import LAST_SEQUENCE, MANIFEST_PREFIX, ManifestName
from ndjson_pipeline_tests.lambda_ingest.harness import NOON, TODAY, YESTERDAY, Ingest, names
from ndjson_pipeline_tests.lambda_ingest.stubs import Counting, Failing

# Digits of full width.
WIDE = "\uff12\uff10\uff12\uff16-01-29"
WHEN = {"S": "2026-01-29T00:00:00.000000Z"}


def put_row(ingest: Ingest, date_prefix: str, file_key: str, **attributes: Any) -> None:
    ingest.clients.dynamodb.put_item(
        TableName=ingest.settings.tracking_table,
        Item={"date_prefix": {"S": date_prefix}, "file_key": {"S": file_key}, **attributes},
    )


def stray(ingest: Ingest, date_prefix: str, number: int, **attributes: Any) -> None:
    name = ManifestName(date_prefix, number, "deadbeef")
    put_row(ingest, date_prefix, f"MANIFEST#{name.filename}", status={"S": "pending"}, **attributes)


def sequences(ingest: Ingest) -> list[int]:
    return [manifest.name.sequence for manifest in real_manifests(ingest)]


def real_manifests(ingest: Ingest) -> list[Any]:
    store = ingest.runtime().store
    return [
        store.read(record["manifest_path"])
        for record in ingest.manifest_records()
        if "manifest_path" in record
    ]


ODD_ROWS: list[tuple[str, dict[str, Any]]] = [
    (YESTERDAY, {"pending_date": {"S": "no date"}, "created_at": WHEN}),
    ("no date", {"pending_date": {"S": "no date"}, "created_at": WHEN}),
    (WIDE, {"pending_date": {"S": WIDE}, "created_at": WHEN}),
    (TODAY, {"pending_date": {"S": YESTERDAY}, "created_at": WHEN}),
    (YESTERDAY, {"pending_date": {"S": YESTERDAY}, "created_at": {"S": "the day before"}}),
    (YESTERDAY, {"pending_date": {"S": YESTERDAY}, "created_at": {"S": "0001-01-01T00:00:00+23:59"}}),
    (YESTERDAY, {"pending_date": {"S": YESTERDAY}}),
    (YESTERDAY, {"pending_date": {"S": YESTERDAY}, "created_at": WHEN, "file_size_mb": {"S": "3.5"}}),
    (YESTERDAY, {"pending_date": {"S": YESTERDAY}, "created_at": WHEN, "file_size_mb": {"N": "1e120"}}),
    (YESTERDAY, {"pending_date": {"S": YESTERDAY}, "created_at": WHEN, "file_size_mb": {"N": "-5"}}),
]
ODD_ATTRIBUTES: list[dict[str, Any]] = [
    {},
    {"file_path": {"N": "1"}},
    {"file_path": {"S": "no uri"}},
    {"file_path": {"S": "s3://elsewhere/another/name"}},
    {"etag": {"L": []}},
    {"etag": {"SS": ["a", "b"]}},
    {"file_size_bytes": {"S": "9"}},
    {"file_size_bytes": {"N": "0.5"}},
    {"version_id": {"N": "7"}},
    {"status": {"N": "7"}},
    {"created_at": {"S": "the day before"}},
]


@pytest.mark.parametrize(("partition", "attributes"), ODD_ROWS, ids=str)
def test_an_odd_row_of_the_index_stops_no_sweep_and_no_date(
    ingest: Ingest, partition: str, attributes: dict[str, Any]
) -> None:
    put_row(ingest, partition, "odd", status={"S": "pending"}, **attributes)
    ingest.deliver(*(ingest.put(name) for name in names(3, YESTERDAY)), min_files_for_partial_batch=100)
    ingest.deliver(*(ingest.put(name) for name in names(3)))
    answer = ingest.sweep()
    assert answer["failed"] == []
    assert answer["flushed"] == {YESTERDAY: 3}
    assert answer["oldest_pending_age_seconds"] >= 0
    assert [len(manifest.files) for manifest in real_manifests(ingest)] == [3]
    ingest.deliver(*(ingest.put(name) for name in names(7, start=3)), max_batch_age_seconds=3600)
    assert [len(manifest.files) for manifest in real_manifests(ingest)] == [3, 10]


@pytest.mark.parametrize("odd", ODD_ATTRIBUTES, ids=str)
@pytest.mark.parametrize("name", ["odd", f"{YESTERDAY}-f00001.ndjson"])
def test_a_pending_row_of_another_shape_keeps_no_other_from_its_manifest(
    ingest: Ingest, odd: dict[str, Any], name: str
) -> None:
    """Also where the row stands under the key of a file that comes later."""
    shape = {
        "status": {"S": "pending"},
        "pending_date": {"S": YESTERDAY},
        "created_at": WHEN,
        "file_path": {"S": f"s3://{ingest.settings.input_bucket}/{ingest.key(name)}"},
        "etag": {"S": "e"},
        "file_size_bytes": {"N": "9"},
        **odd,
    }
    if not odd:
        shape = {key: shape[key] for key in ("status", "pending_date", "created_at")}
    put_row(ingest, YESTERDAY, name, **shape)
    assert ingest.deliver(*(ingest.put(each) for each in names(3, YESTERDAY))) == []
    ingest.clock.advance(minutes=2)
    assert ingest.sweep()["failed"] == []
    listed = [file.uri.rpartition("/")[2] for manifest in real_manifests(ingest) for file in manifest.files]
    assert len(listed) == len(set(listed))
    assert {f"{YESTERDAY}-f00000.ndjson", f"{YESTERDAY}-f00002.ndjson"} <= set(listed)
    if odd != {"status": {"N": "7"}}:
        assert f"{YESTERDAY}-f00001.ndjson" in listed
    assert all(record["files_marked"] for record in ingest.manifest_records())


@pytest.mark.parametrize(
    "strays",
    [[LAST_SEQUENCE], [LAST_SEQUENCE - 998], list(range(LAST_SEQUENCE - 30, LAST_SEQUENCE + 1))],
    ids=["the last", "a low one", "thirty one"],
)
@pytest.mark.parametrize("day", [TODAY, YESTERDAY])
@pytest.mark.parametrize("ttl_days", [30, 1])
def test_stray_rows_at_the_end_of_the_numbers_block_no_date(
    ingest: Ingest, strays: list[int], day: str, ttl_days: int
) -> None:
    changes: dict[str, Any] = {"max_files_per_manifest": 2, "ttl_days": ttl_days}
    ingest.deliver(*(ingest.put(name) for name in names(2, day)), **changes)
    for number in strays:
        stray(ingest, day, number, created_at={"S": "2099-01-01T00:00:00.000000Z"})
    ingest.deliver(*(ingest.put(name) for name in names(2, day, start=2)), **changes)
    ingest.deliver(*(ingest.put(name) for name in names(2, day, start=4)), **changes)
    assert sequences(ingest) == [1, 2, 3]


@pytest.mark.parametrize("has_real", [False, True])
def test_a_stray_object_at_the_end_of_the_numbers_blocks_no_old_date(ingest: Ingest, has_real: bool) -> None:
    changes: dict[str, Any] = {"max_files_per_manifest": 2, "ttl_days": 1}
    if has_real:
        ingest.deliver(*(ingest.put(name) for name in names(2, YESTERDAY)), **changes)
    key = ManifestName(YESTERDAY, LAST_SEQUENCE, "deadbeef").key
    ingest.clients.s3.put_object(Bucket=ingest.settings.manifest_bucket, Key=key, Body=b"{}")
    ingest.deliver(*(ingest.put(name) for name in names(2, YESTERDAY, start=2)), **changes)
    assert sequences(ingest) == ([1, 2] if has_real else [1])


def test_a_date_that_really_used_its_numbers_up_says_so(ingest: Ingest) -> None:
    for number in range(LAST_SEQUENCE - 999, LAST_SEQUENCE + 1):
        stray(ingest, TODAY, number)
    stray(ingest, TODAY, LAST_SEQUENCE - 1000)
    ingest.deliver(*(ingest.put(name) for name in names(10)))
    assert ingest.reports()[-1]["errors"][-1]["kind"] == "SequenceExhaustedError"
    assert real_manifests(ingest) == []


def test_numbers_go_on_within_the_end_where_those_below_are_used(ingest: Ingest) -> None:
    stray(ingest, TODAY, LAST_SEQUENCE - 1000)
    stray(ingest, TODAY, LAST_SEQUENCE - 999)
    stray(ingest, TODAY, LAST_SEQUENCE)
    ingest.deliver(*(ingest.put(name) for name in names(10)))
    assert sequences(ingest) == [LAST_SEQUENCE - 998]


def test_the_marks_that_the_newest_real_manifest_owes_are_found_beside_stray_rows(ingest: Ingest) -> None:
    broken = ingest.runtime(
        Failing(ingest.clients, "TransactWriteItems", after=1).clients, metrics_table=None
    )
    ingest.deliver(*(ingest.put(name) for name in names(10)), runtime=broken)
    for number in (LAST_SEQUENCE - 1, LAST_SEQUENCE):
        stray(ingest, TODAY, number, files_marked={"BOOL": False})
    ingest.sweep()
    assert {record["status"] for record in ingest.file_records().values()} == {"manifested"}
    ingest.deliver(*(ingest.put(name) for name in names(10, start=10)))
    assert sequences(ingest) == [1, 2]


def test_the_common_case_costs_one_call(ingest: Ingest) -> None:
    ingest.deliver(*(ingest.put(name) for name in names(10)))
    counting = Counting(ingest.clients)
    numbers = ingest.runtime(counting.clients).cutter._numbers.read(TODAY)
    assert numbers.newest is not None
    assert counting.calls == ["Query"]


def test_rows_of_other_shapes_among_the_manifests_are_passed_over_in_pages(ingest: Ingest) -> None:
    ingest.deliver(*(ingest.put(name) for name in names(10)))
    for number in range(250):
        put_row(ingest, TODAY, f"MANIFEST#manifest-{TODAY}-batch-{number + 100:06d}-odd")
    put_row(ingest, TODAY, f"MANIFEST#manifest-{YESTERDAY}-batch-000077-deadbeef.json")
    put_row(ingest, TODAY, "MANIFEST#manifest-9999")
    counting = Counting(ingest.clients)
    numbers = ingest.runtime(counting.clients).cutter._numbers.read(TODAY)
    assert numbers.newest is not None and numbers.newest.name.sequence == 1
    assert len(counting.calls) <= 5
    ingest.deliver(*(ingest.put(name) for name in names(10, start=10)))
    assert sequences(ingest) == [1, 2]


def test_a_record_from_the_future_makes_no_late_file_wait(ingest: Ingest) -> None:
    stray(ingest, YESTERDAY, 7, created_at={"S": "2099-01-01T00:00:00.000000Z"})
    ingest.deliver(ingest.put(f"{YESTERDAY}-a.ndjson"))
    assert sequences(ingest) == [8]


@pytest.mark.parametrize("ttl", [None, {"S": "tomorrow"}, {"N": str(int(NOON.timestamp()) * 1000)}], ids=str)
def test_a_lock_of_another_shape_is_nobodys(ingest: Ingest, ttl: Any) -> None:
    put_row(
        ingest,
        f"LOCK#manifest-{TODAY}",
        "LOCK",
        lock_id={"S": "odd"},
        **({} if ttl is None else {"ttl": ttl}),
    )
    ingest.deliver(*(ingest.put(name) for name in names(10)))
    assert sequences(ingest) == [1]


@pytest.mark.parametrize(
    "found",
    [
        {},
        {"etag": {"S": "x"}},
        {"status": {"S": "sideways"}, "etag": {"S": "x"}},
        {"status": {"N": "7"}, "etag": {"SS": ["x"]}},
    ],
    ids=str,
)
def test_a_record_that_became_another_shape_before_its_mark_blocks_no_date(
    ingest: Ingest, found: dict[str, Any]
) -> None:
    broken = ingest.runtime(
        Failing(ingest.clients, "TransactWriteItems", after=1).clients, metrics_table=None
    )
    ingest.deliver(*(ingest.put(name) for name in names(10)), runtime=broken)
    put_row(ingest, TODAY, f"{TODAY}-f00003.ndjson", **found)
    assert ingest.sweep(audit=False)["failed"] == []
    assert [record["files_marked"] for record in ingest.manifest_records()] == [True]
    assert ingest.record(f"{TODAY}-f00003.ndjson")["status"] == "manifested"


def test_a_committed_manifest_whose_object_was_changed_marks_nothing(ingest: Ingest) -> None:
    """Whoever can write the bucket could have files marked that no manifest holds."""
    broken = ingest.runtime(
        Failing(ingest.clients, "TransactWriteItems", after=1).clients, metrics_table=None
    )
    ingest.deliver(*(ingest.put(name) for name in names(10)), runtime=broken)
    ingest.deliver(ingest.put(f"{TODAY}-x.ndjson"), max_files_per_manifest=100)
    (key,) = ingest.keys(ingest.settings.manifest_bucket, MANIFEST_PREFIX)
    bucket = ingest.settings.manifest_bucket
    content = ingest.clients.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    forged = content.replace(b"f00003", b"x")
    ingest.clients.s3.put_object(Bucket=bucket, Key=key, Body=forged)
    ingest.sweep(audit=False)
    assert ingest.reports()[-1]["errors"][-1]["kind"] == "ManifestChangedError"
    assert ingest.record(f"{TODAY}-x.ndjson")["status"] == "pending"
    ingest.clients.s3.put_object(Bucket=bucket, Key=key, Body=content)
    ingest.sweep(audit=False)
    assert ingest.record(f"{TODAY}-f00003.ndjson")["status"] == "manifested"
