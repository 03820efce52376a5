"""What becomes of a file that is loaded, told before anything is done; pure."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from lambda_ingest.contract.created_objects import ObjectCreated
from lambda_ingest.contract.dates import utc_date
from lambda_ingest.contract.gate import stopped
from lambda_ingest.contract.settings import InputSettings
from lambda_ingest.contract.validation import AcceptedFile, validate
from ndjson_pipeline.loading.naming import Dating, name_in_input

# Whoever reads such an object gets an error until it is restored.
_ARCHIVED = frozenset({"GLACIER", "DEEP_ARCHIVE"})


class Fate(StrEnum):
    """What is done with a file.

    Attributes:
        LOAD: it goes through the queue.
        KNOWN: the pipeline has it; it is passed over.
        REFUSED: the manifest builder would quarantine it.
        UNNAMED: it can't get a name of the contract.
        LEFT: it is no input file, and left alone.
    """

    LOAD = "load"
    KNOWN = "known"
    REFUSED = "refused"
    UNNAMED = "unnamed"
    LEFT = "left"


@dataclass(frozen=True)
class Source:
    """A file as a listing shows it.

    Attributes:
        key: its key, or its path below the folder.
        size_bytes: its size.
        modified_at: when it was written last, aware.
        etag: its entity tag without quotes; empty of a local file.
        storage_class: S3's; empty of a local file.
    """

    key: str
    size_bytes: int
    modified_at: datetime
    etag: str = ""
    storage_class: str = ""


@dataclass(frozen=True)
class Judged:
    """A file and what becomes of it.

    Attributes:
        source: the file.
        fate: what is done with it.
        target: its key in the input bucket; empty where it has none.
        date_prefix: its date; empty where it has none.
        reason: why it is not loaded, in a sentence that begins with its kind.
        is_in_place: whether it lies in the input already, so that an event is all it needs.
    """

    source: Source
    fate: Fate
    target: str = ""
    date_prefix: str = ""
    reason: str = ""
    is_in_place: bool = False

    @property
    def kind(self) -> str:
        """The reason without its particulars; one of a few."""
        return self.reason.partition(":")[0]

    def known(self, how: str) -> "Judged":
        """Return it as known."""
        return replace(self, fate=Fate.KNOWN, reason=how)


def judge_in_place(source: Source, bucket: str, rules: InputSettings, now: datetime) -> Judged:
    """Judge an object that lies below the input prefix, as the manifest builder will.

    Args:
        source: the object.
        bucket: the input bucket.
        rules: the deployment's.
        now: the present instant, aware.
    """
    left = stopped(bucket, source.key, rules)
    if left is not None:
        return Judged(source, Fate.LEFT, reason=left.reason)
    if source.storage_class in _ARCHIVED:
        return Judged(source, Fate.LEFT, reason=_archived(source))
    return _validated(source, bucket, source.key, rules, now, is_in_place=True)


def judge_elsewhere(
    source: Source,
    relative: str,
    identity: str,
    bucket: str,
    rules: InputSettings,
    now: datetime,
    dating: Dating,
    *,
    above: str = "",
) -> Judged:
    """Judge a file that lies elsewhere, by the name that it gets in the input.

    Args:
        source: the file.
        relative: its path below what is loaded.
        identity: tells it from every other file.
        bucket: the input bucket.
        rules: the deployment's.
        now: the present instant, aware.
        dating: of files without a date.
        above: the folders above what is loaded.
    """
    left = stopped(bucket, rules.input_prefix + relative, rules)
    if left is not None:
        return Judged(source, Fate.LEFT, reason=left.reason)
    if source.storage_class in _ARCHIVED:
        return Judged(source, Fate.LEFT, reason=_archived(source))
    named = name_in_input(relative, identity, utc_date(source.modified_at), rules, dating, above=above)
    if named.is_left:
        return Judged(source, Fate.LEFT, reason=named.problem)
    if not named.below_prefix:
        return Judged(source, Fate.UNNAMED, reason=named.problem)
    return _validated(source, bucket, rules.input_prefix + named.below_prefix, rules, now, is_in_place=False)


def _validated(
    source: Source, bucket: str, key: str, rules: InputSettings, now: datetime, *, is_in_place: bool
) -> Judged:
    # What is copied or put now is written now.
    written = source.modified_at if is_in_place else now
    created = ObjectCreated(bucket, key, source.size_bytes, source.etag or "none", event_time=written)
    verdict = validate(created, rules, now)
    if isinstance(verdict, AcceptedFile):
        return Judged(source, Fate.LOAD, key, verdict.date_prefix, is_in_place=is_in_place)
    return Judged(source, Fate.REFUSED, key, verdict.date_prefix, verdict.reason, is_in_place)


def _archived(source: Source) -> str:
    return f"archived: it lies in {source.storage_class}; restore it, then load it"
