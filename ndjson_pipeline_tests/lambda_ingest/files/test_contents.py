"""The same bytes under another entity tag: told where S3 can tell, one alert a batch where it can't."""

import json
from dataclasses import replace
from typing import Any

import pytest

from lambda_ingest.aws.alerts import Alerts, OverwrittenFile
from lambda_ingest.aws.objects import ObjectHead
from lambda_ingest.files.contents import Likeness, compared
from ndjson_pipeline_tests.lambda_ingest.harness import NOON, TODAY, YESTERDAY, Ingest, names
from ndjson_pipeline_tests.lambda_ingest.stubs import Counting, Failing

MD5, OTHER_MD5 = "a" * 32, "b" * 32


def head(**changes: Any) -> ObjectHead:
    return replace(ObjectHead(size_bytes=3, etag="e", version_id="v", metadata={}), **changes)


@pytest.mark.parametrize(
    ("former", "present", "likeness"),
    [
        ({"size_bytes": 4}, {}, Likeness.OTHER),
        ({"size_bytes": 4, "checksums": {"CRC32": "x"}}, {"checksums": {"CRC32": "x"}}, Likeness.OTHER),
        ({"checksums": {"CRC32": "x"}}, {"checksums": {"CRC32": "x"}}, Likeness.SAME),
        ({"checksums": {"CRC32": "x"}}, {"checksums": {"CRC32": "y"}}, Likeness.OTHER),
        ({"checksums": {"CRC32": "x"}}, {"checksums": {"SHA256": "x"}}, Likeness.UNTOLD),
        (
            {"checksums": {"CRC32": "x", "SHA256": "y"}},
            {"checksums": {"CRC32": "x", "SHA256": "z"}},
            Likeness.OTHER,
        ),
        ({"checksums": {"CRC32": "x"}, "md5": MD5}, {"md5": MD5}, Likeness.SAME),
        ({"md5": MD5}, {"md5": OTHER_MD5}, Likeness.OTHER),
        ({"md5": MD5}, {}, Likeness.UNTOLD),
        ({}, {}, Likeness.UNTOLD),
    ],
)
def test_what_tells(former: dict[str, Any], present: dict[str, Any], likeness: Likeness) -> None:
    assert compared(head(**former), head(**present)).likeness is likeness


class Reencrypting:
    """An input bucket whose objects are encrypted anew in place: other entity tags, the same bytes.

    moto's entity tags are always MD5s of the content. S3's are not where an object is encrypted by KMS.
    https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html
    """

    def __init__(self, ingest: Ingest, monkeypatch: pytest.MonkeyPatch) -> None:
        self._ingest = ingest
        self._etags: dict[str, str] = {}
        head_object = ingest.clients.s3.head_object

        def head_with_etag(**request: Any) -> Any:
            answer = head_object(**request)
            etag = self._etags.get(f"{request['Key']} {answer.get('VersionId')}")
            if etag is not None:
                answer |= {"ETag": f'"{etag}"', "ServerSideEncryption": "aws:kms"}
            return answer

        monkeypatch.setattr(ingest.clients.s3, "head_object", head_with_etag)

    def put(self, name: str, body: bytes, etag: str) -> dict[str, Any]:
        event = self._ingest.put(name, body)
        described = event["s3"]["object"]
        self._etags[f"{self._ingest.key(name)} {described.get('versionId')}"] = etag
        described["eTag"] = etag
        return event


@pytest.fixture
def reencrypting(ingest: Ingest, monkeypatch: pytest.MonkeyPatch) -> Reencrypting:
    return Reencrypting(ingest, monkeypatch)


def keep_versions(ingest: Ingest) -> None:
    ingest.clients.s3.put_bucket_versioning(
        Bucket=ingest.settings.input_bucket or "", VersioningConfiguration={"Status": "Enabled"}
    )


def test_a_reencryption_of_a_versioned_bucket_alerts_nobody_and_is_asked_once(
    ingest: Ingest, reencrypting: Reencrypting, alerts: list[dict[str, Any]]
) -> None:
    keep_versions(ingest)
    ingest.deliver(*(ingest.put(name, b"same\n") for name in names(10)))
    again = [reencrypting.put(name, b"same\n", f"kms{number:029d}") for number, name in enumerate(names(10))]
    assert ingest.deliver(*again) == []
    assert alerts == []
    for number, name in enumerate(names(10)):
        record = ingest.record(name)
        assert record["alias_etag"] == f"kms{number:029d}"
        assert {"overwritten_etag", "overwrite_alert_due", "overwritten_size_bytes"}.isdisjoint(record)
    counting = Counting(ingest.clients)
    ingest.deliver(*again, runtime=ingest.runtime(counting.clients, metrics_table=None))
    assert counting.calls.count("HeadObject") == 0
    assert len(ingest.manifests()) == 1


def test_other_bytes_of_the_same_size_are_told_for_sure_in_a_versioned_bucket(
    ingest: Ingest, reencrypting: Reencrypting, alerts: list[dict[str, Any]]
) -> None:
    keep_versions(ingest)
    ingest.deliver(ingest.put(f"{YESTERDAY}-a.ndjson", b"same\n"))
    ingest.deliver(reencrypting.put(f"{YESTERDAY}-a.ndjson", b"else\n", MD5))
    (alert,) = alerts
    assert (alert["Count"], alert["Certain"], alert["Untold"]) == (1, 1, 0)
    assert "checksum changed" in alert["Files"][0]["Reason"]


