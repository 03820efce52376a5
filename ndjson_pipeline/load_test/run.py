"""Follows the files of a load test until nothing happens to them any more."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from ndjson_pipeline.load_test.following import FileTimes, Follower

_LEAST_SECONDS_BETWEEN_LOOKS = 3.0
# A look costs the files' rows, so more files are looked at less often.
_FILES_A_SECOND_OF_PAUSE = 1_000
# What waits for its batch, with nothing moving for so long, waits for others' files.
_SECONDS_OF_STILLNESS = 180.0


def follow(
    follower: Follower,
    put_at: Mapping[str, datetime],
    *,
    max_files: int,
    seconds: float,
    sleep: Callable[[float], None],
    monotonic: Callable[[], float],
    is_stopped: Callable[[], bool],
    tell: Callable[[Sequence[FileTimes]], None],
) -> list[FileTimes]:
    """Look again and again, until all files are settled, the time is up, or a rest waits for its batch.

    Args:
        follower: looks.
        put_at: when each file was there.
        max_files: a full batch.
        seconds: so long at most.
        sleep: waits.
        monotonic: tells seconds that have passed.
        is_stopped: whether a person wants it to stop.
        tell: called with each look.

    Raises:
        ClientError: DynamoDB refused or failed.
    """
    until = monotonic() + seconds
    pause = max(_LEAST_SECONDS_BETWEEN_LOOKS, len(put_at) / _FILES_A_SECOND_OF_PAUSE)
    before, moved_at = None, monotonic()
    while True:
        files = follower.look(put_at)
        tell(files)
        stages = [(file.status, file.manifest_status, file.started_at) for file in files]
        if stages != before:
            before, moved_at = stages, monotonic()
        open_files = [file for file in files if not file.is_settled]
        is_rest = len(open_files) < max_files and all(file.is_pending for file in open_files)
        is_still = is_rest and monotonic() - moved_at > _SECONDS_OF_STILLNESS
        if not open_files or is_still or is_stopped() or monotonic() > until:
            return files
        sleep(pause)
