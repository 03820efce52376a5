"""Any JSON anywhere in a well-formed event: no neighbour harmed, nothing forgotten or taken from others."""

import copy
import itertools
import json
import os
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote, unquote_plus

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
TIMES = (
    "9999-12-31T23:59:59-14:00",
    "0000-01-01T00:00:00Z",
    "2020-01-01T00:00:00Z",
    "9999-01-01T00:00:00Z",
    5,
)
TAGS = ("", '""', "e\r\nx", "\ud800", 7, None)
# What somebody would put at a place who knows it.
AIMED: dict[str, tuple[Any, ...]] = {
    "key": (
        *("", "elsewhere/x.csv", "elsewhere/x/", f"pipeline/inputs/{TODAY}-a.ndjson", PREFIX, f"{PREFIX}x/"),
        *(f"{PREFIX}.{TODAY}-a.ndjson", f"{PREFIX}_x/{TODAY}-a.ndjson", f"{PREFIX}{TODAY}-a.ndjson.TMP"),
        *(f"{PREFIX}%FF.ndjson", f"{PREFIX}{TODAY}-100%.ndjson", f"{PREFIX}{TODAY}-%00.ndjson"),
        *(f"{PREFIX}\ud800", f"{PREFIX}{TODAY}-gone.csv", f"{PREFIX}MANIFEST#x", f"{PREFIX}../../x.csv"),
        f"{PREFIX}\uff12{TODAY[1:]}-a.ndjson",
    ),
    "name": (STRANGER, "", f"{STRANGER}/x", "..", "\ud800", None),
    "size": (-1, 1.5, 10**40, "5", None, True, float("inf")),
    "eTag": TAGS,
    "etag": TAGS,
    "eventName": ("ObjectRemoved:Delete", "INSERT", "ObjectCreated", "s3:TestEvent", None),
    "eventSource": ("aws:dynamodb", "", None),
    "eventTime": TIMES,
    "time": TIMES,
    "source": ("aws.ec2", None),
    "detail-type": ("Object Deleted", "AWS API Call via CloudTrail", None),
    "Type": ("SubscriptionConfirmation", "x", None),
    "Message": ("", "{}", '{"Records": []}', "hello", None),
    "Records": ([], None, {}, [None]),
    "detail": ({}, None, []),
}


