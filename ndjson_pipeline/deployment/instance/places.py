"""The places of a feed's pool: how many of its runs convert at once.

Every feed has a pool of its own on the instance that all of them share, and its own setting,
`GLUE_MAX_CONCURRENT_RUNS`. So a process of the feed gives the pool its places: its code server before it
starts, and the manifest sensor at each tick, before it launches anything.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dagster import DagsterInstance

# In Dagster's table of keys and values, by the pool: what this module gave it, or was about to.
_GIVEN = "ndjson/places/{pool}"


def make_places(instance: "DagsterInstance", pool: str, places: int) -> None:
    """Give a pool its places, unless a person has given it others; costs one read where nothing changes.

    Left alone, Dagster does it too late: it makes a pool known after it has looked for its limit, so that of
    the first runs in a fresh storage more go than there are places. It would take the instance's default,
    which can't change on PostgreSQL: Dagster tries to insert what is there, goes on in the transaction that
    failed, and launches every run for want of a limit. So the limit is the pool's own.

    Dagster does not say who set a limit. What is given here is kept beside it, and a limit that is another is
    a person's: it stays until they delete it.

    Args:
        instance: Dagster's.
        pool: the feed's.
        places: its `GLUE_MAX_CONCURRENT_RUNS`, 1 or more.
    """
    storage = instance.event_log_storage
    known = {limit.name: limit for limit in storage.get_pool_limits()}.get(pool)
    if known is not None and known.limit == places and not known.from_default:
        return
    key = _GIVEN.format(pool=pool)
    notes = instance.daemon_cursor_storage
    given = notes.get_cursor_values({key}).get(key, "").split(",")
    if known is not None and not known.from_default and str(known.limit) not in given:
        return
    # Both, until it is done: after a crash between, either counts as given.
    notes.set_cursor_values({key: f"{known.limit},{places}" if known is not None else str(places)})
    storage.set_concurrency_slots(pool, places)
    notes.set_cursor_values({key: str(places)})


def places_of(instance: "DagsterInstance", pool: str) -> int | None:
    """Return how many places a pool has, or None where it is not known yet."""
    return {limit.name: limit.limit for limit in instance.event_log_storage.get_pool_limits()}.get(pool)