def test_a_reencryption_of_a_bucket_without_versions_makes_one_alert_a_batch_and_says_so(
    ingest: Ingest, reencrypting: Reencrypting, alerts: list[dict[str, Any]]
) -> None:
    ingest.deliver(*(ingest.put(name, b"same\n") for name in names(10)))
    again = [reencrypting.put(name, b"same\n", f"kms{number:029d}") for number, name in enumerate(names(9))]
    again.append(ingest.put(f"{TODAY}-f00009.ndjson", b"longer than before\n"))
    assert ingest.deliver(*again) == []
    assert ingest.deliver(*again) == []
    (alert,) = alerts
    assert (alert["Count"], alert["Certain"], alert["Untold"]) == (10, 1, 9)
    assert {name: alert[name] for name in ("FilePath", "DatePrefix", "NewETag")} == {
        name: alert["Files"][0][name] for name in ("FilePath", "DatePrefix", "NewETag")
    }
    assert [file["Certain"] for file in alert["Files"]] == [False] * 9 + [True]
    assert all("overwrite_alert_due" not in record for record in ingest.file_records().values())


def test_a_pending_record_follows_the_new_entity_tag(
    ingest: Ingest, reencrypting: Reencrypting, alerts: list[dict[str, Any]]
) -> None:
    name = f"{TODAY}-a.ndjson"
    ingest.deliver(ingest.put(name, b"same\n"))
    ingest.deliver(reencrypting.put(name, b"same\n", MD5))
    assert ingest.record(name)["etag"] == MD5
    assert alerts == []


def test_a_reencryption_between_commit_and_mark_alerts_nobody_where_versions_tell(
    ingest: Ingest, reencrypting: Reencrypting, alerts: list[dict[str, Any]]
) -> None:
    keep_versions(ingest)
    broken = ingest.runtime(
        Failing(ingest.clients, "TransactWriteItems", after=1).clients, metrics_table=None
    )
    first = [ingest.put(name, b"same\n") for name in names(10)]
    ingest.deliver(*first, runtime=broken)
    name = f"{TODAY}-f00003.ndjson"
    ingest.deliver(reencrypting.put(name, b"same\n", MD5), max_files_per_manifest=100)
    ingest.sweep(audit=False)
    record = ingest.record(name)
    assert (record["status"], record["etag"], record["alias_etag"]) == (
        "manifested",
        first[3]["s3"]["object"]["eTag"],
        MD5,
    )
    assert record["version_id"] == first[3]["s3"]["object"]["versionId"]
    assert alerts == []


@pytest.mark.parametrize("operation", ["Publish", "UpdateItem"])
def test_an_alert_that_fails_or_is_not_noted_is_told_again(
    ingest: Ingest, alerts: list[dict[str, Any]], operation: str
) -> None:
    ingest.deliver(*(ingest.put(name) for name in names(10)))
    newer = [ingest.put(name, b"newer content\n") for name in names(3)]
    # Each overwrite is one update; the note that it was told is the next.
    after = 3 if operation == "UpdateItem" else 0
    broken = ingest.runtime(Failing(ingest.clients, operation, after=after).clients, metrics_table=None)
    assert len(ingest.deliver(*newer, runtime=broken)) == 3
    told = len(alerts)
    assert ingest.deliver(*newer) == []
    assert [alert["Count"] for alert in alerts[told:]] == [3]
    assert ingest.deliver(*newer) == []
    assert len(alerts) == told + 1


def test_contents_that_can_not_be_looked_at_are_told_as_untold(
    ingest: Ingest, alerts: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_versions(ingest)
    name = f"{YESTERDAY}-a.ndjson"
    ingest.deliver(ingest.put(name, b"same\n"))
    newer = ingest.put(name, b"else\n")
    head_object = ingest.clients.s3.head_object

    def no_checksums(**request: Any) -> Any:
        if "ChecksumMode" in request:
            return Failing(ingest.clients, "HeadObject", code="403").clients.s3.head_object(**request)
        return head_object(**request)

    monkeypatch.setattr(ingest.clients.s3, "head_object", no_checksums)
    assert ingest.deliver(newer) == []
    (alert,) = alerts
    assert (alert["Certain"], alert["Untold"]) == (0, 1)
    assert "kms:Decrypt" in alert["Files"][0]["Reason"]


def test_an_alert_stays_below_what_sns_takes_however_many_and_long(ingest: Ingest) -> None:
    published: list[dict[str, Any]] = []

    class Topic:
        def publish(self, **request: Any) -> None:
            published.append(request)

    files = [OverwrittenFile("\U0001f600" * 5_000, TODAY, "\u202e" * 900, False, "\n" * 9_000)] * 500
    topic: Any = Topic()
    Alerts(topic, topic_arn="arn", clock=lambda: NOON).overwritten(files)
    (request,) = published
    assert len(request["Message"].encode()) < 256 * 1024
    assert len(request["Subject"]) <= 100
    message = json.loads(request["Message"])
    assert message["Count"] == 500
    assert 1 <= len(message["Files"]) <= 20
    assert "\u202e" not in message["NewETag"]
    assert "\n" not in message["Files"][0]["Reason"]
