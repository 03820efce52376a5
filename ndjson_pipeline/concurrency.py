"""Several calls at once, none of which is lost sight of."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

# boto3's clients are made with twice as many connections.
CONCURRENT_CALLS = 16


def do_all(
    call: Callable[[Item], Result], items: Iterable[Item]
) -> tuple[list[tuple[Item, Result]], BaseException | None]:
    """Call a function for each item, several at once, and wait until nothing is going on any more.

    Returns:
        The items with their results, in order; and the first error, or the interruption of this thread, for
        the caller to raise once it has taken note of what was done. After an error no call is begun.
    """
    pool = ThreadPoolExecutor(CONCURRENT_CALLS, thread_name_prefix="do-all")
    futures = [(item, pool.submit(call, item)) for item in items]
    error: BaseException | None = None
    try:
        for _, future in futures:
            if future.exception() is not None:
                break
    except BaseException as interruption:  # noqa: BLE001 - the caller raises it
        error = interruption
    pool.shutdown(wait=True, cancel_futures=True)
    done = []
    for item, future in futures:
        if future.cancelled():
            continue
        failure = future.exception()
        if failure is None:
            done.append((item, future.result()))
        elif error is None:
            error = failure
    return done, error
