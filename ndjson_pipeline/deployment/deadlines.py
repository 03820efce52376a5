"""How long things may take: Glue's own timeout, and what each that waits for it allows beyond.

Each ends what the one before it should have ended: Glue its run, the Dagster run its Glue run, the reconcile
sensor one whose Dagster run is gone, Dagster's run monitor a run that does nothing of this.
"""

from dataclasses import dataclass
from datetime import timedelta

# The `Timeout` of the Glue job, in Terraform and in the local AWS. A Glue run is given what takes minutes.
GLUE_TIMEOUT = timedelta(hours=1)


@dataclass(frozen=True)
class Deadlines:
    """What follows from the Glue job's timeout.

    Attributes:
        glue_timeout: after this Glue ends a run.
        glue_start: Glue's clock begins once a run has its workers, for which it may wait this long.
        reconcile_grace: by so much the reconcile sensor comes after the run that watches.
        start_grace: a run has started Glue within this, from its claim: with every wait for a free place, and
            every look for a run that may have been started.
        settle_grace: a run records within this how its Glue run ended.
        begin_within: a run begins no other Glue run once it is older than this.
    """

    glue_timeout: timedelta = GLUE_TIMEOUT
    glue_start: timedelta = timedelta(minutes=15)
    reconcile_grace: timedelta = timedelta(minutes=5)
    start_grace: timedelta = timedelta(minutes=15)
    settle_grace: timedelta = timedelta(minutes=5)
    begin_within: timedelta = timedelta(hours=1)

    @property
    def watch(self) -> timedelta:
        """After this, from its start, the run that watches stops a Glue run."""
        return self.glue_timeout + self.glue_start

    @property
    def reconcile(self) -> timedelta:
        """After this, from its start, the reconcile sensor stops a Glue run."""
        return self.watch + self.reconcile_grace

    @property
    def run(self) -> timedelta:
        """No Dagster run takes longer: the `max_runtime_seconds` of the instance's run monitor."""
        return self.begin_within + self.start_grace + self.watch + self.settle_grace
