"""Where a laptop's dates begin, unless somebody sets it: a month before its first start.

A deployment's default is years back, for its history. On a laptop nearly all of these dates would be grey
boxes in the UI for ever. There is one truth for ingest and the UI all the same: a file of an earlier date is
refused by the same date, `load` says so before it loads anything, and `partition_start_date` in the settings
file moves it. The date is kept, and only ever moves back, so that no date that has files ever leaves the UI.
"""

import logging
from datetime import date, timedelta
from pathlib import Path

from lambda_ingest.contract.dates import parse_date

FILE = "first_date"
BEFORE_FIRST_START = timedelta(days=30)

logger = logging.getLogger(__name__)


def first_date(folder: Path, chosen: date | None, today: date, *, is_used: bool) -> date | None:
    """Return the laptop's first date, and keep it in its folder; None leaves it to the default.

    Args:
        folder: the laptop's.
        chosen: what somebody set.
        today: the present UTC date.
        is_used: whether a platform has worked in the folder; one that kept no date began with the default.

    Raises:
        OSError: it could not be kept.
    """
    kept = _kept(folder / FILE)
    if kept is None and is_used and chosen is None:
        return None
    known = [each for each in (kept, chosen) if each is not None]
    found = min(known, default=today - BEFORE_FIRST_START)
    if found != kept and not (kept is None and is_used):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / FILE).write_text(f"{found.isoformat()}\n")
    return chosen or found


def _kept(path: Path) -> date | None:
    try:
        return parse_date(path.read_text().strip())
    except FileNotFoundError:
        return None
    except ValueError as error:
        logger.warning("%s has no date, and does not count: %s", path, error)
        return None
