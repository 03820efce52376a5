"""A deployment whose whole state can be put back, and judged between any two steps."""

import hashlib
import itertools
import json
import pickle
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from moto.dynamodb.models import dynamodb_backends
from moto.s3.models import s3_backends
from moto.sns.models import sns_backends
from moto.sqs.models import sqs_backends

from lambda_ingest.contract.items import from_item
from lambda_ingest.contract.keys import split_s3_uri
from lambda_ingest.contract.manifest import Manifest
from lambda_ingest.contract.records import MANIFEST_FILE_KEY_PREFIX, REFUSALS_PARTITION
from lambda_ingest.settings import Settings
from ndjson_pipeline_tests.lambda_ingest.harness import FakeClock, Ingest
from ndjson_pipeline_tests.lambda_ingest.proofs.processes import Process, pass_on

_ACCOUNT = "123456789012"
_REGION = "us-east-1"
_REPORTS = "logs/lambda/"

# The contract's arrows, and the return of a quarantined file that its producer mended.
_FILE_ARROWS = {("pending", "manifested"), ("pending", "quarantined"), ("quarantined", "pending")}

RecordKey = tuple[str, str]


class InvariantError(AssertionError):
    """Something that must always hold does not."""


@dataclass(frozen=True)
class Snapshot:
    """The state of tables, buckets, clock and ids at one instant."""

    tables: dict[str, bytes]
    buckets: dict[str, bytes]
    now: datetime
    next_id: int


@dataclass
class History:
    """What was seen so far, against which the next look is compared."""

    manifest_bytes: dict[str, bytes] = field(default_factory=dict)
    file_statuses: dict[RecordKey, str] = field(default_factory=dict)
    manifest_of_file: dict[RecordKey, str] = field(default_factory=dict)
    manifest_records: set[RecordKey] = field(default_factory=set)

    def seen(self) -> list[Any]:
        """Return all of it, in an order that depends on nothing else."""
        kept = (self.manifest_bytes, self.file_statuses, self.manifest_of_file)
        return [*(sorted(each.items()) for each in kept), sorted(self.manifest_records)]


