"""Any JSON anywhere in a well-formed event: no neighbour harmed, nothing forgotten or taken from others."""

import copy
import itertools
import json
import os
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote_plus

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ndjson_pipeline_tests.lambda_ingest.harness import TODAY, Ingest, as_bridge_event, message, sns_message

STRANGER = "stranger"
PREFIX = "pipeline/input/"
# What somebody would put there who knows the code.
PLAUSIBLE = st.sampled_from(
    [
        *(
            STRANGER,
            "",
            "elsewhere/x.csv",
            f"{PREFIX}.x",
            f"{PREFIX}{TODAY}-a.ndjson.tmp",
            f"{PREFIX}x/",
            PREFIX,
        ),
        *(f"{PREFIX}%FF", f"{PREFIX}{TODAY}-%00.ndjson", f"{PREFIX}\ud800", f"{PREFIX}{TODAY}-gone.ndjson"),
        *("ObjectRemoved:Delete", "s3:TestEvent", "Object Deleted", "INSERT", "aws:dynamodb", "aws.ec2"),
        *("9999-12-31T23:59:59-14:00", "0000-01-01T00:00:00Z", "2020-01-01T00:00:00Z", "null"),
        *("SubscriptionConfirmation", "{}", '{"Records": []}', "\x00", "\u202e", "x" * 5_000),
        *(0, -1, 10**40, 1.5, float("inf"), float("nan"), None, True, [], {}, [[]] * 3),
        *({"Event": "s3:TestEvent"}, {"Records": []}, [{"eventName": "ObjectCreated:Put"}]),
    ]
)
ANY_JSON = PLAUSIBLE | st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
FIELDS = st.sampled_from(
    [
        "Records",
        "Event",
        "Type",
        "Message",
        "detail",
        "detail-type",
        "source",
        "eventSource",
        "s3",
        "key",
        "x",
    ]
)
OTHER_EVENTS = ("ObjectRemoved", "Object Deleted")


