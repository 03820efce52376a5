"""What became of files that were loaded: counted, page by page, until nothing moves any more."""

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from lambda_ingest.contract.dates import utc_date
from lambda_ingest.contract.records import PENDING_DATE_ATTRIBUTE, FileStatus, ManifestStatus
from lambda_ingest.contract.rows import date_of, text_of
from ndjson_pipeline.desk.clients import Desk
from ndjson_pipeline.loading.judging import Fate, Judged
from ndjson_pipeline.loading.known import KnownFiles
from ndjson_pipeline.loading.queues import Queues
from ndjson_pipeline.loading.rules import LoadRules

UNTRACKED = "no record yet"
CONVERTED = "converted"
_OF_MANIFESTS: Mapping[str, str] = {
    ManifestStatus.PENDING: "in a manifest that waits for a run",
    ManifestStatus.PROCESSING: "being converted",
    ManifestStatus.COMPLETED: CONVERTED,
    ManifestStatus.FAILED: "in a manifest that failed",
}
_WAITS = "waits for its batch"
_REFUSED = "refused, in quarantine"
_FINAL = frozenset({CONVERTED, _REFUSED, UNTRACKED})
# More manifests of a status than these are counted as so many.
_MOST_OPEN = 1_000
_MOST_DATES = 4
_SECONDS_BETWEEN_LOOKS = 5.0
_SECONDS_BETWEEN_COUNTS = 15.0
# Indexes lag, and events take a moment.
_QUIET_LOOKS = 2


@dataclass
class Followed:
    """What became of files.

    Attributes:
        states: how many files are in each state.
        is_over: whether nothing moves any more; else the time was up, or somebody waits no longer.
        waiting: why some will not move, each as a sentence.
        is_stopped: whether somebody waits no longer.
    """

    states: Counter[str] = field(default_factory=Counter)
    is_over: bool = False
    waiting: list[str] = field(default_factory=list)
    is_stopped: bool = False

    @property
    def is_well(self) -> bool:
        """Whether all is converted, or waits for a batch as it should."""
        good = self.states[CONVERTED] + (self.states[_WAITS] if self.waiting else 0)
        return self.is_over and good == self.states.total()


class Following:
    """Follows files of some dates.

    Args:
        desk: the deployment.
        rules: its rules.
        known: reads records.
        queues: the feed's.
    """

    def __init__(self, desk: Desk, rules: LoadRules, known: KnownFiles, queues: Queues) -> None:
        self._desk = desk
        self._rules = rules
        self._known = known
        self._queues = queues
        self._statuses: OrderedDict[str, Mapping[str, str]] = OrderedDict()

    def wait(
        self,
        pages: Callable[[], Iterable[Sequence[Judged]]],
        dates: Iterable[str],
        *,
        seconds: float,
        sleep: Callable[[float], None],
        monotonic: Callable[[], float],
        is_stopped: Callable[[], bool],
        tell: Callable[[str], None],
    ) -> Followed:
        """Wait until nothing moves, and count what became of each file.

        Args:
            pages: yields the files, each time anew.
            dates: theirs.
            seconds: so long at most.
            sleep: waits for some seconds, or less where it should stop.
            monotonic: tells seconds that have passed.
            is_stopped: whether to count what there is by now, and wait no longer.
            tell: told what is waited for.

        Raises:
            ClientError: AWS refused or failed.
        """
        ours, until, quiet = frozenset(dates), monotonic() + seconds, 0
        count_at = monotonic()
        while True:
            moving, waiting = self._moving(ours)
            quiet = 0 if moving else quiet + 1
            tell(moving or "counting")
            stopped = is_stopped()
            is_late = stopped or monotonic() > until
            if is_late or quiet >= _QUIET_LOOKS or monotonic() >= count_at:
                # Others' files of the same dates may never stop moving, so these are looked at by themselves.
                began = monotonic()
                states = self._count(pages())
                count_at = monotonic() + max(_SECONDS_BETWEEN_COUNTS, 5 * (monotonic() - began))
                is_over = not states[UNTRACKED] and (quiet >= _QUIET_LOOKS or states.keys() <= _FINAL)
                if is_over or is_late:
                    return Followed(+states, is_over, waiting, stopped)
            sleep(_SECONDS_BETWEEN_LOOKS)

    def _moving(self, dates: frozenset[str]) -> tuple[str, list[str]]:
        """Return what is still to come, and what will not come by itself; costs what is open."""
        backlog = self._queues.depth().backlog
        if backlog:
            return f"{backlog:,} messages wait in the queue", []
        pending = Counter(
            date_of(row, PENDING_DATE_ATTRIBUTE) or "" for row in self._desk.rows.pending_files()
        )
        today = utc_date(self._desk.clock()).isoformat()
        waiting = []
        for date, count in sorted(pending.items()):
            if date not in dates:
                continue
            if date < today or count >= self._rules.max_files or self._rules.max_batch_age_seconds:
                return f"{count:,} files of {date} wait for a manifest", []
            waiting.append(
                f"{count} files of {date} fill no batch of {self._rules.max_files} yet: more files do, or "
                "the end of the day"
            )
        for status in (ManifestStatus.PENDING, ManifestStatus.PROCESSING):
            found = [
                one for one in self._desk.records.with_status(status, _MOST_OPEN) if one.date_prefix in dates
            ]
            if found:
                return f"{len(found):,} manifests are {status.value}", waiting
        retried = [
            one
            for one in self._desk.records.with_status(ManifestStatus.FAILED, _MOST_OPEN)
            if one.date_prefix in dates and one.retry_at is not None
        ]
        return (f"{len(retried):,} failed manifests are tried again" if retried else ""), waiting

    def _count(self, pages: Iterable[Sequence[Judged]]) -> Counter[str]:
        self._statuses.clear()
        states: Counter[str] = Counter()
        for page in pages:
            by_date: dict[str, list[str]] = {}
            for one in page:
                if one.fate in {Fate.LOAD, Fate.KNOWN} or (one.fate is Fate.REFUSED and one.date_prefix):
                    by_date.setdefault(one.date_prefix, []).append(one.target)
            for date, targets in by_date.items():
                rows = self._known.rows(date, targets)
                states.update(self._state(date, rows.get(target)) for target in targets)
        return states

    def _state(self, date: str, row: Mapping[str, object] | None) -> str:
        status = text_of(row, "status") if row is not None else None
        if row is None or status is None:
            return UNTRACKED
        if status == FileStatus.PENDING:
            return _WAITS
        if status == FileStatus.QUARANTINED:
            return _REFUSED
        manifest = self._manifests(date).get(text_of(row, "manifest_path") or "", "")
        return _OF_MANIFESTS.get(manifest, "in a manifest without a record")

    def _manifests(self, date: str) -> Mapping[str, str]:
        if date not in self._statuses:
            self._statuses[date] = {
                one.manifest_path: one.status.value for one in self._desk.records.of_date(date)
            }
            while len(self._statuses) > _MOST_DATES:
                self._statuses.popitem(last=False)
        return self._statuses[date]
