"""What was published to the alert topics, as a person reads it: what, of which date, what to do next."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lambda_ingest.contract.text import printable
from ndjson_pipeline.local_aws.published import FILE

# No more of one alert, or of one look, is shown.
_MOST_CHARACTERS = 300
_MOST_LINES_OF_A_CAUSE = 3
_MOST_NAMES = 3
_MOST_AT_ONCE = 5
_TAIL_BYTES = 2_000_000


@dataclass(frozen=True)
class Alert:
    """One alert.

    Attributes:
        time: when it was published, UTC text.
        topic: the topic's name, which bears the feed's.
        title: what it is about.
        facts: what it says, by what it says it of, in order.
        next_step: what to do.
    """

    time: str
    topic: str
    title: str
    facts: Mapping[str, str]
    next_step: str

    def lines(self) -> list[str]:
        """Return it as a block of lines."""
        width = max((len(name) for name in (*self.facts, "next")), default=0)
        return [
            f"ALERT {self.time[:19].replace('T', ' ')} UTC  {self.title}",
            *(f"  {name:<{width}}  {text}" for name, text in (*self.facts.items(), ("next", self.next_step))),
        ]


def alert_of(line: str) -> Alert | None:
    """Read a line of the file, or return None where it is none; pure.

    What an alert quotes is a producer's: no control character of it takes effect, and long texts are cut.
    """
    try:
        entry = json.loads(line)
        time, topic = str(entry["time"]), _text(entry["topic"])
        subject, message = entry["subject"], entry["message"]
    except (ValueError, KeyError, TypeError):
        return None
    document = _document(message)
    if document is None:
        return Alert(time, topic, _text(subject) or "a message", {"says": _text(message)}, "read it")
    if document.get("Alert") == "overwritten":
        return _overwritten(time, topic, document)
    if document.get("Alert") == "refused":
        return _refused(time, topic, document)
    return _failed(time, topic, document)


def _failed(time: str, topic: str, document: Mapping[str, Any]) -> Alert:
    error = document.get("Error")
    cause = error.get("Cause") if isinstance(error, dict) else None
    reasons = [_text(each) for each in str(cause or "").splitlines() if each.strip()]
    facts = {
        "date": _text(document.get("DatePrefix")),
        "manifest": _names(document.get("ManifestPaths") or [document.get("ManifestPath")]),
        "cause": " / ".join(reasons[:_MOST_LINES_OF_A_CAUSE]),
        "run": _text(document.get("DagsterRunUrl") or document.get("DagsterRunId")),
        "Glue run": _text(document.get("GlueJobRunId")),
    }
    if document.get("WillRetry"):
        step = "nothing yet: another attempt follows by itself; look again if it fails, too"
    elif facts["manifest"]:
        step = "mend the cause, then launch the date again: Dagster's UI, job reprocess_failed_manifests"
    else:
        step = "open the run in Dagster's UI; its log says why it failed"
    return Alert(time, topic, "a conversion failed", _present(facts), step)


def _overwritten(time: str, topic: str, document: Mapping[str, Any]) -> Alert:
    files = document.get("Files")
    listed = files if isinstance(files, list) else []
    paths = [each.get("FilePath") for each in listed if isinstance(each, dict)]
    facts = {
        "date": _text(document.get("DatePrefix")),
        "files": _names(paths, document.get("Count")),
        "sure": f"{_text(document.get('Certain'))} of {_text(document.get('Count'))} have other content",
    }
    return Alert(
        time,
        topic,
        "files were written again after their batch",
        _present(facts),
        "upload the new content under a new name; the former is in the Parquet already",
    )


def _refused(time: str, topic: str, document: Mapping[str, Any]) -> Alert:
    reasons = document.get("Reasons")
    examples = document.get("Examples")
    listed = examples if isinstance(examples, list) else []
    named = (
        [f"{_text(name)}: {_text(count)}" for name, count in reasons.items()]
        if isinstance(reasons, dict)
        else []
    )
    facts = {
        "files": f"{_text(document.get('Count'))} refused since {_text(document.get('Since')) or 'a while'}",
        "reasons": ", ".join(named)[:_MOST_CHARACTERS],
        "such as": _names([each.get("FilePath") for each in listed if isinstance(each, dict)]),
    }
    return Alert(
        time,
        topic,
        "many files are refused",
        _present(facts),
        "mend their producer, or the setting that refuses them; the files are in the quarantine bucket",
    )


def _document(message: Any) -> dict[str, Any] | None:
    try:
        document = json.loads(message)
    except (ValueError, TypeError):
        return None
    known = isinstance(document, dict) and ("Alert" in document or "FunctionError" in document)
    return document if known else None


def _present(facts: Mapping[str, str]) -> dict[str, str]:
    return {name: text for name, text in facts.items() if text}


def _names(values: Sequence[Any], count: Any = None) -> str:
    names = [_text(value) for value in values if value]
    more = (count if isinstance(count, int) else len(names)) - len(names[:_MOST_NAMES])
    return ", ".join(names[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def _text(value: Any) -> str:
    return "" if value is None else printable(str(value), _MOST_CHARACTERS)


class PublishedAlerts:
    """Reads what is new in the file.

    Args:
        folder: of the local AWS.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._position = self._path.stat().st_size if self._path.exists() else 0

    def new(self) -> tuple[list[Alert], int]:
        """Return alerts that were published since the last look, and how many more there were.

        The newest are returned: a flood of them fills no screen.
        """
        alerts = [alert for line in self._lines() if (alert := alert_of(line)) is not None]
        return alerts[-_MOST_AT_ONCE:], max(0, len(alerts) - _MOST_AT_ONCE)

    def _lines(self) -> Iterator[str]:
        if not self._path.exists():
            return
        size = self._path.stat().st_size
        if size < self._position:
            # The file was put aside as it was full; what it got last was seen, but for a moment's.
            self._position = 0
        with self._path.open("rb") as file:
            file.seek(max(self._position, size - _TAIL_BYTES))
            content = file.read()
        whole = content[: content.rfind(b"\n") + 1]
        self._position = size - len(content) + len(whole)
        yield from whole.decode("utf-8", "replace").splitlines()


def last_alerts(folder: Path, count: int) -> list[Alert]:
    """Return the last alerts that were published, oldest first.

    Args:
        folder: of the local AWS.
        count: how many at most.
    """
    lines: list[str] = []
    for path in ((folder / FILE).with_suffix(".1.jsonl"), folder / FILE):
        if path.exists():
            lines += path.read_text(errors="replace").splitlines()
    found = [alert for line in lines if (alert := alert_of(line)) is not None]
    return found[-count:]
