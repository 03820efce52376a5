"""Whether a day is well, in a headline, and what to do where it is not; pure."""

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from lambda_ingest.contract.dates import utc_timestamp
from lambda_ingest.contract.records import ManifestStatus
from ndjson_pipeline.day_report.figures import Day
from ndjson_pipeline.deployment.deadlines import Deadlines

# A past date's files become manifests with the next sweep, and manifests are launched by the next look.
_LATE = timedelta(hours=1)


class Tone(StrEnum):
    """How a day is."""

    GOOD = "good"
    OPEN = "open"
    BAD = "bad"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Problem:
    """Something that is wrong.

    Attributes:
        what: a sentence.
        advice: what comes first, in words.
        command: what to type then.
    """

    what: str
    advice: str
    command: str


@dataclass
class Verdict:
    """How a day is.

    Attributes:
        tone: in a word.
        headline: in a sentence.
        problems: what is wrong, the gravest first.
        notes: what a person should know besides, each as a sentence.
    """

    tone: Tone
    headline: str
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def judge(day: Day, launch_wait: timedelta) -> Verdict:
    """Judge a day.

    Args:
        day: what is known of it.
        launch_wait: how long a manifest may wait for its launch, by the dial.
    """
    problems = [*_failures(day), *_late(day, launch_wait), *_lost(day)]
    tone, headline = _headline(day, problems)
    return Verdict(tone, headline, problems, list(_notes(day)))


def _headline(day: Day, problems: list[Problem]) -> tuple[Tone, str]:
    if problems:
        more = f" And {len(problems) - 1} more." if len(problems) > 1 else ""
        return Tone.BAD, f"{problems[0].what}{more}"
    manifests = day.manifests
    loaded = manifests.files[ManifestStatus.COMPLETED.value]
    rest = {
        "in no batch yet": day.files.pending,
        "in batches that wait": manifests.files[ManifestStatus.PENDING.value],
        "being converted": manifests.files[ManifestStatus.PROCESSING.value],
        "tried again by themselves": manifests.files[ManifestStatus.FAILED.value],
    }
    refused = f" {_count(day.files.refused_count, 'file')} refused." if day.files.refused_count else ""
    if waits := [f"{count:,} {what}" for what, count in rest.items() if count]:
        beginning = "It goes on" if day.is_over else "The day goes on"
        said = f"{beginning}: {loaded:,} files of {day.date} are in Parquet, {', '.join(waits)}.{refused}"
        return Tone.OPEN, said
    if not loaded:
        return _headline_of_nothing(day, refused)
    older = _count(day.expired.manifests, "older manifest") if day.expired is not None else ""
    beside = f" The rows of {older} have expired." if older else ""
    word = "accepted files" if day.files.refused_count else "files"
    said = (
        f"The one {word[:-1]} of {day.date} is" if loaded == 1 else f"All {loaded:,} {word} of {day.date} are"
    )
    return Tone.GOOD, f"{said} in Parquet.{refused}{beside}"


def _headline_of_nothing(day: Day, refused: str) -> tuple[Tone, str]:
    """Say why no file of a day is in Parquet, as far as its rows tell."""
    if day.expired is not None:
        lists = "lists" if day.expired.manifests == 1 else "list"
        there = f", and {_count(day.parquet.files, 'Parquet file')} lie there." if day.parquet else "."
        said = (
            f"The rows of {day.date} have expired: {_count(day.expired.manifests, 'manifest')} in S3 {lists} "
            f"{_count(day.expired.files, 'file')}{there}"
        )
    elif day.files.seen:
        said = f"No file of {day.date} was accepted.{refused}"
    elif day.may_be_gone:
        said = f"Nothing of {day.date} is left to see: rows of that age have expired."
    else:
        said = f"No file of {day.date} was seen."
    return Tone.UNKNOWN, said


def _failures(day: Day) -> list[Problem]:
    failed = day.manifests.failed_for_good
    if not failed:
        return []
    verb = "has failed and is" if failed == 1 else "have failed and are"
    return [
        Problem(
            f"{_count(failed, 'manifest')} of {day.date} {verb} not tried again by "
            f"{'itself' if failed == 1 else 'themselves'}.",
            "Mend the cause that its failure names, then",
            "ndjson-pipeline reprocess --failed",
        )
    ]


