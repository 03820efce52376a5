"""The load itself: page by page, at its rate, with an eye on the queues, and noted so that it can go on."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from ndjson_pipeline.loading.delivery import Delivered, Delivery, Outcome
from ndjson_pipeline.loading.errors import LoadHeldError, LoadStoppedError, PipelineHurtError
from ndjson_pipeline.loading.judging import Fate, Judged
from ndjson_pipeline.loading.known import KnownFiles
from ndjson_pipeline.loading.pace import Depth, Pace, has_grown
from ndjson_pipeline.loading.progress_record import LoadRecord, LoadState, LoadStatus
from ndjson_pipeline.loading.queues import Queues
from ndjson_pipeline.loading.sources import Sources

# What was done since the last note is done again after a crash, and counts once.
_SECONDS_BETWEEN_NOTES = 15.0
_SECONDS_BETWEEN_LOOKS = 5.0
_MOST_TOLD = 20

Tell = Callable[[int, str], None]


@dataclass(frozen=True)
class LoadOptions:
    """How files go in.

    Attributes:
        rate: files a second.
        max_backlog: with more messages in the queue it pauses.
        patience_seconds: it stops where a pause brings nothing for so long.
        include_refused: whether files go in that the deployment quarantines.
    """

    rate: float
    max_backlog: int
    patience_seconds: float
    include_refused: bool = False


@dataclass(frozen=True)
class Surroundings:
    """What a load needs of the world.

    Attributes:
        sleep: waits for some seconds, or less where it should stop.
        monotonic: tells seconds that have passed.
        is_stopped: whether a person wants it to stop.
        tell: told how many files are done, and what goes on.
    """

    sleep: Callable[[float], None]
    monotonic: Callable[[], float]
    is_stopped: Callable[[], bool]
    tell: Tell


@dataclass
class LoadResult:
    """What was done.

    Attributes:
        outcomes: of the files that went in.
        passed: of others, by fate.
        failures: some of those that failed.
        seconds: how long it took.
    """

    outcomes: Counter[Outcome] = field(default_factory=Counter)
    passed: Counter[Fate] = field(default_factory=Counter)
    failures: list[Delivered] = field(default_factory=list)
    seconds: float = 0.0

    def add(self, delivered: Delivered) -> None:
        """Count a file."""
        self.outcomes[delivered.outcome] += 1
        if delivered.outcome is Outcome.FAILED and len(self.failures) < _MOST_TOLD:
            self.failures.append(delivered)


class Load:
    """One load.

    Args:
        sources: what is loaded.
        known: what the pipeline has already.
        delivery: brings it in.
        queues: the feed's.
        record: notes how far it is; None notes nothing.
        options: how it goes.
        world: the clock, and who watches.
    """

    def __init__(
        self,
        sources: Sources,
        known: KnownFiles,
        delivery: Delivery,
        queues: Queues,
        record: LoadRecord | None,
        options: LoadOptions,
        world: Surroundings,
    ) -> None:
        self._sources = sources
        self._known = known
        self._delivery = delivery
        self._queues = queues
        self._record = record
        self._options = options
        self._world = world
        self._pace = Pace(options.rate)
        self.result = LoadResult()
        self._at_first: Depth | None = None
        self._noted_at = self._looked_at = float("-inf")

    def run(self, state: LoadState) -> LoadState:
        """Load all behind where the state stands, and return where it ends.

        Raises:
            LoadStoppedError: it stopped before its end; the record has how far it came.
            LoadHeldError: somebody else goes on with it.
            ClientError: AWS refused or failed; the record has how far it came.
        """
        began = self._world.monotonic()
        self._state = state
        self._at_first = self._queues.depth()
        self._note(LoadStatus.GOING)
        try:
            self._all()
        except LoadHeldError:
            raise
        except BaseException:
            self._note(LoadStatus.STOPPED)
            raise
        finally:
            self.result.seconds = self._world.monotonic() - began
        self._note(LoadStatus.DONE)
        return self._state

    def _all(self) -> None:
        batch: list[Judged] = []
        for page in self._sources.pages(self._state.after):
            for one in self._known.marked(page):
                if one.fate is Fate.LOAD or (one.fate is Fate.REFUSED and self._options.include_refused):
                    batch.append(one)
                    if len(batch) >= self._pace.batch:
                        self._deliver(batch)
                        batch = []
                        self._move(one)
                    continue
                self.result.passed[one.fate] += 1
                self._state = replace(self._state, passed=self._state.passed + 1)
                if not batch:
                    self._move(one)
            if batch:
                # A page ends with nothing open, so that its end can be noted.
                self._deliver(batch)
                batch = []
            if page:
                self._move(page[-1])

    def _deliver(self, batch: list[Judged]) -> None:
        self._look()
        self._wait(self._pace.wait(len(batch), self._world.monotonic()))
        for delivered in self._delivery.deliver(batch):
            self.result.add(delivered)
            is_failed = delivered.outcome is Outcome.FAILED
            self._state = replace(
                self._state,
                sent=self._state.sent + (not is_failed),
                failed=self._state.failed + is_failed,
            )

    def _move(self, last: Judged) -> None:
        self._state = replace(self._state, after=last.source.key)
        self._world.tell(self._state.sent + self._state.failed, "")
        if self._world.monotonic() - self._noted_at >= _SECONDS_BETWEEN_NOTES:
            self._note(LoadStatus.GOING)

    def _look(self) -> None:
        """Look at the queues now and then, and pause while there is much in them.

        Raises:
            PipelineHurtError: there are new dead letters.
            LoadStoppedError: the queue does not become shorter.
        """
        if self._world.monotonic() - self._looked_at < _SECONDS_BETWEEN_LOOKS:
            return
        least, since = None, self._world.monotonic()
        while True:
            depth = self._queues.depth()
            self._looked_at = self._world.monotonic()
            if self._at_first is not None and has_grown(depth, self._at_first):
                more = depth.dead_letters - self._at_first.dead_letters
                raise PipelineHurtError(
                    f"{more} messages became dead letters since the load began: `ndjson-pipeline dlq list` "
                    "shows them; mend the cause, then go on"
                )
            if depth.backlog <= self._options.max_backlog:
                return
            if least is None or depth.backlog < least:
                least, since = depth.backlog, self._looked_at
            if self._looked_at - since > self._options.patience_seconds:
                raise LoadStoppedError(
                    f"{depth.backlog:,} messages wait in the queue and become no fewer: does the manifest "
                    "builder run? `ndjson-pipeline doctor` looks"
                )
            self._world.tell(
                self._state.sent + self._state.failed, f"pauses: {depth.backlog:,} messages wait in the queue"
            )
            self._note(LoadStatus.GOING)
            self._wait(_SECONDS_BETWEEN_LOOKS)

    def _wait(self, seconds: float) -> None:
        if not self._world.is_stopped() and seconds > 0:
            self._world.sleep(seconds)
        if self._world.is_stopped():
            raise LoadStoppedError("it was stopped")

    def _note(self, status: LoadStatus) -> None:
        self._noted_at = self._world.monotonic()
        self._state = replace(self._state, status=status)
        if self._record is not None:
            self._state = self._record.write(self._state)
