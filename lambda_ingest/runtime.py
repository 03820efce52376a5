"""The parts of a Lambda, made at the first call after its environment changed."""

import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

from lambda_ingest.aws.alerts import Alerts
from lambda_ingest.aws.metrics import Metrics
from lambda_ingest.aws.patience import Patience, Sleep
from lambda_ingest.aws.table import Table
from lambda_ingest.batches.cutter import BatchCutter
from lambda_ingest.batches.lock import DateLocks
from lambda_ingest.batches.manifests import ManifestStore
from lambda_ingest.batches.marking import FileMarker
from lambda_ingest.batches.numbers import ManifestNumbers
from lambda_ingest.batches.pending import PendingFiles
from lambda_ingest.batches.waiting import WaitingManifests
from lambda_ingest.contract.clock import Clock, NewId, random_id, utc_now
from lambda_ingest.contract.validation import validate
from lambda_ingest.files.arrivals import FirstArrivals
from lambda_ingest.files.contents import Contents
from lambda_ingest.files.copies import QuarantineCopies
from lambda_ingest.files.file_records import FileRecords
from lambda_ingest.files.loaded import LoadedFiles
from lambda_ingest.files.moves import QuarantineMoves
from lambda_ingest.files.overwrites import Overwrites
from lambda_ingest.files.quarantine import Quarantine
from lambda_ingest.files.refusals import RefusalCount
from lambda_ingest.files.refused_records import RefusedRecords
from lambda_ingest.files.tracking import FileTracker
from lambda_ingest.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient
    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_sns.client import SNSClient
    from mypy_boto3_sqs.client import SQSClient

# Files of one invocation that are recorded at the same time.
CONCURRENT_FILES = 10


@dataclass(frozen=True)
class Clients:
    """The AWS clients; one of each is safe to share among threads."""

    dynamodb: "DynamoDBClient"
    s3: "S3Client"
    sns: "SNSClient"
    sqs: "SQSClient"

    @classmethod
    def from_boto3(cls) -> "Clients":
        """Make clients for the endpoint and credentials that boto3 finds."""
        config = Config(
            # A call that hangs must leave time for its retries within the Lambda's own timeout.
            connect_timeout=3,
            read_timeout=10,
            retries={"mode": "standard", "total_max_attempts": 4},
            max_pool_connections=2 * CONCURRENT_FILES,
        )
        session = boto3.session.Session()
        return cls(
            dynamodb=session.client("dynamodb", config=config),
            s3=session.client("s3", config=config),
            sns=session.client("sns", config=config),
            sqs=session.client("sqs", config=config),
        )


@dataclass(frozen=True)
class Runtime:
    """Settings, clients and the parts that use them."""

    settings: Settings
    clients: Clients
    clock: Clock
    new_id: NewId
    table: Table
    patience: Patience
    loaded: LoadedFiles
    arrivals: FirstArrivals
    tracker: FileTracker
    quarantine: Quarantine
    moves: QuarantineMoves | None
    overwrites: Overwrites
    pending: PendingFiles
    waiting: WaitingManifests
    locks: DateLocks
    store: ManifestStore
    cutter: BatchCutter
    alerts: Alerts
    refusals: RefusalCount
    metrics: Metrics


def make_runtime(
    settings: Settings,
    clients: Clients,
    *,
    clock: Clock = utc_now,
    new_id: NewId = random_id,
    draw: random.Random | None = None,
    sleep: Sleep = time.sleep,
) -> Runtime:
    """Assemble the parts."""
    draw = draw or random.Random()
    patience = Patience(sleep=sleep, draw=draw)
    table = Table(clients.dynamodb, settings.tracking_table, clock, timedelta(days=settings.ttl_days))
    loaded = LoadedFiles(
        table,
        clients.s3,
        patience,
        bucket=settings.manifest_bucket,
        input_prefix=settings.input_prefix,
    )
    contents = Contents(clients.s3)
    records = FileRecords(table, loaded, patience)
    tracker = FileTracker(table, records, contents, patience)
    copies = (
        None
        if settings.quarantine_bucket is None
        else QuarantineCopies(clients.s3, bucket=settings.quarantine_bucket)
    )
    moves = None if copies is None else QuarantineMoves(table, clients.s3, copies)
    refused = RefusedRecords(
        table,
        records,
        contents,
        tracker,
        patience,
        judge=lambda created, day: validate(created, settings, clock(), day),
    )
    pending = PendingFiles(table, patience, input_prefix=settings.input_prefix)
    locks = DateLocks(table, ttl_seconds=settings.lock_ttl_seconds, new_id=new_id)
    store = ManifestStore(table, clients.s3, locks, patience, bucket=settings.manifest_bucket)
    numbers = ManifestNumbers(table, clients.s3, bucket=settings.manifest_bucket)
    marker = FileMarker(table, patience, input_prefix=settings.input_prefix)
    alerts = Alerts(clients.sns, topic_arn=settings.alert_topic_arn, clock=clock)
    return Runtime(
        settings=settings,
        clients=clients,
        clock=clock,
        new_id=new_id,
        table=table,
        patience=patience,
        loaded=loaded,
        arrivals=FirstArrivals(table),
        tracker=tracker,
        quarantine=Quarantine(clients.s3, refused, copies, moves, patience),
        moves=moves,
        overwrites=Overwrites(table, contents, alerts),
        pending=pending,
        waiting=WaitingManifests(table),
        locks=locks,
        store=store,
        cutter=BatchCutter(pending, locks, store, numbers, marker, settings=settings, clock=clock),
        alerts=alerts,
        refusals=RefusalCount(
            table, alerts, patience, new_id=new_id, threshold=settings.refusal_alert_threshold
        ),
        metrics=Metrics(
            None if settings.metrics_table is None else replace(table, name=settings.metrics_table),
            draw=draw,
            patience=patience,
        ),
    )


def current_runtime(environment: Mapping[str, str]) -> Runtime:
    """Return the runtime for these variables, made anew only where they changed.

    Raises:
        SettingsError: the variables are missing or wrong.
    """
    # The service sets a variable for each invocation's trace, which must not make everything anew.
    relevant = ((name, value) for name, value in environment.items() if not name.startswith("_"))
    return _runtime_of(tuple(sorted(relevant)))


@lru_cache(maxsize=1)
def _runtime_of(variables: tuple[tuple[str, str], ...]) -> Runtime:
    return make_runtime(Settings.from_environment(dict(variables)), Clients.from_boto3())
