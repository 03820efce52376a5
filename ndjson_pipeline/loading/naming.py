"""Names of the contract for files that have others; pure.

2026-01-30-a.ndjson             stays as it is
logs/app 2026-01-30.json.gz     2026-01-30-logs-app-1f0c2a9b.ndjson.gz
dt=2026-01-30/part 1.jsonl      2026-01-30-part-1-5b1d03aa.ndjson

A new name ends in a digest of the old one. So no two files get the same, and a file gets the same each time.
"""

import hashlib
import re
from dataclasses import dataclass
from datetime import date

from lambda_ingest.contract.dates import parse_date
from lambda_ingest.contract.file_dates import find_date
from lambda_ingest.contract.file_keys import is_allowed_key
from lambda_ingest.contract.settings import DateSource, InputRules

# What NDJSON is called; a deployment's own extensions count besides.
DATA_ENDINGS = (".ndjson", ".ndjson.gz", ".jsonl", ".jsonl.gz", ".json", ".json.gz")
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9.]+")
_STEM_CHARACTERS = 80
_DIGEST_DIGITS = 8
# A date as people and tools write it into names: 2026-01-30, 2026_01_30, 20260130.
_ANY_DATE = re.compile(r"(?<![0-9])(2[0-9]{3})([-_]?)([01][0-9])\2([0-3][0-9])(?![0-9])")


@dataclass(frozen=True)
class Dating:
    """Where the date of a file comes from that has none in its name or its folders.

    Attributes:
        given: this one; None gives none.
        is_by_modification: the UTC date of its last modification, where none is given.
    """

    given: date | None = None
    is_by_modification: bool = False

    def day_of(self, modified_on: date) -> date | None:
        """Return the date, or None where a file without one has none."""
        return self.given or (modified_on if self.is_by_modification else None)


@dataclass(frozen=True)
class Named:
    """What a file is called in the input.

    Attributes:
        below_prefix: its key below the input prefix; empty where it can't be named.
        problem: why not, in a sentence; begins with its kind, as refusals do.
        is_left: whether it is no data file at all, and so left alone.
    """

    below_prefix: str = ""
    problem: str = ""
    is_left: bool = False


def name_in_input(
    relative: str, identity: str, modified_on: date, rules: InputRules, dating: Dating, *, above: str = ""
) -> Named:
    """Return what a file is called in the input.

    Args:
        relative: its path below what is loaded, with `/`.
        identity: what tells it from every other file, and is the same each time.
        modified_on: the UTC date of its last modification.
        rules: the deployment's.
        dating: of files without a date of their own.
        above: the folders above, which end in `/`; they may have the date.
    """
    if is_contract_name(relative, rules):
        return Named(relative)
    ending = _ending_of(relative, rules)
    if ending is None:
        return Named(problem=f"other ending: expected {' or '.join(_endings(rules))}", is_left=True)
    extension = _extension_for(ending, rules)
    if extension is None:
        return Named(
            problem=f"other ending: the deployment takes {' and '.join(rules.input_extensions)} alone",
            is_left=True,
        )
    day = date_in(above + relative) or dating.day_of(modified_on)
    if day is None:
        return Named(
            problem="no date: neither its name nor its folders have one; pass --date, or --date-from modified"
        )
    stem = _stem(relative.removesuffix(ending), day)
    digest = hashlib.sha256(identity.encode("utf-8", "surrogateescape")).hexdigest()[:_DIGEST_DIGITS]
    name = f"{stem}-{digest}{extension}"
    if DateSource.NAME in rules.date_sources:
        return Named(f"{day}-{name}")
    return Named(f"dt={day}/{name}" if DateSource.PATH in rules.date_sources else name)


def is_contract_name(below_prefix: str, rules: InputRules) -> bool:
    """Tell whether a key below the input prefix has a date, an extension and characters as it should."""
    if not below_prefix.endswith(rules.input_extensions) or not is_allowed_key(below_prefix):
        return False
    found = find_date(below_prefix, rules.date_sources)
    if found.source is DateSource.NAME and found.rest in rules.input_extensions:
        return False
    return found.day is not None or found.source is DateSource.ARRIVAL


def date_in(relative: str) -> date | None:
    """Return the date that stands in a name or in its folders, the name's first; None without one."""
    found = find_date(relative, (DateSource.NAME, DateSource.PATH))
    if found.day is not None:
        return found.day
    folders, _, name = relative.rpartition("/")
    for text in (name, *reversed(folders.split("/"))):
        for match in _ANY_DATE.finditer(text):
            try:
                return parse_date(f"{match[1]}-{match[3]}-{match[4]}")
            except ValueError:
                continue
    return None


def _endings(rules: InputRules) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*rules.input_extensions, *DATA_ENDINGS)))


def _ending_of(relative: str, rules: InputRules) -> str | None:
    """Return the longest ending of data files that a name has, as it stands there."""
    lowered = relative.lower()
    found = [ending for ending in _endings(rules) if lowered.endswith(ending.lower())]
    return relative[-len(max(found, key=len)) :] if found else None


def _extension_for(ending: str, rules: InputRules) -> str | None:
    if ending in rules.input_extensions:
        return ending
    is_packed = ending.lower().endswith(".gz")
    return next((one for one in rules.input_extensions if one.lower().endswith(".gz") is is_packed), None)


def _stem(text: str, day: date) -> str:
    # The date begins the name already.
    for written in (
        f"dt={day}",
        f"date={day}",
        f"{day}",
        f"{day:%Y/%m/%d}",
        f"{day:%Y%m%d}",
        f"{day:%Y_%m_%d}",
    ):
        text = text.replace(written, "-")
    readable = _NOT_IN_NAMES.sub("-", text).strip("-.")
    return readable[-_STEM_CHARACTERS:].strip("-.") or "file"
