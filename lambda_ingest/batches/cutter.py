"""The builder's protocol: the pending files of a date are cut into committed manifests, each file in one.

1 query the pending files ─ too few, or cut lately ─▶ stop, the lock untouched
2 take the date's lock ──── held ────▶ stop, its holder or the sweeper goes on
3 finish the newest manifest's marks, if a builder died before them
4 confirm the chosen files by a strong read, for the index lags
5 put the manifest's object
6 commit: its record, if the lock is still ours
7 mark its files, each if it is still pending with the listed content
  ... while a batch is due, then release the lock
"""

from dataclasses import dataclass, field
from datetime import datetime

from lambda_ingest.aws.log import logger
from lambda_ingest.aws.patience import RESERVED_SECONDS, RemainingSeconds
from lambda_ingest.batches.lock import DateLock, DateLocks
from lambda_ingest.batches.manifests import ManifestStore, NewestManifest
from lambda_ingest.batches.marking import FileMarker, Overwritten
from lambda_ingest.batches.pending import PendingFiles, PendingPage
from lambda_ingest.batches.planning import BatchRule, depends_on_last_cut, next_batch
from lambda_ingest.contract.clock import Clock
from lambda_ingest.contract.manifest import Manifest, ManifestFile
from lambda_ingest.contract.records import manifest_record_key
from lambda_ingest.settings import Settings


@dataclass(frozen=True)
class CommittedManifest:
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
class DateCuts:
    """What was cut of one date.

    Attributes:
        date_prefix: the date.
        manifests: those it committed.
        finished: the manifest of a dead builder whose marks it finished.
        overwritten: files that changed between commit and mark, to be alerted.
        contended: whether another builder held the lock.
        waits: whether pending files of a past date wait because something was cut of it lately.
        out_of_time: whether it stopped before the Lambda's own timeout with work left.
    """

    date_prefix: str
    manifests: list[CommittedManifest] = field(default_factory=list)
    finished: str | None = None
    overwritten: list[Overwritten] = field(default_factory=list)
    contended: bool = False
    waits: bool = False
    out_of_time: bool = False


