"""The builder's protocol: the pending files of a date become committed manifests, each file in one.

1 query the pending files ─ too few ─▶ stop, the lock untouched
2 take the date's lock ──── held ────▶ stop, its holder or the sweeper goes on
3 finish the newest manifest's marks, if a builder died before them
4 confirm the chosen files by a strong read, for the index lags
5 put the manifest's object
6 commit: its record, if the lock is still ours
7 mark its files, each if it is still pending with the listed content
  ... while a batch is due, then release the lock
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from lambda_ingest.clock import Clock
from lambda_ingest.contract.manifest import Manifest, ManifestFile
from lambda_ingest.contract.records import manifest_record_key
from lambda_ingest.lock import DateLock, DateLocks
from lambda_ingest.log import logger
from lambda_ingest.manifest_store import ManifestStore
from lambda_ingest.marking import FileMarker, Overwritten
from lambda_ingest.pending import PendingFiles, PendingPage
from lambda_ingest.planning import BatchRule, PendingFile, next_batch
from lambda_ingest.settings import Settings

# What is kept back of the Lambda's time for a manifest that was begun, the release and the report.
RESERVED_SECONDS = 10.0

RemainingSeconds = Callable[[], float]


@dataclass(frozen=True)
class BuiltManifest:
    """A manifest that this invocation committed.

    Attributes:
        manifest_path: its URI.
        date_prefix: its date.
        file_count: how many files it lists.
        file_key: the sort key of its record.
    """

    manifest_path: str
    date_prefix: str
    file_count: int
    file_key: str


@dataclass
class DateBuild:
    """What a build of one date did.

    Attributes:
        date_prefix: the date.
        manifests: those it committed.
        finished: the manifest of a dead builder whose marks it finished.
        overwritten: files that changed between commit and mark, to be alerted.
        contended: whether another builder held the lock.
        out_of_time: whether it stopped before the Lambda's own timeout with work left.
    """

    date_prefix: str
    manifests: list[BuiltManifest] = field(default_factory=list)
    finished: str | None = None
    overwritten: list[Overwritten] = field(default_factory=list)
    contended: bool = False
    out_of_time: bool = False


class ManifestBuilder:
    """Builds the manifests of one date at a time."""

    def __init__(
        self,
        pending: PendingFiles,
        locks: DateLocks,
        store: ManifestStore,
        marker: FileMarker,
        *,
        settings: Settings,
        clock: Clock,
    ) -> None:
        self._pending = pending
        self._locks = locks
        self._store = store
        self._marker = marker
        self._settings = settings
        self._clock = clock

    def build(self, build: DateBuild, remaining_seconds: RemainingSeconds) -> None:
        """Cut every batch of a date that is due, as far as the time reaches.

        Args:
            build: names the date, and keeps what is done as it is done, for an error may end it half way.
            remaining_seconds: how long there is.

        Raises:
            ClientError: AWS refused or failed; whatever was committed stands, and the next build goes on.
        """
        page = self._pending.first(build.date_prefix, self._settings.max_files_per_manifest)
        if next_batch(page.files, self._rule(build.date_prefix), self._clock()):
            self._build_locked(build, page, remaining_seconds)

    def finish(self, build: DateBuild, remaining_seconds: RemainingSeconds) -> None:
        """Do what `build` does, and finish a dead builder's marks even where no batch is due."""
        page = self._pending.first(build.date_prefix, self._settings.max_files_per_manifest)
        if not next_batch(page.files, self._rule(build.date_prefix), self._clock()):
            newest = self._store.newest(build.date_prefix)
            if newest is None or newest.files_marked:
                return
        self._build_locked(build, page, remaining_seconds)

    def _build_locked(self, build: DateBuild, page: PendingPage, remaining_seconds: RemainingSeconds) -> None:
        lock = self._locks.acquire(build.date_prefix)
        if lock is None:
            logger.info("Another builder holds the lock", date_prefix=build.date_prefix)
            build.contended = True
            return
        try:
            self._cut_batches(build, page, lock, remaining_seconds)
        finally:
            self._locks.release(lock)

    def _cut_batches(
        self, build: DateBuild, page: PendingPage, lock: DateLock, remaining_seconds: RemainingSeconds
    ) -> None:
        newest = self._store.newest(build.date_prefix)
        if newest is not None and not newest.files_marked:
            files = self._store.read(newest.uri).files
            build.overwritten += self._marker.mark(newest.name, newest.uri, files)
            build.finished = newest.uri
            logger.info("Finished the marks of a manifest", manifest_path=newest.uri, file_count=len(files))
        sequence = 1 if newest is None else newest.name.sequence + 1
        while True:
            if remaining_seconds() < RESERVED_SECONDS:
                build.out_of_time = True
                logger.warning("Stopped before the timeout with files left", date_prefix=build.date_prefix)
                return
            files = self._confirmed_batch(build.date_prefix, page)
            if not files:
                return
            manifest = self._store.plan(build.date_prefix, sequence, files)
            if not self._store.put_object(manifest):
                sequence += 1
                continue
            if not self._store.commit(manifest, lock):
                build.contended = True
                return
            build.manifests.append(self._built(manifest))
            logger.info(
                "Committed a manifest",
                date_prefix=build.date_prefix,
                file_count=len(files),
                manifest_path=self._store.uri(manifest.name),
            )
            build.overwritten += self._marker.mark(manifest.name, self._store.uri(manifest.name), files)
            sequence += 1
            page = self._pending.first(build.date_prefix, self._settings.max_files_per_manifest)

    def _confirmed_batch(self, date_prefix: str, page: PendingPage) -> tuple[ManifestFile, ...]:
        """Return the content of the next batch's files, or none where no batch is due.

        What the index still shows but the table does not know as pending makes room for what follows.
        """
        rule, now = self._rule(date_prefix), self._clock()
        confirmed: list[tuple[PendingFile, ManifestFile]] = []
        if next_batch(page.files, rule, now):
            confirmed = self._pending.confirm(date_prefix, page.files)
        start = page.next_start
        while len(confirmed) < rule.max_files and start is not None:
            following = self._pending.more(date_prefix, rule.max_files - len(confirmed), start)
            confirmed += self._pending.confirm(date_prefix, following.files)
            start = following.next_start
        batch = next_batch([pending for pending, _ in confirmed], rule, now)
        return tuple(file for _, file in confirmed[: len(batch)])

    def _rule(self, date_prefix: str) -> BatchRule:
        return BatchRule.of(date_prefix, self._settings, self._clock())

    def _built(self, manifest: Manifest) -> BuiltManifest:
        return BuiltManifest(
            manifest_path=self._store.uri(manifest.name),
            date_prefix=manifest.name.date_prefix,
            file_count=len(manifest.files),
            file_key=manifest_record_key(manifest.name.filename),
        )
