"""The commands of `quarantine`."""

from collections.abc import Callable, Sequence
from datetime import timedelta

from lambda_ingest.contract.keys import s3_uri
from ndjson_pipeline.cli.exit_codes import ExitCode
from ndjson_pipeline.cli.failures import UsageError
from ndjson_pipeline.cli.output import Block, Column, Facts, Line, Listing
from ndjson_pipeline.cli.session import Change, Session
from ndjson_pipeline.cli.texts import instant, size_mb
from ndjson_pipeline.desk import quarantine as desk_quarantine
from ndjson_pipeline.desk.clients import Desk
from ndjson_pipeline.desk.overview import megabytes
from ndjson_pipeline.desk.quarantine import Outcome, Quarantined, find_quarantined, quarantined


def run_list(session: Session, date: str | None, limit: int) -> None:
    """List refused files."""
    with session.output.progress("reading the quarantine bucket"):
        page = quarantined(session.desk, date, limit)
    blocks: list[Block] = [_listing(page.files)]
    if page.is_cut:
        blocks.append(Line(f"There are more than {limit:,}: --limit shows more, --date fewer."))
    document = {"files": [vars(file) for file in page.files], "is_cut": page.is_cut}
    session.output.show(document, blocks)


def run_show(session: Session, name: str) -> None:
    """Show one refused file.

    Raises:
        UnknownQuarantinedError: there is none of that name.
    """
    file = find_quarantined(session.desk, name)
    facts = {
        "object": s3_uri(session.desk.names.quarantine_bucket, file.key),
        "why": file.reason or "the object does not say",
        "size": f"{file.size_bytes:,} bytes",
        "since": str(file.since),
        "came from": file.original_bucket or "the object does not say",
        "etag": file.etag,
        "next": "`ndjson-pipeline file` has its whole story; `quarantine release` has it judged again",
    }
    session.output.show(vars(file), [Facts(file.key.rpartition("/")[2], facts)])


def run_release(session: Session, names: Sequence[str], date: str | None, limit: int) -> ExitCode:
    """Send refused files back to be judged again."""
    files = _chosen(session, names, date, limit)
    return _work(session, files, "Send {} back to be judged again?", desk_quarantine.release, "released")


def run_purge(
    session: Session, names: Sequence[str], date: str | None, older_than_days: int | None, limit: int
) -> ExitCode:
    """Delete refused files."""
    files = _chosen(session, names, date, limit, may_be_all=older_than_days is not None)
    if older_than_days is not None:
        before = session.desk.clock() - timedelta(days=older_than_days)
        files = [file for file in files if file.since < before]
    return _work(session, files, "Delete {} for good?", desk_quarantine.purge, "deleted")


def _chosen(
    session: Session, names: Sequence[str], date: str | None, limit: int, *, may_be_all: bool = False
) -> list[Quarantined]:
    if names and date is not None:
        raise UsageError("names and --date exclude each other")
    if names:
        return [find_quarantined(session.desk, name) for name in names]
    if date is None and not may_be_all:
        raise UsageError("pass the names of files, or --date")
    with session.output.progress("reading the quarantine bucket"):
        return list(quarantined(session.desk, date, limit).files)


def _work(
    session: Session,
    files: Sequence[Quarantined],
    question: str,
    work: Callable[[Desk, Quarantined], Outcome],
    done: str,
) -> ExitCode:
    if not files:
        session.output.show({done: [], "left": []}, [Line("There is nothing to do: no such file.")])
        return ExitCode.DONE
    asked = question.format("1 file" if len(files) == 1 else f"{len(files)} files")
    document = {"files": [file.key for file in files]}
    if not session.agree(Change(asked, document, [_listing(files)])):
        return ExitCode.DONE
    outcomes = []
    with session.output.progress("files") as tell:
        for file in files:
            outcomes.append(work(session.desk, file))
            tell(f"{len(outcomes)} of {len(files)}")
    left = [one for one in outcomes if not one.is_done]
    session.output.show(
        {done: [vars(one) for one in outcomes if one.is_done], "left": [vars(one) for one in left]},
        [
            Line(f"{len(outcomes) - len(left)} {done}, {len(left)} left."),
            *(Line(f"left {one.key}: {one.said}") for one in left),
        ],
    )
    return ExitCode.FAILED if left else ExitCode.DONE


def _listing(files: Sequence[Quarantined]) -> Listing:
    return Listing(
        "refused files",
        [Column("key"), Column("MB", is_number=True), Column("since", is_whole=True), Column("why")],
        [
            [file.key, size_mb(megabytes(file.size_bytes)), instant(file.since), file.reason or "-"]
            for file in files
        ],
    )
