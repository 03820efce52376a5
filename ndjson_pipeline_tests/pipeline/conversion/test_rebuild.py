"""A run of an old date gives its manifests their records again, and no dead builder's object one."""

import logging
from datetime import timedelta
from typing import Any

import pytest

from lambda_ingest.contract.clock import utc_now
from lambda_ingest.contract.keys import ManifestName
from lambda_ingest.contract.manifest import Manifest, ManifestFile
from ndjson_pipeline.claims.restoring import RecordRestorer
from ndjson_pipeline.conversion.rebuild import rebuild_records
from ndjson_pipeline_tests.pipeline.asset_runner import Runner, statuses
from ndjson_pipeline_tests.pipeline.harness import DATE, NOW, ManifestTable, client_error, make_name

LATER = NOW + timedelta(days=60)


def put_manifest(
    manifests: ManifestTable, sequence: int, *files: str, date_prefix: str = DATE
) -> ManifestName:
    """Lay a manifest of such files down, without a record."""
    name = make_name(sequence, date_prefix)
    listed = tuple(ManifestFile(f"s3://input/pipeline/input/{file}", 1_048_576, "etag") for file in files)
    manifests.deployment.s3.put_object(
        Bucket=manifests.deployment.names.manifest_bucket,
        Key=name.key,
        Body=Manifest(name, f"{date_prefix}T12:00:00.000000Z", listed).to_json(),
    )
    return name


def put_file(manifests: ManifestTable, file: str, **attributes: Any) -> None:
    manifests.put_item(
        date_prefix=DATE,
        file_key=file,
        file_path=f"s3://input/pipeline/input/{file}",
        created_at=f"{DATE}T11:00:00.000000Z",
        **attributes,
    )


def rebuild(manifests: ManifestTable, now: Any = LATER) -> list[ManifestName]:
    log = logging.getLogger(__name__)
    return rebuild_records(manifests.deployment, manifests.store(), DATE, now, log)


def test_manifests_of_an_old_date_have_their_records_again(manifests: ManifestTable) -> None:
    names = [put_manifest(manifests, sequence, f"{DATE}-{sequence}.ndjson") for sequence in (1, 2)]
    assert rebuild(manifests) == names
    item = manifests.item(names[0])
    assert (item["status"], item["attempt"], item["file_count"], item["total_size_mb"]) == (
        "pending",
        0,
        1,
        1,
    )
    assert (item["manifest_path"], item["created_at"]) == (
        manifests.path(names[0]),
        f"{DATE}T12:00:00.000000Z",
    )
    assert "ttl" not in item
    # Doing it again finds nothing to do.
    assert rebuild(manifests) == []


def test_a_date_whose_records_cannot_have_expired_is_not_even_listed(manifests: ManifestTable) -> None:
    put_manifest(manifests, 1, f"{DATE}-1.ndjson")
    assert rebuild(manifests, NOW + timedelta(days=20)) == []
    assert manifests.store().of_date(DATE) == []


@pytest.mark.parametrize(
    "trace",
    [
        {"status": "pending"},
        {"status": "manifested", "manifest_path": f"s3://m/manifests/{DATE}/another.json"},
    ],
)
def test_an_object_that_was_never_committed_is_not_resurrected(
    manifests: ManifestTable, trace: dict[str, str]
) -> None:
    put_file(manifests, f"{DATE}-1.ndjson", **trace)
    put_manifest(manifests, 1, f"{DATE}-1.ndjson", f"{DATE}-2.ndjson")
    assert rebuild(manifests) == []
    assert manifests.store().of_date(DATE) == []


def test_a_file_that_names_the_manifest_proves_it_committed(manifests: ManifestTable) -> None:
    name = make_name(1)
    put_file(manifests, f"{DATE}-1.ndjson", status="manifested", manifest_path=manifests.path(name))
    put_manifest(manifests, 1, f"{DATE}-1.ndjson")
    assert rebuild(manifests) == [name]


def test_of_two_objects_that_list_the_same_files_the_dead_builder_s_is_left(manifests: ManifestTable) -> None:
    put_manifest(manifests, 1, f"{DATE}-1.ndjson")
    committed = put_manifest(manifests, 2, f"{DATE}-1.ndjson", f"{DATE}-2.ndjson")
    assert rebuild(manifests) == [committed]


def test_what_has_a_record_keeps_it_and_what_is_no_manifest_is_passed_over(
    manifests: ManifestTable, caplog: pytest.LogCaptureFixture
) -> None:
    known = put_manifest(manifests, 1, f"{DATE}-1.ndjson")
    manifests.commit(1, status="completed", attempt=4)
    lost = put_manifest(manifests, 2, f"{DATE}-2.ndjson")
    s3, bucket = manifests.deployment.s3, manifests.deployment.names.manifest_bucket
    for key, body in (
        ("README", b"hello"),
        (make_name(3).filename, b"not json"),
        (make_name(4).filename, Manifest(lost, "x", (ManifestFile("s3://a/b", 1, "e"),)).to_json()),
    ):
        s3.put_object(Bucket=bucket, Key=f"manifests/{DATE}/{key}", Body=body)
    assert rebuild(manifests) == [lost]
    assert statuses(manifests, [known]) == [("completed", 4)]
    assert make_name(3).filename in caplog.text
    assert make_name(4).filename in caplog.text


