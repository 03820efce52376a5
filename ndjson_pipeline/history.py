"""Purges what Dagster's PostgreSQL keeps of old runs: without that it grows for ever.

What says how things are now stays, however old: of each asset and partition the newest event of each kind,
with its run and the reason of its end, so that the bar of the dates, their numbers and what is red stay as
they are. A run that goes on, or belongs to a backfill that does, is not old.
"""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import sqlalchemy
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage

from lambda_ingest.contract.clock import utc_now
from lambda_ingest.contract.settings import SettingsReader
from ndjson_pipeline.errors import SettingsError

RETENTION_VARIABLE = "DAGSTER_RETENTION_DAYS"
RETENTION_DAYS = 30
# The sensors look back two days at most where they have lost their place.
LEAST_DAYS = 7
# What a job's run may take; the next one goes on.
SECONDS_PER_RUN = 600.0
# Each feed's code location has the schedule, and one purge does it for all.
ONE_PURGE_WITHIN = timedelta(hours=12)
RUNS_PER_PAGE = 200
ROWS_PER_STATEMENT = 5_000

_FINISHED = ["SUCCESS", "FAILURE", "CANCELED"]
_SHOWN = [
    kind.value
    for kind in (
        dg.DagsterEventType.ASSET_MATERIALIZATION,
        dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED,
        dg.DagsterEventType.ASSET_OBSERVATION,
        dg.DagsterEventType.ASSET_FAILED_TO_MATERIALIZE,
    )
]
# What a run that stays has besides: when it began, how it ended, and why.
_ENDS = [
    kind.value
    for kind in (
        dg.DagsterEventType.RUN_START,
        dg.DagsterEventType.RUN_SUCCESS,
        dg.DagsterEventType.RUN_FAILURE,
        dg.DagsterEventType.RUN_CANCELED,
        dg.DagsterEventType.STEP_FAILURE,
    )
]
# Both halves find the newer event by an index of Dagster's.
_IS_NEWEST = """
(e.partition is not null and not exists (
    select 1 from event_logs n where n.asset_key = e.asset_key and n.dagster_event_type = e.dagster_event_type
    and n.partition = e.partition and n.id > e.id)
 or e.partition is null and not exists (
    select 1 from event_logs n where n.asset_key = e.asset_key and n.dagster_event_type = e.dagster_event_type
    and n.partition is null and n.id > e.id))
"""
_OLD_RUNS = sqlalchemy.text("""
select r.id, r.run_id from runs r
where r.id > :after and r.status = any(:finished) and r.update_timestamp < :before
  and not exists (
    select 1 from bulk_actions b where b.key = r.backfill_id and b.status in ('REQUESTED', 'CANCELING'))
order by r.id limit :most
""")
_NEWEST_OF_RUNS = sqlalchemy.text(f"""
select e.id, e.run_id from event_logs e
where e.run_id = any(:runs) and e.asset_key is not null and e.dagster_event_type = any(:shown)
  and {_IS_NEWEST}
""")
_THIN = sqlalchemy.text("""
delete from event_logs e
where e.run_id = any(:runs) and e.id <> all(:kept)
  and (e.dagster_event_type is null or e.dagster_event_type <> all(:ends))
""")
_OLD_WITHOUT_A_RUN = sqlalchemy.text(f"""
delete from event_logs where id in (
    select e.id from event_logs e
    where e.run_id = '' and e.timestamp < :before
      and (e.asset_key is null or not {_IS_NEWEST})
    order by e.id limit :most)
""")
_OLD_CHECKS = sqlalchemy.text("""
delete from asset_check_executions where id in (
    select c.id from asset_check_executions c
    where c.create_timestamp < :before and exists (
        select 1 from asset_check_executions n
        where n.asset_key = c.asset_key and n.check_name = c.check_name
          and n.partition is not distinct from c.partition and n.id > c.id)
    limit :most)
""")
_TAGS_WITHOUT_AN_EVENT = sqlalchemy.text("""
delete from asset_event_tags where id in (
    select t.id from asset_event_tags t
    where t.event_timestamp < :before and not exists (select 1 from event_logs e where e.id = t.event_id)
    limit :most)
""")


@dataclass
class Purged:
    """What a purge did.

    Attributes:
        runs: deleted with all of their events.
        kept: old runs that stay, because a date shows them; without their log lines.
        events: deleted of runs that stay, and of no run.
        checks: evaluations of checks deleted.
        is_all: whether nothing old is left; else the time ended it.
    """

    runs: int = 0
    kept: int = 0
    events: int = 0
    checks: int = 0
    is_all: bool = True


def retention_of(variables: Mapping[str, str]) -> timedelta | None:
    """Return how long runs are kept after their end; None where they are kept for ever.

    Raises:
        SettingsError: it is no number of days, or too few.
    """
    reader = SettingsReader(variables)
    days = reader.whole(RETENTION_VARIABLE, RETENTION_DAYS, lowest=0)
    if 0 < days < LEAST_DAYS:
        reader.problems.append(f"{RETENTION_VARIABLE} must be 0, or at least {LEAST_DAYS}, got {days}")
    if reader.problems:
        raise SettingsError("Environment variables need mending: " + "; ".join(reader.problems) + ".")
    return timedelta(days=days) if days else None