class BatchCutter:
    """Cuts the batches of one date at a time."""

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

    def cut(self, cuts: DateCuts, remaining_seconds: RemainingSeconds) -> None:
        """Cut every batch of a date that is due, as far as the time reaches.

        Args:
            cuts: names the date, and keeps what is done as it is done, for an error may end it half way.
            remaining_seconds: how long there is.

        Raises:
            ClientError: AWS refused or failed; whatever was committed stands, and the next builder goes on.
        """
        page = self._pending.first(cuts.date_prefix, self._settings.max_files_per_manifest)
        if self._is_due(cuts, page):
            self._cut_locked(cuts, page, remaining_seconds, flushes_rest=False)

    def cut_and_finish(self, cuts: DateCuts, remaining_seconds: RemainingSeconds) -> None:
        """Do what `cut` does for a sweep: leave no rest behind, and finish a dead builder's marks.

        A past date of which nothing was cut lately is emptied: what the sweep itself cuts of it first is no
        reason for its rest to wait for the next sweep.
        """
        page = self._pending.first(cuts.date_prefix, self._settings.max_files_per_manifest)
        if not self._is_due(cuts, page):
            newest = self._store.newest(cuts.date_prefix)
            if newest is None or newest.files_marked:
                return
        self._cut_locked(cuts, page, remaining_seconds, flushes_rest=True)

    def _is_due(self, cuts: DateCuts, page: PendingPage) -> bool:
        """Tell whether a batch is due; asks when the date was last cut only where that decides it."""
        rule, now = self._rule(cuts.date_prefix), self._clock()
        last_cut = None
        if depends_on_last_cut(page.files, rule, now):
            last_cut = _last_cut(self._store.newest(cuts.date_prefix))
        is_due = bool(next_batch(page.files, rule, now, last_cut))
        cuts.waits = not is_due and last_cut is not None
        return is_due

    def _cut_locked(
        self, cuts: DateCuts, page: PendingPage, remaining_seconds: RemainingSeconds, *, flushes_rest: bool
    ) -> None:
        lock = self._locks.acquire(cuts.date_prefix)
        if lock is None:
            logger.info("Another builder holds the lock", date_prefix=cuts.date_prefix)
            cuts.contended = True
            return
        try:
            self._cut_batches(cuts, page, lock, remaining_seconds, flushes_rest=flushes_rest)
        finally:
            self._locks.release(lock)

    def _cut_batches(
        self,
        cuts: DateCuts,
        page: PendingPage,
        lock: DateLock,
        remaining_seconds: RemainingSeconds,
        *,
        flushes_rest: bool,
    ) -> None:
        newest = self._store.newest(cuts.date_prefix)
        if newest is not None and not newest.files_marked:
            files = self._store.read(newest.uri).files
            cuts.overwritten += self._marker.mark(newest.name, newest.uri, files, remaining_seconds)
            cuts.finished = newest.uri
            logger.info("Finished the marks of a manifest", manifest_path=newest.uri, file_count=len(files))
        sequence = self._store.last_number(cuts.date_prefix, newest) + 1
        last_cut = _last_cut(newest)
        while True:
            if remaining_seconds() < RESERVED_SECONDS:
                cuts.out_of_time = True
                logger.warning("Stopped before the timeout with files left", date_prefix=cuts.date_prefix)
                return
            files = self._confirmed_batch(cuts, page, last_cut, remaining_seconds)
            if not files:
                return
            manifest = self._store.plan(cuts.date_prefix, sequence, files)
            sha256 = self._store.put_object(manifest)
            if sha256 is None:
                sequence += 1
                continue
            if not self._store.commit(manifest, sha256, lock, remaining_seconds):
                cuts.contended = True
                return
            cuts.manifests.append(self._committed(manifest))
            logger.info(
                "Committed a manifest",
                date_prefix=cuts.date_prefix,
                file_count=len(files),
                manifest_path=self._store.uri(manifest.name),
            )
            cuts.overwritten += self._marker.mark(
                manifest.name, self._store.uri(manifest.name), files, remaining_seconds
            )
            sequence += 1
            if not flushes_rest:
                last_cut = self._clock()
            page = self._pending.first(cuts.date_prefix, self._settings.max_files_per_manifest)

    def _confirmed_batch(
        self,
        cuts: DateCuts,
        page: PendingPage,
        last_cut: datetime | None,
        remaining_seconds: RemainingSeconds,
    ) -> tuple[ManifestFile, ...]:
        """Return the content of the next batch's files, or none where no batch is due.

        What the index still shows but the table does not know as pending makes room for what follows.
        """
        date_prefix = cuts.date_prefix
        rule, now = self._rule(date_prefix), self._clock()
        is_due = bool(next_batch(page.files, rule, now, last_cut))
        confirmed = self._pending.confirm(date_prefix, page.files, remaining_seconds) if is_due else []
        start = page.next_start
        while len(confirmed) < rule.max_files and start is not None:
            following = self._pending.more(date_prefix, rule.max_files - len(confirmed), start)
            confirmed += self._pending.confirm(date_prefix, following.files, remaining_seconds)
            start = following.next_start
        pending = [file for file, _ in confirmed]
        batch = next_batch(pending, rule, now, last_cut)
        cuts.waits = not batch and bool(next_batch(pending if is_due else page.files, rule, now, None))
        return tuple(file for _, file in confirmed[: len(batch)])

    def _rule(self, date_prefix: str) -> BatchRule:
        return BatchRule.of(date_prefix, self._settings, self._clock())

    def _committed(self, manifest: Manifest) -> CommittedManifest:
        return CommittedManifest(
            manifest_path=self._store.uri(manifest.name),
            date_prefix=manifest.name.date_prefix,
            file_count=len(manifest.files),
            file_key=manifest_record_key(manifest.name.filename),
        )


def _last_cut(newest: NewestManifest | None) -> datetime | None:
    return None if newest is None else newest.created_at
