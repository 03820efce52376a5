"""All checks, in the order in which a person would look."""

from collections.abc import Callable, Iterator

from ndjson_pipeline.desk.clients import Desk
from ndjson_pipeline.desk.doctor import (
    account,
    conversion,
    functions,
    machine,
    messages,
    orchestration,
    storage,
)
from ndjson_pipeline.desk.doctor.finding import Check, Finding, State, examined

_OF_AWS: tuple[tuple[str, Check], ...] = (
    ("clock", account.clock),
    ("buckets", storage.buckets),
    ("notifications", storage.notifications),
    ("queue", messages.queue),
    ("dead letters", messages.dead_letters),
    ("tracking table", storage.tracking_table),
    ("metrics table", storage.metrics_table),
    ("TTL", storage.time_to_live),
    ("alerts", messages.topic),
    ("manifest builder", functions.builder),
    ("sweeper", functions.sweeper),
    ("size check", functions.size_check),
    ("Glue job", conversion.glue_job),
    ("catalog", conversion.catalog),
)
_OF_OTHERS: tuple[tuple[str, Check], ...] = (
    ("Dagster", orchestration.dagster),
    ("Java", machine.java),
    ("versions", machine.versions),
)


def examine(desk: Desk, tell: Callable[[str], None]) -> Iterator[Finding]:
    """Yield what each check finds; without credentials AWS is not asked any further.

    Args:
        desk: the deployment.
        tell: told what is looked at.
    """
    who = examined(desk, "credentials", account.credentials)
    yield from who
    if all(finding.state is State.OK for finding in who):
        for part, check in _OF_AWS:
            tell(part)
            yield from examined(desk, part, check)
    else:
        said = "AWS was not asked any further"
        yield Finding("everything in AWS", State.UNSEEN, said, "mend the credentials first")
    for part, check in _OF_OTHERS:
        tell(part)
        yield from examined(desk, part, check)