def is_purged(instance: dg.DagsterInstance) -> bool:
    """Tell whether the instance's storage is PostgreSQL; a laptop's SQLite is thrown away instead."""
    storage = instance.event_log_storage
    if not isinstance(storage, SqlEventLogStorage):
        return False
    with storage.index_connection() as connection:
        return connection.dialect.name == "postgresql"


class History:
    """The old part of an instance's storage.

    Args:
        instance: Dagster's, on PostgreSQL.
        before: what ended before is old.
        seconds: how long it may take.
        monotonic: tells seconds that have passed.
    """

    def __init__(
        self,
        instance: dg.DagsterInstance,
        before: datetime,
        *,
        seconds: float = SECONDS_PER_RUN,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._instance = instance
        # Dagster's columns are UTC without saying so.
        self._before = before.astimezone(UTC).replace(tzinfo=None)
        self._monotonic = monotonic
        self._until = monotonic() + seconds
        self._purged = Purged()

    def purge(self) -> Purged:
        """Delete what is old and shown nowhere, as far as the time goes; the oldest first."""
        after = 0
        while page := self._rows(
            _OLD_RUNS, after=after, finished=_FINISHED, before=self._before, most=RUNS_PER_PAGE
        ):
            if not self._purge_runs([run_id for _, run_id in page]):
                return self._purged
            after = page[-1][0]
        self._purged.events += self._delete(_OLD_WITHOUT_A_RUN)
        self._purged.checks += self._delete(_OLD_CHECKS)
        self._delete(_TAGS_WITHOUT_AN_EVENT)
        return self._purged

    def _purge_runs(self, run_ids: Sequence[str]) -> bool:
        """Purge some runs; False where the time ended before."""
        newest = self._rows(_NEWEST_OF_RUNS, runs=list(run_ids), shown=_SHOWN)
        shown = {run_id for _, run_id in newest}
        if shown:
            kept = [event_id for event_id, _ in newest]
            self._purged.events += self._execute(_THIN, runs=sorted(shown), kept=kept, ends=_ENDS)
            self._purged.kept += len(shown)
        for run_id in run_ids:
            if run_id in shown:
                continue
            if self._is_late():
                return False
            self._instance.delete_run(run_id)
            self._purged.runs += 1
        return True

    def _delete(self, statement: sqlalchemy.TextClause) -> int:
        """Delete in bounded steps, so that no lock is held for long."""
        total = 0
        while not self._is_late():
            deleted = self._execute(statement, before=self._before, most=ROWS_PER_STATEMENT)
            total += deleted
            if deleted < ROWS_PER_STATEMENT:
                break
        return total

    def _is_late(self) -> bool:
        if self._monotonic() > self._until:
            self._purged.is_all = False
        return not self._purged.is_all

    def _rows(self, statement: sqlalchemy.TextClause, **values: Any) -> list[tuple[int, str]]:
        with self._storage.index_connection() as connection:
            return [(int(row[0]), str(row[1])) for row in connection.execute(statement, values)]

    def _execute(self, statement: sqlalchemy.TextClause, **values: Any) -> int:
        with self._storage.index_connection() as connection:
            result = connection.execute(statement, values)
            return int(getattr(result, "rowcount", 0))

    @property
    def _storage(self) -> SqlEventLogStorage:
        storage = self._instance.event_log_storage
        if not isinstance(storage, SqlEventLogStorage):
            raise TypeError(f"{type(storage).__name__} is no SQL storage; ask is_purged first")
        return storage


@dg.op(
    description=f"Deletes runs and events older than {RETENTION_VARIABLE} that no date shows any more.",
    out=dg.Out(dg.Nothing),
)
def purge(context: dg.OpExecutionContext) -> None:
    """Purge once."""
    retention = retention_of(os.environ)
    if retention is None or not is_purged(context.instance):
        context.log.info("Nothing is purged here")
        return
    purged = History(context.instance, utc_now() - retention).purge()
    if not purged.is_all:
        context.log.warning("The time did not reach for all that is old; the next run goes on")
    context.add_output_metadata(
        {
            "runs_deleted": dg.MetadataValue.int(purged.runs),
            "runs_kept": dg.MetadataValue.int(purged.kept),
            "events_deleted": dg.MetadataValue.int(purged.events),
            "checks_deleted": dg.MetadataValue.int(purged.checks),
            "is_all": dg.MetadataValue.bool(purged.is_all),
        }
    )


@dg.job(
    description=(
        "Deletes what Dagster keeps of runs that ended long ago, all feeds' alike. What a date shows stays. "
        "A schedule launches it once a day; safe at any time."
    ),
)
def purge_history() -> None:
    """Purge old runs and events."""
    purge()


@dg.schedule(
    job=purge_history,
    cron_schedule="17 3 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
def purge_history_daily(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Launch the purge once a day, where there is something to purge."""
    if retention_of(os.environ) is None:
        return dg.SkipReason(f"{RETENTION_VARIABLE} is 0: runs are kept for ever")
    if not is_purged(context.instance):
        return dg.SkipReason("the storage is no PostgreSQL")
    lately = dg.RunsFilter(job_name=purge_history.name, created_after=utc_now() - ONE_PURGE_WITHIN)
    if context.instance.get_runs(lately, limit=1):
        return dg.SkipReason("the schedule of another feed has launched it, or a person")
    return dg.RunRequest()
