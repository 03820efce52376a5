"""The gate before any call to S3: which objects are the pipeline's to touch at all; pure.

Whatever names an object passes here first: an event, a listing. What is stopped is left where it is, without
a record and without a request to S3: it belongs to somebody else, or somebody is still writing it.
"""

from collections.abc import Callable
from dataclasses import dataclass

from lambda_ingest.contract.settings import UNFINISHED_ENDINGS, InputRules

# A first `.` or `_` hides a file from Spark and Hive; producers use it for what is not finished.
HIDDEN_BEGINNINGS = (".", "_")


@dataclass(frozen=True)
class Stopped:
    """Why an object is left alone.

    Attributes:
        kind: the rule, one of a few; what is counted by it.
        reason: what was expected, in a sentence; begins with the kind.
        is_loud: whether an operator has to hear of it, for a queue or a policy lets in what it should not.
    """

    kind: str
    reason: str
    is_loud: bool = False


@dataclass(frozen=True)
class Rule:
    """A condition of the gate.

    Attributes:
        kind: its name.
        stops: tells of a bucket, a key and the settings whether the object is left alone.
        expected: what was expected, for the reason.
        is_loud: as in `Stopped`.
    """

    kind: str
    stops: Callable[[str, str, InputRules], bool]
    expected: Callable[[InputRules], str]
    is_loud: bool = False


def _is_of_other_bucket(bucket: str, _: str, settings: InputRules) -> bool:
    return settings.input_bucket is not None and bucket != settings.input_bucket


def _is_of_quarantine(bucket: str, _: str, settings: InputRules) -> bool:
    return bucket == settings.quarantine_bucket


def _is_outside_prefix(_: str, key: str, settings: InputRules) -> bool:
    return not key.startswith(settings.input_prefix)


def _is_folder_marker(_: str, key: str, __: InputRules) -> bool:
    return key.endswith("/")


def _is_hidden(_: str, key: str, settings: InputRules) -> bool:
    parts = key.removeprefix(settings.input_prefix).split("/")
    return any(part.startswith(HIDDEN_BEGINNINGS) for part in parts)


def _is_unfinished(_: str, key: str, __: InputRules) -> bool:
    return key.lower().endswith(UNFINISHED_ENDINGS)


# Asked in this order. The proofs take each out in turn, and a test has to miss it.
RULES = (
    Rule(
        "other bucket",
        _is_of_other_bucket,
        lambda settings: f"input is what lies in {settings.input_bucket}",
        is_loud=True,
    ),
    Rule(
        "quarantine bucket",
        _is_of_quarantine,
        lambda _: "what was refused is input no more",
        is_loud=True,
    ),
    Rule(
        "outside the input prefix",
        _is_outside_prefix,
        lambda settings: f"input is what lies below {settings.input_prefix}",
    ),
    Rule(
        "folder marker",
        _is_folder_marker,
        lambda _: "consoles make such objects to show a folder",
    ),
    Rule(
        "hidden name",
        _is_hidden,
        lambda _: "a part that begins with . or _ is not finished, or not data",
    ),
    Rule(
        "unfinished name",
        _is_unfinished,
        lambda _: "such an ending says that it is still being written",
    ),
)


def stopped(bucket: str, key: str, settings: InputRules) -> Stopped | None:
    """Tell why an object is left alone, or return None where it is the pipeline's to judge.

    Args:
        bucket: the object's.
        key: the object's, decoded.
        settings: whose input bucket, input prefix and quarantine bucket count.
    """
    for rule in RULES:
        if rule.stops(bucket, key, settings):
            return Stopped(rule.kind, f"{rule.kind}: {rule.expected(settings)}", rule.is_loud)
    return None