def places(document: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every value, that of the document first."""
    yield path
    if isinstance(document, dict):
        for name, inner in document.items():
            yield from places(inner, (*path, name))
    elif isinstance(document, list):
        for position, inner in enumerate(document):
            yield from places(inner, (*path, position))


def with_value(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    """Return a copy that has a value at a place."""
    document = copy.deepcopy(document)
    parent = document
    for step in path[:-1]:
        parent = parent[step]
    parent[path[-1]] = value
    return document


def aimed(document: Any) -> Iterator[Any]:
    """Yield the document with each of the aimed values at its place."""
    for path in places(document):
        for value in AIMED.get(path[-1], ()) if path else ():
            yield with_value(document, path, value)


def changed(data: st.DataObject, document: Any) -> Any:
    """Replace, delete or add something at some place."""
    path = data.draw(st.sampled_from(list(places(document))))
    what = data.draw(st.sampled_from(["replace", "delete", "add"]))
    if not path:
        return data.draw(ANY_JSON) if what == "replace" else document
    if what == "replace":
        return with_value(document, path, data.draw(ANY_JSON))
    document = copy.deepcopy(document)
    *above, last = path
    parent = document
    for step in above:
        parent = parent[step]
    if what == "delete":
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
        if (source := params.get("CopySource")) is not None:
            # botocore has made a path of it by now.
            bucket, _, key = source.partition("?versionId=")[0].partition("/")
            self.touched.add((bucket, unquote(key)))

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


class Judge:
    """Delivers odd messages between good ones, and judges what became of all of them."""

    def __init__(self, ingest: Ingest, shape: str, caplog: pytest.LogCaptureFixture) -> None:
        self._ingest = ingest
        self._shape = shape
        self._caplog = caplog
        self._numbers = itertools.count()
        self._bucket = ingest.settings.input_bucket or ""
        ingest.clients.s3.create_bucket(Bucket=STRANGER)
        # What the bucket itself would send only costs time.
        ingest.clients.s3.put_bucket_notification_configuration(
            Bucket=self._bucket, NotificationConfiguration={}
        )
        # Cutting and alerts are not the question, and cost most of the time.
        self._runtime = ingest.runtime(
            metrics_table=None, max_files_per_manifest=10_000, refusal_alert_threshold=0
        )

    def documents(self) -> tuple[str, Any, Any]:
        """Return a new file's name, its event's body, and the body that SNS wraps; None where it does not."""
        name = f"{TODAY}-odd-{next(self._numbers)}.ndjson"
        event = self._ingest.put(name)
        inner = SHAPES[UNWRAPPED[self._shape]](event) if self._shape in UNWRAPPED else None
        return name, SHAPES[self._shape](event), inner

    def judge(self, odd: list[tuple[str, Any]]) -> None:
        """Deliver messages about files among good neighbours, one batch."""
        ingest, bucket = self._ingest, self._bucket
        good = [f"{TODAY}-good-{next(self._numbers)}.ndjson" for _ in range(2)]
        before, after = (message({"Records": [ingest.put(each)]}, each) for each in good)
        texts_of = {name: json.dumps(body) for name, body in odd}
        self._caplog.clear()
        recorder = Recorder(ingest)
        try:
            failed = ingest.deliver_messages(
                [before, *(message(text, name) for name, text in texts_of.items()), after],
                runtime=self._runtime,
            )
        finally:
            recorder.close()
        records = ingest.file_records()
        assert set(failed) <= set(texts_of)
        assert all(records[each]["status"] == "pending" for each in good)
        recorded = {record["file_path"] for key, record in records.items() if key not in good}
        # Each line tells of one message at most; that one of them is true of it is what can be asked.
        reasons = [
            " ".join(
                [entry.getMessage(), *(str(entry.__dict__.get(name, "")) for name in ("reason", "outcome"))]
            )
            for entry in self._caplog.records
        ]
        for name, body in odd:
            said = texts(body)
            is_recorded = f"s3://{bucket}/{ingest.key(name)}" in recorded or any(
                path.removeprefix(f"s3://{bucket}/") in said for path in recorded
            )
            assert (
                name in failed
                or is_recorded
                or any(is_true(reason, said, bucket, ingest) for reason in reasons)
            ), (texts_of[name], reasons)
        ours = {bucket, ingest.settings.quarantine_bucket, ingest.settings.manifest_bucket}
        for touched_bucket, key in recorder.touched:
            assert touched_bucket in ours, (touched_bucket, key)
            assert touched_bucket != bucket or key.startswith(PREFIX), key
            below = key.removeprefix(PREFIX)
            assert not below.lower().endswith((".tmp", "/")), key
            assert touched_bucket != bucket or not any(part[:1] in {".", "_"} for part in below.split("/"))
        assert ingest.keys(STRANGER) == []


@pytest.mark.parametrize("shape", SHAPES)
def test_what_is_aimed_at_a_place_concerns_its_message_alone(
    ingest: Ingest, shape: str, caplog: pytest.LogCaptureFixture
) -> None:
    judge = Judge(ingest, shape, caplog)
    _, outer, inner = judge.documents()
    count = len(list(aimed(outer))) + len(list(aimed(inner)))
    assert count > 40
    for first in range(0, count, 8):
        odd = []
        for position in range(first, min(first + 8, count)):
            name, outer, inner = judge.documents()
            bodies = [*aimed(outer), *(sns_message(each) for each in aimed(inner))]
            odd.append((name, bodies[position]))
        judge.judge(odd)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("shape", SHAPES)
def test_whatever_a_message_holds_concerns_it_alone(
    ingest: Ingest, shape: str, caplog: pytest.LogCaptureFixture
) -> None:
    judge = Judge(ingest, shape, caplog)

    @given(st.data())
    @settings(
        max_examples=int(os.environ.get("HOSTILE_EXAMPLES", "15")),
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    def explore(data: st.DataObject) -> None:
        odd = []
        for _ in range(data.draw(st.integers(1, 8))):
            name, outer, inner = judge.documents()
            is_within = inner is not None and data.draw(st.booleans())
            odd.append((name, sns_message(changed(data, inner)) if is_within else changed(data, outer)))
        judge.judge(odd)

    explore()


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