class World(Ingest):
    """Ingest on a moto in this process, with execution environments that crash and pause.

    State is read and put back in moto's own memory, not by calls: a proof looks at it tens of thousands of
    times, and a look must never be mistaken for a call of the code.
    """

    def __init__(self, settings: Settings, processes: Sequence[Process], clock: FakeClock) -> None:
        super().__init__(settings, processes[0].clients, clock)
        self.processes = list(processes[1:])
        self.history = History()
        dynamodb = dynamodb_backends[_ACCOUNT][_REGION]
        names = (settings.tracking_table, settings.metrics_table)
        self._tables = {name: dynamodb.tables[name] for name in names if name is not None}
        s3 = s3_backends[_ACCOUNT]["aws"]
        buckets = (settings.input_bucket, settings.manifest_bucket, settings.quarantine_bucket)
        self._buckets = {name: s3.buckets[name] for name in buckets if name is not None}
        self._queues = sqs_backends[_ACCOUNT][_REGION].queues
        self._topics = sns_backends[_ACCOUNT][_REGION].topics
        for bucket in self._buckets.values():
            # The proofs hand events over themselves; what the bucket would send only costs time.
            bucket.notification_configuration = None
        self._empty = self.snapshot()

    def reset(self, snapshot: Snapshot | None = None) -> None:
        """Put everything back to a snapshot, by default to an empty deployment at noon."""
        snapshot = snapshot or self._empty
        for name, content in snapshot.tables.items():
            self._tables[name].items = pickle.loads(content)
        for name, content in snapshot.buckets.items():
            store = self._buckets[name].keys
            dict.clear(store)
            for key, versions in pickle.loads(content):
                dict.__setitem__(store, key, versions)
        for queue in self._queues.values():
            queue._messages = []
            queue._pending_messages = set()
            queue.deleted_messages = set()
        for topic in self._topics.values():
            topic.sent_notifications = []
        self.clock.now = snapshot.now
        self._ids = itertools.count(snapshot.next_id)
        self.history = History()
        for process in self.processes:
            process.intercept = pass_on

    def snapshot(self) -> Snapshot:
        next_id = next(self._ids)
        self._ids = itertools.count(next_id)
        return Snapshot(
            tables={name: pickle.dumps(table.items) for name, table in self._tables.items()},
            buckets={
                name: pickle.dumps([(key, dict.__getitem__(bucket.keys, key)) for key in list(bucket.keys)])
                for name, bucket in self._buckets.items()
            },
            now=self.clock.now,
            next_id=next_id,
        )

    def digest(self, left: Iterable[str]) -> bytes:
        """Return what two states have in common if and only if ingest can't tell them apart.

        The Lambdas' reports are left out: ingest reads none, and they say how long each took.

        Args:
            left: the ids of messages that are still to be delivered.
        """
        tables = [
            sorted(json.dumps(item.to_json()["Attributes"], sort_keys=True) for item in _all_items(table))
            for table in self._tables.values()
        ]
        objects = [
            (name, key, version.value, version.etag, version.last_modified, sorted(version.metadata.items()))
            for name, bucket in self._buckets.items()
            for key in sorted(bucket.keys)
            if not key.startswith(_REPORTS)
            for version in dict.__getitem__(bucket.keys, key)
        ]
        messages = [sorted(entry.body for entry in queue._messages) for queue in self._queues.values()]
        told = [topic.sent_notifications for topic in self._topics.values()]
        alerts = [[notification[1] for notification in notifications] for notifications in told]
        state = (tables, objects, messages, alerts, self.clock.now, list(left), self.history.seen())
        return hashlib.sha256(repr(state).encode()).digest()

    @contextmanager
    def tables_as_of(self, snapshot: Snapshot) -> Iterator[None]:
        """Let reads see the tables as they were; a write within would be lost."""
        present = {name: table.items for name, table in self._tables.items()}
        try:
            for name, content in snapshot.tables.items():
                self._tables[name].items = pickle.loads(content)
            yield
        finally:
            for name, items in present.items():
                self._tables[name].items = items

    def items(self) -> list[dict[str, Any]]:
        table = self._tables[self.settings.tracking_table]
        return [from_item(item.to_json()["Attributes"]) for item in _all_items(table)]

    def object_bytes(self, bucket: str | None, key: str) -> bytes | None:
        versions = dict.get(self._buckets[bucket or ""].keys, key)
        return versions[-1].value if versions else None

    def object_etag(self, bucket: str | None, key: str) -> str | None:
        versions = dict.get(self._buckets[bucket or ""].keys, key)
        return versions[-1].etag.strip('"') if versions else None

    def keys(self, bucket: str | None, prefix: str = "") -> list[str]:
        return sorted(key for key in self._buckets[bucket or ""].keys if key.startswith(prefix))

    def receive(self) -> list[dict[str, Any]]:
        """Take every message off the queues, the one included that was sent in this very millisecond."""
        messages = [entry for queue in self._queues.values() for entry in queue._messages]
        for queue in self._queues.values():
            queue._messages = []
        return [{"messageId": entry.id, "body": entry.body} for entry in messages]

    def published_alerts(self) -> list[dict[str, Any]]:
        """Return what was published on the topic, as subscribers get it."""
        return [
            json.loads(notification[1])
            for topic in self._topics.values()
            for notification in topic.sent_notifications
        ]

    def committed_manifests(self) -> list[Manifest]:
        """Return what the committed manifests' objects list; I2 as far as one look can tell."""
        manifests = []
        for record in self.manifest_records():
            if "manifest_path" not in record:
                raise InvariantError(f"a manifest record without a path: {record}")
            content = self.object_bytes(*split_s3_uri(record["manifest_path"]))
            if content is None:
                raise InvariantError(f"I2: {record['manifest_path']} is committed and has no object")
            manifest = Manifest.from_json(content)
            if len(manifest.files) != record["file_count"]:
                raise InvariantError(f"I2: {record['manifest_path']} lists another number of files")
            manifests.append(manifest)
        return manifests

    def unreferenced_objects(self) -> set[str]:
        """Return the keys of manifest objects that no committed record names."""
        return set(self.manifest_objects()) - {manifest.name.key for manifest in self.committed_manifests()}

    def check_safety(self) -> None:
        """Judge what must hold between any two calls, and remember what was seen.

        Raises:
            InvariantError: names the invariant and the record or object.
        """
        self._check_manifests()
        self._check_statuses()

    def check_healed(self, accepted: Iterable[str]) -> None:
        """Judge what must hold once everything was redelivered and swept.

        Args:
            accepted: the sort keys of the files that were accepted.

        Raises:
            InvariantError: a file is lost, pending, in no or several manifests, or its object holds content
                that neither a manifest lists nor anybody was told of.
        """
        self.check_safety()
        listed: dict[str, tuple[str, str]] = {}
        for manifest, record in zip(self.committed_manifests(), self.manifest_records(), strict=True):
            for file in manifest.files:
                key = split_s3_uri(file.uri)[1].removeprefix(self.settings.input_prefix)
                listed[key] = (record["manifest_path"], file.etag)
            if not record["files_marked"]:
                raise InvariantError(f"{record['manifest_path']} is not marked as marked")
        records = self.file_records()
        alerted = {
            (file["FilePath"], file["NewETag"])
            for alert in self.published_alerts()
            if alert["Alert"] == "overwritten"
            for file in alert["Files"]
        }
        expected = set(accepted)
        if lost := expected - records.keys():
            raise InvariantError(f"I1: accepted files without a record: {sorted(lost)}")
        for key in sorted(expected):
            record = records[key]
            if record["status"] != "manifested" or "pending_date" in record:
                raise InvariantError(f"I7: {key} is {record['status']}: {record}")
            if key not in listed:
                raise InvariantError(f"I1: {key} is in no committed manifest")
            if listed[key] != (record["manifest_path"], record["etag"]):
                raise InvariantError(f"I1: {key} is in {listed[key]}, its record says {record}")
            content = self.object_etag(self.settings.input_bucket, self.key(key))
            if content != record["etag"] and (record["file_path"], content) not in alerted:
                raise InvariantError(f"I8: nobody was told that {key} has new content: {record}")
        if others := listed.keys() - expected:
            raise InvariantError(f"files in manifests that nobody accepted: {sorted(others)}")

    def check_refusals_told(self, least: int) -> None:
        """Judge that an alert told of so many refused files, and that the count is nobody's claim.

        Raises:
            InvariantError: nobody was told, or something was taken off the count that was never on it.
        """
        told = [alert["Count"] for alert in self.published_alerts() if alert["Alert"] == "refused"]
        if max(told, default=0) < least:
            raise InvariantError(f"I8: alerts told of {told} refused files, of {least}")
        counts = [item for item in self.items() if item["date_prefix"] == REFUSALS_PARTITION]
        for count in counts:
            if count["refused"] < 0 or "claim_id" in count:
                raise InvariantError(f"the count of refused files is left as {count}")

    def check_quarantined(self, key: str) -> None:
        """Judge that a refused file lies in the quarantine bucket alone, and has its record.

        Raises:
            InvariantError: it does not.
        """
        below = key.removeprefix(self.settings.input_prefix)
        places = [
            bucket
            for bucket in (self.settings.input_bucket, self.settings.quarantine_bucket)
            if self.object_bytes(bucket, key) is not None
        ]
        record = self.file_records().get(below)
        if places != [self.settings.quarantine_bucket]:
            raise InvariantError(f"{key} lies in {places}")
        if record is None or record["status"] != "quarantined" or not record.get("reason"):
            raise InvariantError(f"{key} has the record {record}")

    def check_evidence(self, expected: Mapping[bytes, int]) -> None:
        """Judge that quarantine holds these bodies, each so many times, and nothing else.

        Raises:
            InvariantError: something was overwritten, or copied twice.
        """
        bucket = self.settings.quarantine_bucket
        found = Counter(self.object_bytes(bucket, key) for key in self.keys(bucket))
        if found != Counter(expected):
            raise InvariantError(f"quarantine holds {dict(found)}, expected {dict(expected)}")

    def _check_manifests(self) -> None:
        records = {(r["date_prefix"], r["file_key"]) for r in self.manifest_records()}
        if gone := self.history.manifest_records - records:
            raise InvariantError(f"I2: committed manifests vanished: {gone}")
        self.history.manifest_records = records
        manifest_of: dict[str, str] = {}
        numbers: set[tuple[str, int]] = set()
        for manifest in self.committed_manifests():
            number = (manifest.name.date_prefix, manifest.name.sequence)
            if number in numbers:
                raise InvariantError(f"two committed manifests have the counter {number}")
            numbers.add(number)
            content = self.object_bytes(self.settings.manifest_bucket, manifest.name.key) or b""
            if self.history.manifest_bytes.setdefault(manifest.name.key, content) != content:
                raise InvariantError(f"I2: {manifest.name.key} changed after its commit")
            for file in manifest.files:
                if (other := manifest_of.setdefault(file.uri, manifest.name.key)) != manifest.name.key:
                    raise InvariantError(f"I1: {file.uri} is in {other} and in {manifest.name.key}")
            if len({file.uri for file in manifest.files}) != len(manifest.files):
                raise InvariantError(f"I1: {manifest.name.key} lists a file twice")

    def _check_statuses(self) -> None:
        for record in self.items():
            key = (record["date_prefix"], record["file_key"])
            if "#" in key[0]:
                # A lock, a cursor, a count: of no date.
                continue
            if key[1].startswith(MANIFEST_FILE_KEY_PREFIX):
                if record.get("status") != "pending":
                    raise InvariantError(f"I4: ingest moved the manifest {key} to {record.get('status')}")
                continue
            if "file_path" not in record:
                raise InvariantError(f"a file record without its file: {record}")
            status = record["status"]
            before = self.history.file_statuses.get(key, status)
            if before != status and (before, status) not in _FILE_ARROWS:
                raise InvariantError(f"I4: {key} moved from {before} to {status}")
            self.history.file_statuses[key] = status
            if status == "manifested":
                path = record["manifest_path"]
                if self.history.manifest_of_file.setdefault(key, path) != path:
                    raise InvariantError(f"I1: {key} moved to {path}")


def _all_items(table: Any) -> Iterator[Any]:
    for partition in table.items.values():
        if table.range_key_attr is None:
            yield partition
        else:
            yield from partition.values()