def _late(day: Day, launch_wait: timedelta) -> list[Problem]:
    found = []
    oldest = day.files.oldest_pending
    if day.is_over and oldest is not None and day.at - max(oldest, day.end) > _LATE:
        verb = "is" if day.files.pending == 1 else "are"
        found.append(
            Problem(
                f"{_count(day.files.pending, 'file')} of {day.date} {verb} in no manifest, the oldest since "
                f"{utc_timestamp(oldest)[:19]}Z.",
                "Does the sweeper run? Cut them now:",
                "ndjson-pipeline flush",
            )
        )
    waits = day.manifests.oldest_waiting
    if waits is not None and day.at - waits > launch_wait + _LATE:
        pending = day.manifests.count(ManifestStatus.PENDING)
        found.append(
            Problem(
                f"{_count(pending, 'manifest')} of {day.date} {'waits' if pending == 1 else 'wait'} for a "
                f"run since {utc_timestamp(waits)[:19]}Z.",
                "Does manifest_sensor run, and has Glue a free place? Look:",
                "ndjson-pipeline doctor",
            )
        )
    going = day.manifests.oldest_going
    if going is not None and day.at - going > Deadlines().run:
        found.append(
            Problem(
                f"A run of {day.date} takes longer than any run may, since {utc_timestamp(going)[:19]}Z.",
                "Does reconcile_sensor run? Look:",
                "ndjson-pipeline doctor",
            )
        )
    return found


def _lost(day: Day) -> list[Problem]:
    found = []
    if empty := day.manifests.empty_count:
        verb = "was" if empty == 1 else "were"
        example = (day.manifests.empty or ["M"])[0]
        found.append(
            Problem(
                f"{_count(empty, 'manifest')} of {day.date} {verb} converted, and no Parquet of "
                f"{'it' if empty == 1 else 'them'} is there.",
                "Who deletes from the output bucket? Then",
                f"ndjson-pipeline reprocess --manifest {example}",
            )
        )
    totals = day.totals
    if totals is not None:
        numbers = totals.numbers
        lost = numbers.records_read - numbers.records_processed - numbers.records_rejected
        if lost:
            found.append(
                Problem(
                    f"Records of {day.date} do not add up: {numbers.records_read:,} in, "
                    f"{numbers.records_processed:,} rows out, {numbers.records_rejected:,} rejected.",
                    "Look at the reports of its Glue runs, then",
                    f"ndjson-pipeline reprocess --date {day.date}",
                )
            )
    return found


def _notes(day: Day) -> list[str]:
    notes = []
    if day.may_be_gone:
        notes.append(
            "The date is so old that rows may have expired. What can no longer be known of those: refused "
            "files and their reasons, when each file came, failures and attempts."
        )
    if day.expired is not None and day.expired.read < day.expired.manifests:
        notes.append(
            f"Of {day.expired.manifests:,} manifests without a row {day.expired.read:,} were read; files and "
            "MB are those of these."
        )
    if day.expired is not None and day.expired.without_parquet:
        notes.append(
            f"Of {_count(day.expired.without_parquet, 'manifest')} without a row no Parquet is there: all of "
            "their records may have been rejected, or they were never converted."
        )
    if day.files.overwritten:
        notes.append(
            f"{_count(day.files.overwritten, 'file')} got other content once in a manifest; the new content "
            "is not loaded. To load it, upload it under a new name."
        )
    if day.manifests.again:
        notes.append(
            f"{_count(day.manifests.again, 'manifest')} had more than one attempt; how late their files were "
            "is told by the last one."
        )
    if day.totals is not None and day.totals.manifests_unreported:
        notes.append(
            f"{_count(day.totals.manifests_unreported, 'manifest')} ended without a report: their records "
            "are not in the numbers."
        )
    if day.totals is not None and day.totals.glue_runs_unpriced:
        notes.append(
            f"Of {_count(day.totals.glue_runs_unpriced, 'Glue run')} Glue did not say enough to price it: "
            "DPU-hours and USD are those of the others."
        )
    if day.odd_rows:
        notes.append(f"{_count(day.odd_rows, 'row')} of other shapes count for nothing.")
    reports = day.glue_reports
    if reports is not None and reports.lost_count:
        notes.append(
            f"{_count(reports.lost_count, 'file')} in the manifests could not be read, or not to the end; "
            "the others loaded."
        )
    if reports is not None and reports.is_cut:
        notes.append("There are more Glue reports than were read; rescued columns are those of the first.")
    if reports is not None and reports.unreadable:
        notes.append(f"{_count(reports.unreadable, 'Glue report')} could not be read.")
    if day.rejected is not None and day.rejected.is_cut:
        notes.append("Only the first rejected records were read; their reasons are those of these.")
    return notes


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
