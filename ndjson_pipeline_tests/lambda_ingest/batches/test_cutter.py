"""The builder's protocol: batches of any size, one holder a date, whatever is half done is finished."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from lambda_ingest.batches.cutter import DateCuts
from lambda_ingest.batches.lock import DateLock
from lambda_ingest.batches.planning import PendingFile
from lambda_ingest.contract.keys import LAST_SEQUENCE
from lambda_ingest.contract.manifest import Manifest, ManifestFile
from lambda_ingest.errors import SequenceExhaustedError
from ndjson_pipeline_tests.lambda_ingest.harness import TODAY, YESTERDAY, FakeContext, Ingest, names
from ndjson_pipeline_tests.lambda_ingest.stubs import Counting, Failing


def commit_without_marks(ingest: Ingest) -> None:
    """Let a builder of ten files die between its commit and its marks."""
    dying = Failing(ingest.clients, "TransactWriteItems", after=1)
    runtime = ingest.runtime(dying.clients, metrics_table=None)
    ingest.deliver(*(ingest.put(name) for name in names(10)), runtime=runtime)


def manifest_bytes(ingest: Ingest, record: dict[str, Any]) -> bytes:
    """Return the object of a manifest's record, byte for byte."""
    key = record["manifest_path"].split("/", 3)[3]
    answer = ingest.clients.s3.get_object(Bucket=ingest.settings.manifest_bucket, Key=key)
    return answer["Body"].read()


