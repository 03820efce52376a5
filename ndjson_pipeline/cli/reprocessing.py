"""The commands `reprocess` and `accept`."""

from collections.abc import Sequence

from ndjson_pipeline.claims.record import ManifestRecord
from ndjson_pipeline.claims.reprocessing import try_again
from ndjson_pipeline.cli.exit_codes import ExitCode
from ndjson_pipeline.cli.failures import UsageError
from ndjson_pipeline.cli.output import Block, Column, Line, Listing
from ndjson_pipeline.cli.session import Change, Session
from ndjson_pipeline.desk.accepting import NotAcceptableError, accept, acceptable
from ndjson_pipeline.desk.reprocessing import (
    MOST_FAILED,
    Chosen,
    all_failed,
    convert_again,
    failed_manifest,
    failed_manifest_of_file,
    failed_of_date,
    manifest_named,
)

_SOON = "manifest_sensor launches a run within seconds; `ndjson-pipeline status` shows it"
_LONGEST_ERROR = 300


def run_reprocess(
    session: Session,
    *,
    date: str | None,
    manifest: str | None,
    file: str | None,
    failed: bool,
    everything: bool,
) -> ExitCode:
    """Have failed manifests tried again, or a whole date converted again.

    Raises:
        UsageError: not one of these is asked for, or more than one.
        PipelineError: there is nothing to try again; or Dagster does not answer.
    """
    is_of_file = file is not None
    asked = [date is not None and not is_of_file, manifest is not None, is_of_file, failed]
    if sum(asked) != 1:
        raise UsageError("pass one of --date, --manifest, --file, --failed; --file may have its --date")
    if everything:
        if date is None or is_of_file:
            raise UsageError("--everything is of a --date")
        return _convert_again(session, date)
    chosen = _chosen(session, date=date, manifest=manifest, file=file)
    if not chosen.failed:
        session.output.show(
            {"tried_again": [], "left": []}, [Line("There is nothing to do: no manifest of it has failed.")]
        )
        return ExitCode.DONE
    count = len(chosen.failed)
    question = f"Try {count} failed manifest{'s' if count > 1 else ''} again?"
    names = [record.name.filename for record in chosen.failed]
    if not session.agree(Change(question, {"manifests": names}, [_listing(chosen.failed)])):
        return ExitCode.DONE
    with session.output.progress("marking manifests"):
        retried = try_again(session.desk.records, chosen.failed)
    blocks: list[Block] = [Line(f"{len(retried.marked)} manifests are tried again: {_SOON}.")]
    if retried.moved:
        blocks.append(Line(f"{len(retried.moved)} have moved on meanwhile, and were left alone."))
    if chosen.is_cut:
        blocks.append(Line(f"There are more than {MOST_FAILED:,}: call it again for the rest."))
    session.output.show(
        {
            "tried_again": [record.name.filename for record in retried.marked],
            "left": [record.name.filename for record in retried.moved],
            "is_cut": chosen.is_cut,
        },
        blocks,
    )
    return ExitCode.DONE


def run_accept(session: Session, manifest: str, files: Sequence[str]) -> ExitCode:
    """Do a failed manifest without files that nobody will bring back.

    Raises:
        NotFailedError: it has not failed.
        NotAcceptableError: it does not list them, or they are still there.
    """
    name = manifest_named(manifest)
    what = acceptable(session.desk, name, files)
    document = {"manifest": name.filename, "without": [file.uri for file in what.without]}
    rest = len(what.manifest.files) - len(what.without)
    question = (
        f"Do {name.filename} without these files, with its other {rest}? Their rows are lost for good, those "
        "of an earlier output too."
    )
    listing = Listing("files that are given up", [Column("file")], [[file.uri] for file in what.without])
    if not session.agree(Change(question, document, [listing])):
        return ExitCode.DONE
    if not accept(session.desk, what):
        raise NotAcceptableError(
            f"{name.filename} has moved on from its failure meanwhile; the acceptance is kept for the next"
        )
    session.output.show({**document, "tried_again": True}, [Line(f"It is tried again: {_SOON}.")])
    return ExitCode.DONE


def _chosen(session: Session, *, date: str | None, manifest: str | None, file: str | None) -> Chosen:
    with session.output.progress("reading failed manifests") as tell:
        if manifest is not None:
            return failed_manifest(session.desk, manifest_named(manifest))
        if file is not None:
            return failed_manifest_of_file(session.desk, file, date, tell)
        return all_failed(session.desk) if date is None else failed_of_date(session.desk, date)


def _convert_again(session: Session, date: str) -> ExitCode:
    question = f"Convert all manifests of {date} again, completed ones too, behind live data?"
    if not session.agree(Change(question, {"date": date, "everything": True})):
        return ExitCode.DONE
    backfill = convert_again(session.desk, date)
    said = f"Backfill {backfill} converts {date} again; its input must still be there."
    session.output.show({"date": date, "backfill": backfill}, [Line(said)])
    return ExitCode.DONE


def _listing(records: Sequence[ManifestRecord]) -> Listing:
    return Listing(
        "manifests that failed",
        [
            Column("manifest", is_whole=True),
            Column("files", is_number=True),
            Column("attempt", is_number=True),
            Column("why"),
        ],
        [
            [
                f"{record.date_prefix}/{record.name.sequence:06d}-{record.name.digest}",
                f"{record.file_count:,}",
                str(record.attempt),
                (record.error_message or "no reason is kept")[:_LONGEST_ERROR],
            ]
            for record in records
        ],
    )