def test_more_manifests_than_one_page_lists_are_all_rebuilt(
    manifests: ManifestTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [put_manifest(manifests, sequence, f"{DATE}-{sequence}.ndjson") for sequence in range(1, 6)]
    s3 = manifests.deployment.s3
    original = s3.get_paginator

    def small_pages(operation: Any) -> Any:
        paginator = original(operation)

        class Pages:
            def paginate(self, **request: Any) -> Any:
                return paginator.paginate(**request, PaginationConfig={"PageSize": 2})

        return Pages()

    monkeypatch.setattr(s3, "get_paginator", small_pages)
    assert rebuild(manifests) == names


def test_a_backfill_of_a_date_whose_records_expired_converts_it(
    runner: Runner, manifests: ManifestTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ndjson_pipeline.conversion.date.utc_now", lambda: max(LATER, utc_now()))
    names = [put_manifest(manifests, sequence, f"{DATE}-{sequence}.ndjson") for sequence in (1, 2)]
    assert runner.run(runner.glue_that_converts(), None).success
    assert statuses(manifests, names) == [("completed", 1), ("completed", 1)]
    (metadata,) = runner.materializations()
    assert (metadata["manifests_completed"], metadata["records_processed"]) == (2, 14)


def test_a_run_of_the_sensor_rebuilds_nothing(
    runner: Runner, manifests: ManifestTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ndjson_pipeline.conversion.date.utc_now", lambda: max(LATER, utc_now()))
    put_manifest(manifests, 1, f"{DATE}-1.ndjson")
    other = manifests.commit(2)
    assert runner.run(runner.glue_that_converts(), [other]).success
    assert [record.name for record in manifests.store().of_date(DATE)] == [other]


def test_totals_do_not_count_a_manifest_twice_whose_record_expired(
    runner: Runner, manifests: ManifestTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ndjson_pipeline.conversion.date.utc_now", lambda: max(LATER, utc_now()))
    names = [put_manifest(manifests, sequence, f"{DATE}-{sequence}.ndjson") for sequence in (1, 2)]
    glue = runner.glue_that_converts()
    assert runner.run(glue, None).success
    deployment = manifests.deployment
    deployment.dynamodb.delete_item(
        TableName=deployment.names.tracking_table,
        Key={"date_prefix": {"S": DATE}, "file_key": {"S": f"MANIFEST#{names[0].filename}"}},
    )
    assert runner.run(glue, None).success
    newest, _first = runner.materializations()
    assert (newest["manifests_completed"], newest["records_processed"]) == (2, 14)
    # What Glue worked was worked.
    assert newest["glue_runs"] == 2


class Unwilling:
    """A client that leaves all but one key of each batch unread."""

    def __init__(self, client: Any, *, answers: bool = True) -> None:
        self._client = client
        self._answers = answers

    def batch_get_item(self, **request: Any) -> Any:
        ((table, asked),) = request["RequestItems"].items()
        first, rest = (asked["Keys"][:1], asked["Keys"][1:]) if self._answers else ([], asked["Keys"])
        found: Any = {"Responses": {}, "UnprocessedKeys": {}}
        if first:
            found = self._client.batch_get_item(RequestItems={table: {**asked, "Keys": first}})
        unread = {table: {**asked, "Keys": rest}} if rest else {}
        return {**found, "UnprocessedKeys": unread}


def test_records_that_dynamodb_leaves_unread_are_asked_for_again_after_a_pause(
    manifests: ManifestTable,
) -> None:
    for number in (1, 2, 3):
        put_file(manifests, f"{number}.ndjson", status="pending")
    sleeps: list[float] = []
    deployment = manifests.deployment

    def restorer(*, answers: bool) -> RecordRestorer:
        return RecordRestorer(
            Unwilling(deployment.dynamodb, answers=answers),  # type: ignore[arg-type]
            table=deployment.names.tracking_table,
            clock=utc_now,
            sleep=sleeps.append,
            jitter=lambda: 1.0,
        )

    names = ["1.ndjson", "2.ndjson", "3.ndjson", "4.ndjson"]
    files = {name: f"s3://input/pipeline/input/{name}" for name in names}
    assert len(list(restorer(answers=True).traces(DATE, files))) == 3
    assert len(sleeps) == 3
    with pytest.raises(Exception, match="unread"):
        list(restorer(answers=False).traces(DATE, files))


def test_the_record_of_another_buckets_file_of_the_same_name_tells_nothing(manifests: ManifestTable) -> None:
    put_file(manifests, "1.ndjson", status="pending")
    deployment = manifests.deployment
    restorer = RecordRestorer(
        deployment.dynamodb, table=deployment.names.tracking_table, clock=utc_now, sleep=lambda _: None
    )
    assert list(restorer.traces(DATE, {"1.ndjson": "s3://elsewhere/1.ndjson"})) == []


def test_an_error_of_s3_ends_the_run_and_is_not_taken_for_an_empty_date(
    manifests: ManifestTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_manifest(manifests, 1, f"{DATE}-1.ndjson")

    def refuse(**_request: Any) -> Any:
        raise client_error("AccessDenied", "GetObject")

    monkeypatch.setattr(manifests.deployment.s3, "get_object", refuse)
    with pytest.raises(Exception, match="AccessDenied"):
        rebuild(manifests)