@pytest.mark.parametrize("count", [9, 10, 11, 25])
def test_today_is_cut_at_the_full_count_and_the_rest_waits(ingest: Ingest, count: int) -> None:
    ingest.deliver(*(ingest.put(name) for name in names(count)))
    assert [len(manifest.files) for manifest in ingest.manifests()] == [10] * (count // 10)
    statuses = [record["status"] for record in ingest.file_records().values()]
    assert statuses.count("pending") == count % 10
    assert ingest.locks() == []


def test_a_date_has_one_counter_over_all_its_batches(ingest: Ingest) -> None:
    for start in (0, 10, 20):
        ingest.deliver(*(ingest.put(name) for name in names(10, start=start)))
    assert [manifest.name.sequence for manifest in ingest.manifests()] == [1, 2, 3]


def test_several_dates_of_one_invocation_are_built_each_for_itself(ingest: Ingest) -> None:
    ingest.deliver(
        *(ingest.put(name) for name in names(10)), *(ingest.put(name) for name in names(3, YESTERDAY))
    )
    assert [(m.name.date_prefix, len(m.files)) for m in ingest.manifests()] == [(YESTERDAY, 3), (TODAY, 10)]


def test_late_files_batch_and_the_rest_waits_for_the_sweep(ingest: Ingest) -> None:
    ingest.deliver(*(ingest.put(name) for name in names(25, YESTERDAY)))
    assert [len(manifest.files) for manifest in ingest.manifests()] == [10, 10]
    ingest.clock.advance(seconds=59)
    assert ingest.sweep(audit=False)["left"] == [YESTERDAY]
    ingest.clock.advance(seconds=1)
    assert ingest.sweep(audit=False)["flushed"] == {YESTERDAY: 5}


def test_one_late_file_alone_is_cut_at_once_and_those_that_follow_it_batch(ingest: Ingest) -> None:
    """200 late files, one every 20 seconds, made 200 manifests."""
    for number, name in enumerate(names(31, YESTERDAY)):
        ingest.deliver(ingest.put(name))
        if number == 0:
            assert len(ingest.manifests()) == 1
        ingest.clock.advance(seconds=5)
    assert [len(manifest.files) for manifest in ingest.manifests()] == [1, 10, 10, 10]


def test_a_late_file_after_a_quiet_while_takes_those_that_wait_along(ingest: Ingest) -> None:
    ingest.deliver(*(ingest.put(name) for name in names(1, YESTERDAY)))
    ingest.deliver(*(ingest.put(name) for name in names(3, YESTERDAY, start=1)))
    assert [len(manifest.files) for manifest in ingest.manifests()] == [1]
    ingest.clock.advance(seconds=60)
    ingest.deliver(*(ingest.put(name) for name in names(1, YESTERDAY, start=4)))
    assert [len(manifest.files) for manifest in ingest.manifests()] == [1, 4]


def test_a_late_file_that_waited_long_enough_is_cut_within_the_window(ingest: Ingest) -> None:
    ingest.deliver(*(ingest.put(name) for name in names(1, YESTERDAY)))
    ingest.deliver(*(ingest.put(name) for name in names(1, YESTERDAY, start=1)))
    ingest.clock.advance(seconds=20)
    late = ingest.put(f"{YESTERDAY}-late.ndjson")
    ingest.deliver(late, max_batch_age_seconds=20)
    assert [len(manifest.files) for manifest in ingest.manifests()] == [1, 2]


def test_after_the_window_one_sweep_leaves_no_past_date_with_pending_files(ingest: Ingest) -> None:
    ingest.deliver(*(ingest.put(name) for name in names(1, YESTERDAY)))
    # 25 files that no build has cut: its lock was held.
    lock = ingest.runtime().locks.acquire(YESTERDAY)
    assert lock is not None
    ingest.deliver(*(ingest.put(name) for name in names(25, YESTERDAY, start=1)))
    ingest.runtime().locks.release(lock)
    ingest.clock.advance(seconds=60)
    assert ingest.sweep(audit=False)["flushed"] == {YESTERDAY: 25}
    assert ingest.sweep(audit=False)["open_dates"] == []


def test_the_lock_stays_untouched_where_a_past_date_waits(ingest: Ingest) -> None:
    """One read more than today's files cost, of a past date with less than a batch alone."""
    ingest.deliver(ingest.put(f"{YESTERDAY}-a.ndjson"))
    counting = Counting(ingest.clients)
    ingest.deliver(
        ingest.put(f"{YESTERDAY}-b.ndjson"), runtime=ingest.runtime(counting.clients, metrics_table=None)
    )
    assert counting.calls == ["PutItem", "Query", "Query", "PutObject"]


def test_the_wait_is_judged_again_under_the_lock(ingest: Ingest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another builder cut the date between this one's look and its lock."""
    event = ingest.put(f"{YESTERDAY}-a.ndjson")
    ingest.deliver(event, min_files_for_partial_batch=10)
    runtime = ingest.runtime()
    acquire = runtime.locks.acquire

    def late(date_prefix: str) -> Any:
        monkeypatch.setattr(runtime.locks, "acquire", acquire)
        ingest.deliver(event)
        ingest.deliver(ingest.put(f"{YESTERDAY}-b.ndjson"))
        return acquire(date_prefix)

    monkeypatch.setattr(runtime.locks, "acquire", late)
    cuts = DateCuts(YESTERDAY)
    runtime.cutter.cut(cuts, lambda: 60.0)
    assert (cuts.manifests, cuts.waits) == ([], True)
    assert [len(manifest.files) for manifest in ingest.manifests()] == [1]


@pytest.mark.parametrize(("count", "batch"), [(99, 99), (100, 100), (101, 101), (250, 250), (201, 100)])
def test_batches_larger_than_a_transaction_are_marked_whole(ingest: Ingest, count: int, batch: int) -> None:
    ingest.deliver(*(ingest.put(name) for name in names(count)), max_files_per_manifest=batch)
    records = ingest.manifest_records()
    assert [int(record["file_count"]) for record in records] == [batch] * (count // batch)
    assert all(record["files_marked"] for record in records)
    manifested = [r for r in ingest.file_records().values() if r["status"] == "manifested"]
    assert len(manifested) == count - count % batch


def test_a_batch_is_cut_by_bytes_where_that_is_set(ingest: Ingest) -> None:
    half_mb = b"x" * 524_288
    ingest.deliver(*(ingest.put(name, half_mb) for name in names(5)), max_batch_mb=1.0)
    assert [len(manifest.files) for manifest in ingest.manifests()] == [2, 2]


def test_a_batch_is_cut_by_age_by_the_next_file(ingest: Ingest) -> None:
    ingest.deliver(ingest.put(f"{TODAY}-old.ndjson"), max_batch_age_seconds=60)
    ingest.clock.advance(seconds=61)
    ingest.deliver(ingest.put(f"{TODAY}-new.ndjson"), max_batch_age_seconds=60)
    assert [len(manifest.files) for manifest in ingest.manifests()] == [2]


def test_the_oldest_files_come_first(ingest: Ingest) -> None:
    for name in ("z", "m", "a"):
        ingest.deliver(ingest.put(f"{TODAY}-{name}.ndjson"))
        ingest.clock.advance(seconds=1)
    ingest.deliver(ingest.put(f"{TODAY}-b.ndjson"), max_files_per_manifest=2)
    listed = [[file.uri[-8] for file in manifest.files] for manifest in ingest.manifests()]
    assert listed == [["z", "m"], ["a", "b"]]


def test_the_lock_stays_untouched_where_no_batch_is_due(ingest: Ingest) -> None:
    counting = Counting(ingest.clients)
    ingest.deliver(
        ingest.put(f"{TODAY}-a.ndjson"), runtime=ingest.runtime(counting.clients, metrics_table=None)
    )
    assert counting.calls == ["PutItem", "Query", "PutObject"]


def test_a_held_lock_is_no_error_and_its_holder_or_the_sweeper_goes_on(ingest: Ingest) -> None:
    runtime = ingest.runtime()
    assert runtime.locks.acquire(TODAY) is not None
    assert ingest.deliver(*(ingest.put(name) for name in names(10))) == []
    assert ingest.manifest_records() == []
    assert ingest.reports()[-1]["errors"] == []
    ingest.clock.advance(seconds=ingest.settings.lock_ttl_seconds + 1)
    assert ingest.sweep(audit=False)["flushed"] == {TODAY: 10}


def test_an_expired_lock_is_taken_and_its_former_holder_can_neither_commit_nor_release(
    ingest: Ingest,
) -> None:
    ingest.deliver(*(ingest.put(name) for name in names(9)))
    runtime = ingest.runtime()
    former = runtime.locks.acquire(TODAY)
    assert former is not None
    assert runtime.locks.acquire(TODAY) is None
    ingest.clock.advance(seconds=ingest.settings.lock_ttl_seconds + 1)
    holder = runtime.locks.acquire(TODAY)
    assert holder is not None
    pending = runtime.pending.first(TODAY, 9).files
    files = tuple(file for _, file in runtime.pending.confirm(TODAY, pending, lambda: 60.0))
    manifest = runtime.store.plan(TODAY, 1, files)
    sha256 = runtime.store.put_object(manifest)
    assert sha256 is not None
    assert not runtime.store.commit(manifest, sha256, former, lambda: 60.0)
    runtime.locks.release(former)
    assert [lock["lock_id"] for lock in ingest.locks()] == [holder.lock_id]
    assert runtime.store.commit(manifest, sha256, holder, lambda: 60.0)


def test_a_lock_put_that_timed_out_after_it_took_effect_is_ours(ingest: Ingest) -> None:
    runtime = ingest.runtime()
    first = runtime.locks.acquire(TODAY)
    assert first is not None
    again = ingest.runtime()
    again.locks._new_id = lambda: first.lock_id
    assert again.locks.acquire(TODAY) == DateLock(TODAY, first.lock_id)


def test_what_the_index_still_shows_after_it_was_marked_goes_into_no_second_manifest(
    ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = [ingest.put(name) for name in names(20)]
    ingest.deliver(*events[:10], max_files_per_manifest=20)
    stale = ingest.runtime().pending.first(TODAY, 10)
    ingest.deliver(*events[10:])
    assert len(ingest.manifest_records()) == 2
    runtime = ingest.runtime()
    monkeypatch.setattr(runtime.pending, "first", lambda *_: stale)
    build = DateCuts(TODAY)
    runtime.cutter.cut(build, lambda: 60.0)
    assert build.manifests == []
    assert len(ingest.manifest_records()) == 2


def test_stale_entries_of_the_index_make_room_for_what_follows_them(
    ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest.deliver(*(ingest.put(name) for name in names(10)))
    ingest.deliver(*(ingest.put(name) for name in names(10, start=10)), max_files_per_manifest=100)
    runtime = ingest.runtime()
    first = runtime.pending.first

    def with_stale(date_prefix: str, limit: int) -> Any:
        page = first(date_prefix, limit)
        if not page.files:
            return page
        stale = tuple(PendingFile(name, "2026-01-30T00:00:00.000000Z", 1) for name in names(5))
        start = {
            "date_prefix": {"S": TODAY},
            "file_key": {"S": page.files[4].file_key},
            "pending_date": {"S": TODAY},
            "created_at": {"S": page.files[4].created_at},
        }
        return type(page)((*stale, *page.files[:5]), start)

    monkeypatch.setattr(runtime.pending, "first", with_stale)
    build = DateCuts(TODAY)
    runtime.cutter.cut(build, lambda: 60.0)
    assert [manifest.file_count for manifest in build.manifests] == [10]


def test_marks_that_a_dead_builder_left_are_finished_by_the_next(ingest: Ingest) -> None:
    broken = ingest.runtime(
        Failing(ingest.clients, "TransactWriteItems", after=1).clients, metrics_table=None
    )
    ingest.deliver(*(ingest.put(name) for name in names(10)), runtime=broken)
    ingest.deliver(ingest.put(f"{TODAY}-next.ndjson"))
    records = ingest.manifest_records()
    assert [record["files_marked"] for record in records] == [True]
    statuses = [record["status"] for record in ingest.file_records().values()]
    assert (statuses.count("manifested"), statuses.count("pending")) == (10, 1)


def test_content_that_changes_between_commit_and_mark_goes_into_no_second_manifest(
    ingest: Ingest, alerts: list[dict[str, Any]]
) -> None:
    broken = ingest.runtime(
        Failing(ingest.clients, "TransactWriteItems", after=1).clients, metrics_table=None
    )
    ingest.deliver(*(ingest.put(name) for name in names(10)), runtime=broken)
    changed = f"{TODAY}-f00003.ndjson"
    newer = ingest.put(changed, b"changed\n")
    # The record still reads pending, so it follows the content first.
    ingest.deliver(newer)
    ingest.sweep(audit=False)
    (manifest,) = ingest.manifests()
    record = ingest.record(changed)
    assert record["status"] == "manifested"
    assert record["etag"] == {file.uri: file.etag for file in manifest.files}[record["file_path"]]
    assert record["overwritten_etag"] == newer["s3"]["object"]["eTag"]
    assert [alert["FilePath"] for alert in alerts] == [record["file_path"]]
    ingest.deliver(newer)
    ingest.clock.advance(days=1)
    ingest.sweep(audit=False)
    assert len(ingest.manifests()) == 1
    assert len(alerts) == 1


def test_a_file_refused_between_commit_and_mark_keeps_its_batch(
    ingest: Ingest, alerts: list[dict[str, Any]]
) -> None:
    broken = ingest.runtime(
        Failing(ingest.clients, "TransactWriteItems", after=1).clients, metrics_table=None
    )
    ingest.deliver(*(ingest.put(name) for name in names(10)), runtime=broken)
    changed = f"{TODAY}-f00003.ndjson"
    ingest.deliver(ingest.put(changed, b""))
    assert ingest.record(changed)["status"] == "quarantined"
    ingest.sweep(audit=False)
    assert ingest.record(changed)["status"] == "manifested"
    assert len(alerts) == 1


def test_an_uncommitted_object_of_the_same_batch_is_taken_over(ingest: Ingest) -> None:
    broken = ingest.runtime(Failing(ingest.clients, "TransactWriteItems").clients, metrics_table=None)
    ingest.deliver(*(ingest.put(name) for name in names(10)), runtime=broken)
    (key,) = ingest.manifest_objects()
    before = ingest.clients.s3.get_object(Bucket=ingest.settings.manifest_bucket, Key=key)["Body"].read()
    ingest.clock.advance(minutes=5)
    ingest.sweep(audit=False)
    assert ingest.manifest_objects() == [key]
    after = ingest.clients.s3.get_object(Bucket=ingest.settings.manifest_bucket, Key=key)["Body"].read()
    assert after == before
    assert len(ingest.manifest_records()) == 1


def test_a_record_holds_the_sha256_of_its_objects_exact_bytes(ingest: Ingest) -> None:
    ingest.deliver(*(ingest.put(name) for name in names(10)), ingest.put(f"{YESTERDAY}-ä.ndjson"))
    records = ingest.manifest_records()
    assert len(records) == 2
    for record in records:
        assert record["manifest_sha256"] == hashlib.sha256(manifest_bytes(ingest, record)).hexdigest()


def test_a_dead_builders_object_is_adopted_by_the_sha256_of_its_own_bytes(ingest: Ingest) -> None:
    """The next builder plans the same batch at another time, so its own bytes differ."""
    broken = ingest.runtime(Failing(ingest.clients, "TransactWriteItems").clients, metrics_table=None)
    ingest.deliver(*(ingest.put(name) for name in names(10)), runtime=broken)
    ingest.clock.advance(minutes=5)
    ingest.sweep(audit=False)
    (record,) = ingest.manifest_records()
    content = manifest_bytes(ingest, record)
    assert Manifest.from_json(content).created_at < record["created_at"]
    assert record["manifest_sha256"] == hashlib.sha256(content).hexdigest()


def other_files(manifest: Manifest) -> bytes:
    return replace(manifest, files=(ManifestFile("s3://in/b", 1, "e"),)).to_json()


def other_locations(manifest: Manifest) -> bytes:
    """The same files for us, and others for the tools that read `fileLocations`."""
    document = json.loads(manifest.to_json())
    document["fileLocations"] = [{"URIPrefixes": ["s3://elsewhere/"]}]
    return json.dumps(document, ensure_ascii=False).encode()


@pytest.mark.parametrize("foreign", [other_files, other_locations, lambda _: b"{}", lambda _: b"\xff"])
def test_an_object_of_other_content_under_a_manifests_key_is_never_committed_and_blocks_nothing(
    ingest: Ingest, foreign: Callable[[Manifest], bytes]
) -> None:
    """Whoever can write the bucket can guess the next key."""
    ingest.deliver(*(ingest.put(name) for name in names(9)), max_files_per_manifest=10)
    ingest.deliver(ingest.put(f"{TODAY}-last.ndjson"), max_files_per_manifest=11)
    runtime = ingest.runtime()
    page = runtime.pending.first(TODAY, 10)
    files = tuple(file for _, file in runtime.pending.confirm(TODAY, page.files, lambda: 60.0))
    guessed = runtime.store.plan(TODAY, 1, files)
    ingest.clients.s3.put_object(
        Bucket=ingest.settings.manifest_bucket, Key=guessed.name.key, Body=foreign(guessed)
    )
    ingest.sweep(audit=False)
    (record,) = ingest.manifest_records()
    assert record["manifest_path"] != runtime.store.uri(guessed.name)
    (manifest,) = ingest.manifests()
    assert (manifest.name.sequence, manifest.files) == (2, files)
    assert record["manifest_sha256"] == hashlib.sha256(manifest_bytes(ingest, record)).hexdigest()


def test_a_date_that_used_up_its_counter_says_so(ingest: Ingest) -> None:
    with pytest.raises(SequenceExhaustedError, match="raise MAX_FILES_PER_MANIFEST"):
        ingest.runtime().store.plan(TODAY, LAST_SEQUENCE + 1, (ManifestFile("s3://in/a", 1, "e"),))


def test_a_build_stops_in_time_before_the_timeout_and_leaves_the_rest(ingest: Ingest) -> None:
    # The first look at the time comes under the lock, before the first manifest.
    remaining = iter([30.0, 5.0])
    ingest.context = FakeContext(remaining=lambda: next(remaining, 5.0))
    ingest.deliver(*(ingest.put(name) for name in names(25)))
    assert len(ingest.manifest_records()) == 1
    assert ingest.locks() == []
    ingest.context = FakeContext()
    ingest.sweep(audit=False)
    assert len(ingest.manifest_records()) == 2


def test_rows_of_other_shapes_are_skipped_with_a_warning_that_names_them(
    ingest: Ingest, caplog: pytest.LogCaptureFixture
) -> None:
    table = ingest.settings.tracking_table
    rows: list[dict[str, Any]] = [
        {"date_prefix": {"S": TODAY}, "file_key": {"S": "MANIFEST"}, "status": {"S": "pending"}},
        {"date_prefix": {"S": TODAY}, "file_key": {"S": "MANIFEST#manifest-x"}, "status": {"S": "pending"}},
        {
            "date_prefix": {"S": TODAY},
            "file_key": {"S": "no-path"},
            "status": {"S": "pending"},
            "pending_date": {"S": TODAY},
            "created_at": {"S": "2026-01-01T00:00:00.000000Z"},
        },
        {"date_prefix": {"S": TODAY}, "file_key": {"S": "odd"}, "status": {"S": "sideways"}},
    ]
    for row in rows:
        ingest.clients.dynamodb.put_item(TableName=table, Item=row)
    assert ingest.deliver(*(ingest.put(name) for name in names(11))) == []
    (committed,) = [record for record in ingest.manifest_records() if "manifest_path" in record]
    assert committed["file_count"] == 10
    warned = [record for record in caplog.records if record.levelname == "WARNING"]
    assert {getattr(record, "file_key", None) for record in warned} >= {"no-path"}
    assert any("manifest-x" in getattr(record, "reason", "") for record in warned)


def test_a_versioned_bucket_pins_each_files_version(ingest: Ingest) -> None:
    ingest.clients.s3.put_bucket_versioning(
        Bucket=ingest.settings.input_bucket or "", VersioningConfiguration={"Status": "Enabled"}
    )
    name = f"{YESTERDAY}-a.ndjson"
    first = ingest.put(name, b"first\n")
    ingest.deliver(first)
    ingest.put(name, b"second\n")
    (manifest,) = ingest.manifests()
    (file,) = manifest.files
    assert file.version_id == first["s3"]["object"]["versionId"]
    body = ingest.clients.s3.get_object(
        Bucket=ingest.settings.input_bucket or "", Key=ingest.key(name), VersionId=file.version_id or ""
    )["Body"].read()
    assert body == b"first\n"


def test_an_upload_of_the_same_content_again_is_a_duplicate_in_a_versioned_bucket_too(ingest: Ingest) -> None:
    ingest.clients.s3.put_bucket_versioning(
        Bucket=ingest.settings.input_bucket or "", VersioningConfiguration={"Status": "Enabled"}
    )
    name = f"{YESTERDAY}-a.ndjson"
    ingest.deliver(ingest.put(name))
    ingest.deliver(ingest.put(name))
    assert len(ingest.manifests()) == 1
    assert "overwritten_etag" not in ingest.record(name)


def test_a_record_is_written_as_the_contract_says(ingest: Ingest) -> None:
    event = ingest.put(f"team/{TODAY}-a.ndjson", b"x" * 1_048_576)
    ingest.deliver(event)
    record = ingest.record(f"team/{TODAY}-a.ndjson")
    assert record["date_prefix"] == TODAY
    assert record["status"] == "pending"
    assert (
        record["file_path"] == f"s3://{ingest.settings.input_bucket}/{ingest.key(f'team/{TODAY}-a.ndjson')}"
    )
    assert record["file_size_mb"] == 1
    assert record["etag"] == event["s3"]["object"]["eTag"]
    assert record["created_at"] == record["updated_at"] == "2026-01-30T12:00:00.000000Z"
    ingest.deliver(*(ingest.put(name) for name in names(9)))
    (manifest,) = ingest.manifest_records()
    assert manifest["status"] == "pending"
    assert manifest["attempt"] == 0
    assert manifest["file_count"] == 10
    stored = ingest.clients.s3.get_object(
        Bucket=ingest.settings.manifest_bucket, Key=manifest["manifest_path"].split("/", 3)[3]
    )["Body"].read()
    assert json.loads(stored)["file_count"] == 10


def test_what_is_open_never_expires(ingest: Ingest) -> None:
    """A record gets its `ttl` with its end: a file once it is manifested, a manifest later, by its run."""
    month = 30 * 86_400
    ingest.deliver(ingest.put(f"{TODAY}-a.ndjson"))
    assert "ttl" not in ingest.record(f"{TODAY}-a.ndjson")
    ingest.deliver(ingest.put(f"{TODAY}-a.ndjson", b"22\n"))
    assert "ttl" not in ingest.record(f"{TODAY}-a.ndjson")
    ingest.deliver(*(ingest.put(name) for name in names(9)))
    ends = {record["ttl"] for record in ingest.file_records().values()}
    assert ends == {int(ingest.clock.now.timestamp()) + month}
    (manifest,) = ingest.manifest_records()
    assert "ttl" not in manifest


def test_a_file_that_was_overwritten_before_its_mark_ends_with_it(ingest: Ingest) -> None:
    commit_without_marks(ingest)
    ingest.deliver(ingest.put(f"{TODAY}-f00003.ndjson", b"22\n"))
    ingest.sweep(audit=False)
    assert "ttl" in ingest.record(f"{TODAY}-f00003.ndjson")


def test_a_refused_file_ends_and_is_open_again_once_it_is_mended(ingest: Ingest) -> None:
    name = f"{TODAY}-a.ndjson"
    ingest.deliver(ingest.put(name, b""))
    record = ingest.record(name)
    assert (record["status"], record["ttl"]) == (
        "quarantined",
        int(ingest.clock.now.timestamp()) + 30 * 86_400,
    )
    ingest.deliver(ingest.put(name))
    assert ingest.record(name)["status"] == "pending"
    assert "ttl" not in ingest.record(name)


def test_what_was_committed_before_a_build_failed_is_reported(ingest: Ingest) -> None:
    commit_without_marks(ingest)
    (report,) = ingest.reports()
    (record,) = ingest.manifest_records()
    assert [manifest["manifest_path"] for manifest in report["manifests"]] == [record["manifest_path"]]
    assert report["processing_summary"]["manifests_created"] == 1
    assert report["processing_summary"]["status"] == "partial"


def test_a_dead_builders_object_that_is_old_is_left_to_the_sweep(ingest: Ingest) -> None:
    broken = Failing(ingest.clients, "TransactWriteItems")
    ingest.clock.now = datetime.now(UTC)
    day = ingest.clock.now.date().isoformat()
    runtime = ingest.runtime(broken.clients, metrics_table=None)
    ingest.deliver(*(ingest.put(name) for name in names(10, day)), runtime=runtime)
    (old,) = ingest.manifest_objects()
    ingest.clock.advance(hours=2)
    ingest.sweep(audit=False)
    (record,) = ingest.manifest_records()
    assert record["manifest_path"].endswith("batch-000002-" + record["manifest_path"][-13:])
    assert len(ingest.manifest_objects()) == 2
    ingest.clock.advance(days=1)
    assert ingest.sweep()["manifests_removed"] == [old]


def test_an_overwrite_that_was_undone_is_alerted_once_too(
    ingest: Ingest, alerts: list[dict[str, Any]]
) -> None:
    name = f"{YESTERDAY}-a.ndjson"
    first = ingest.put(name, b"1\n")
    ingest.deliver(first)
    newer = ingest.put(name, b"22\n")
    broken = ingest.runtime(Failing(ingest.clients, "Publish").clients)
    assert len(ingest.deliver(newer, runtime=broken)) == 1
    again = ingest.put(name, b"1\n")
    ingest.deliver(again)
    ingest.deliver(again)
    assert len(alerts) == 1
    assert alerts[0]["NewETag"] == newer["s3"]["object"]["eTag"]