def places(document: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every value, that of the document first."""
    yield path
    if isinstance(document, dict):
        for name, inner in document.items():
            yield from places(inner, (*path, name))
    elif isinstance(document, list):
        for position, inner in enumerate(document):
            yield from places(inner, (*path, position))


def changed(data: st.DataObject, document: Any) -> Any:
    """Replace, delete or add something at some place."""
    document = copy.deepcopy(document)
    path = data.draw(st.sampled_from(list(places(document))))
    what = data.draw(st.sampled_from(["replace", "delete", "add"]))
    if not path:
        return data.draw(ANY_JSON) if what == "replace" else document
    *above, last = path
    parent = document
    for step in above:
        parent = parent[step]
    if what == "replace":
        parent[last] = data.draw(ANY_JSON)
    elif what == "delete":
        del parent[last]
    elif isinstance(parent, list):
        parent.insert(last, data.draw(ANY_JSON))
    else:
        parent[data.draw(FIELDS)] = data.draw(ANY_JSON)
    return document


def texts(document: Any) -> set[str]:
    """Return every text of a document, as it stands and decoded; those within a text that is JSON, too."""
    found: set[str] = set()
    if isinstance(document, dict):
        return found.union(*(texts(inner) for inner in document.values()))
    if isinstance(document, list):
        return found.union(*(texts(inner) for inner in document))
    if not isinstance(document, str):
        return found
    try:
        inner = json.loads(document)
    except (ValueError, RecursionError):
        inner = None
    return {document, unquote_plus(document)} | (texts(inner) if isinstance(inner, dict | list) else set())


class Recorder:
    """Keeps what is asked of S3: the bucket and key of each request, and of what it copies."""

    def __init__(self, ingest: Ingest) -> None:
        self.touched: set[tuple[str, str]] = set()
        ingest.clients.s3.meta.events.register("before-parameter-build.s3", self._note)
        self._events = ingest.clients.s3.meta.events

    def _note(self, params: dict[str, Any], **_: Any) -> None:
        self.touched.add((params["Bucket"], params.get("Key", "")))
        if isinstance(source := params.get("CopySource"), dict):
            self.touched.add((source["Bucket"], source["Key"]))

    def close(self) -> None:
        self._events.unregister("before-parameter-build.s3", self._note)


SHAPES = {
    "notification": lambda event: {"Records": [event]},
    "bridge": as_bridge_event,
    "notification by SNS": lambda event: sns_message({"Records": [event]}),
    "bridge by SNS": lambda event: sns_message(as_bridge_event(event)),
}
# The text that SNS wraps is changed within, too.
UNWRAPPED = {"notification by SNS": "notification", "bridge by SNS": "bridge"}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("shape", SHAPES)
def test_whatever_a_message_holds_concerns_it_alone(
    ingest: Ingest, shape: str, caplog: pytest.LogCaptureFixture
) -> None:
    numbers = itertools.count()
    ingest.clients.s3.create_bucket(Bucket=STRANGER)
    # What the bucket itself would send only costs time.
    ingest.clients.s3.put_bucket_notification_configuration(
        Bucket=ingest.settings.input_bucket or "", NotificationConfiguration={}
    )
    bucket = ingest.settings.input_bucket or ""
    # Cutting and alerts are not the question, and cost most of the time.
    runtime = ingest.runtime(metrics_table=None, max_files_per_manifest=10_000, refusal_alert_threshold=0)

    @given(st.data())
    @settings(
        max_examples=int(os.environ.get("HOSTILE_EXAMPLES", "25")),
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    def explore(data: st.DataObject) -> None:
        number = next(numbers)
        good = [f"{TODAY}-good-{number}-{side}.ndjson" for side in "ab"]
        name = f"{TODAY}-odd-{number}.ndjson"
        before, after = (ingest.put(each) for each in good)
        event = ingest.put(name)
        if shape in UNWRAPPED and data.draw(st.booleans()):
            body = sns_message(changed(data, SHAPES[UNWRAPPED[shape]](event)))
        else:
            body = changed(data, SHAPES[shape](event))
        text = json.dumps(body)
        caplog.clear()
        recorder = Recorder(ingest)
        batch = [
            message({"Records": [before]}, "a"),
            message(text, "odd"),
            message({"Records": [after]}, "b"),
        ]
        try:
            failed = ingest.deliver_messages(batch, runtime=runtime)
        finally:
            recorder.close()
        records = ingest.file_records()
        assert set(failed) <= {"odd"}
        assert all(records[each]["status"] == "pending" for each in good)
        uri = f"s3://{bucket}/{ingest.key(name)}"
        said = texts(body)
        recorded = {record["file_path"] for key, record in records.items() if key not in good}
        is_recorded = uri in recorded or any(
            path.removeprefix(f"s3://{bucket}/") in said for path in recorded
        )
        if not failed and not is_recorded:
            # Acknowledged without a record: for a reason that is true of what the message says.
            reasons = [
                " ".join(
                    [
                        entry.getMessage(),
                        *(str(entry.__dict__.get(name, "")) for name in ("reason", "outcome")),
                    ]
                )
                for entry in caplog.records
            ]
            assert any(is_true(reason, said, bucket, ingest) for reason in reasons), (text, reasons)
        ours = {bucket, ingest.settings.quarantine_bucket, ingest.settings.manifest_bucket}
        for touched_bucket, key in recorder.touched:
            assert touched_bucket in ours
            assert touched_bucket != bucket or key.startswith(PREFIX)
            assert not key.lower().endswith(".tmp") and "/." not in key

    explore()
    assert ingest.keys(STRANGER) == []


def is_true(reason: str, said: set[str], bucket: str, ingest: Ingest) -> bool:
    """Tell whether a line of the log is a reason that the message's own texts bear out."""
    keys = {text for text in said if text.startswith(PREFIX) and not text.endswith("/")}
    if "s3:TestEvent" in reason:
        return "s3:TestEvent" in said
    if "creates no object" in reason:
        return any(text.removeprefix("s3:").startswith(OTHER_EVENTS) for text in said)
    if "other bucket" in reason:
        return bucket not in said
    if "outside the input prefix" in reason:
        return not keys or not all("-odd-" in key for key in keys)
    if "folder marker" in reason:
        return any(text.endswith("/") for text in said)
    if "hidden name" in reason:
        return any("/." in text or "/_" in text for text in said)
    if "unfinished name" in reason:
        return any(text.lower().endswith(".tmp") for text in said)
    if "gone" in reason:
        return not any(key in ingest.keys(bucket) for key in keys)
    return False
