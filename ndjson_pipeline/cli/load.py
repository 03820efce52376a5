"""The command `load`."""

import shlex
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from glue_jobs.errors import SchemaContractError
from lambda_ingest.contract.dates import parse_date, utc_timestamp
from lambda_ingest.contract.text import printable
from ndjson_pipeline.cli.bars import bar
from ndjson_pipeline.cli.exit_codes import ExitCode
from ndjson_pipeline.cli.failures import UsageError
from ndjson_pipeline.cli.load_plan import plan_blocks, refusal_of
from ndjson_pipeline.cli.output import Block, Facts, Line
from ndjson_pipeline.cli.session import Change, Session
from ndjson_pipeline.cli.stopping import stopping
from ndjson_pipeline.cli.texts import counted
from ndjson_pipeline.desk.aws_errors import sentence_of
from ndjson_pipeline.desk.clients import Desk
from ndjson_pipeline.loading.delivery import Delivery, FolderDelivery, ObjectDelivery, Outcome
from ndjson_pipeline.loading.errors import (
    LoadHeldError,
    LoadStoppedError,
    NothingToLoadError,
    PipelineHurtError,
    WouldBeRefusedError,
)
from ndjson_pipeline.loading.following import Followed, Following
from ndjson_pipeline.loading.judging import Fate
from ndjson_pipeline.loading.known import KnownFiles
from ndjson_pipeline.loading.made_up import columns_of, is_made_up
from ndjson_pipeline.loading.naming import Dating
from ndjson_pipeline.loading.plan import Plan
from ndjson_pipeline.loading.progress_record import LoadRecord, LoadState, LoadStatus
from ndjson_pipeline.loading.queues import Queues
from ndjson_pipeline.loading.rules import LoadRules, rules_of
from ndjson_pipeline.loading.run import Load, LoadOptions, LoadResult, Surroundings
from ndjson_pipeline.loading.sources import FolderSources, ObjectSources

_SCHEME = "s3://"
_MOST_NAMES_OF_A_FOLDER = 100_000


@dataclass(frozen=True)
class LoadRequest:
    """What was asked for; the command's options.

    Attributes:
        source: a folder, an S3 URI, or a prefix below the input prefix.
        rate: files a second.
        date: of files without one.
        date_from: `modified`, or None.
        skip_refused: whether what would be quarantined is left where it is.
        include_refused: whether it is loaded all the same.
        max_backlog: with more messages it pauses.
        patience_seconds: how long a pause may bring nothing.
        restart: whether it begins anew.
        take_over: whether it goes on with what somebody else seems to be at.
        wait_seconds: how long to wait for the end; None does not.
    """

    source: str
    rate: float = 20.0
    date: str | None = None
    date_from: str | None = None
    skip_refused: bool = False
    include_refused: bool = False
    max_backlog: int = 1_000
    patience_seconds: float = 1_800.0
    restart: bool = False
    take_over: bool = False
    wait_seconds: float | None = None


def run(session: Session, request: LoadRequest) -> ExitCode:
    """Show what a load would do, ask, and do it.

    Raises:
        UsageError: an option makes no sense.
        NothingToLoadError: there is no file.
        WouldBeRefusedError: files would be quarantined, and nobody said that they may.
        LoadStoppedError: it stopped before its end, and can go on.
        ClientError, BotoCoreError: AWS refused or failed.
    """
    dating = _dating(request)
    if request.skip_refused and request.include_refused:
        raise UsageError("--skip-refused and --include-refused exclude each other")
    desk = session.desk
    rules = rules_of(desk)
    sources = _sources(desk, request.source, rules, dating)
    record = LoadRecord(desk, sources.uri) if isinstance(sources, ObjectSources) else None
    earlier = _earlier(session, record, request)
    plan = _planned(session, sources, rules, earlier)
    mixes = _mixes(session, plan)
    document = {
        "source": sources.uri,
        **plan.to_document(),
        "dataset_is_made_up": mixes is not None,
        "rate": request.rate,
        "hours": round(plan.hours(request.rate), 3),
        "manifests": plan.manifests(rules.max_files),
        "goes_on_behind": earlier.after if earlier else None,
    }
    blocks = plan_blocks(sources.uri, plan, rules, request.rate, earlier)
    if mixes is not None:
        blocks.append(Line(mixes))
    refusal = None if request.skip_refused or request.include_refused else refusal_of(plan, rules.input)
    if session.consent and session.consent.dry_run and refusal is not None:
        document["refusal"] = refusal
        blocks.append(Line(f"It would stop: {refusal}."))
    elif refusal is not None:
        if not session.output.is_json:
            session.output.show({}, blocks)
        raise WouldBeRefusedError(refusal)
    count = plan.to_load + (plan.fates[Fate.REFUSED] if request.include_refused else 0)
    if not count and not (session.consent and session.consent.dry_run):
        if request.wait_seconds is not None and plan.fates[Fate.KNOWN]:
            followed = _followed(session, request.wait_seconds, sources, rules, plan)
            return _show(session, sources.uri, LoadResult(passed=+plan.fates), followed, record)
        session.output.show({**document, "loaded": 0}, [*blocks, Line("There is nothing to do.")])
        return ExitCode.DONE
    question = f"Load {count:,} file{'s' if count != 1 else ''}?"
    if not session.agree(Change(question, document, blocks)):
        return ExitCode.DONE
    return _load(session, request, sources, rules, record, earlier, plan, count)


def _dating(request: LoadRequest) -> Dating:
    if request.date_from not in {None, "modified"}:
        raise UsageError(f"--date-from takes modified, not {printable(str(request.date_from))}")
    if request.date is not None and request.date_from is not None:
        raise UsageError("--date and --date-from exclude each other")
    return Dating(None if request.date is None else parse_date(request.date), request.date_from is not None)


def _sources(desk: Desk, source: str, rules: LoadRules, dating: Dating) -> ObjectSources | FolderSources:
    """Tell what is meant: a folder that exists here, a URI, or a prefix of the input."""
    names = desk.names
    if source.startswith(_SCHEME):
        bucket, _, prefix = source.removeprefix(_SCHEME).partition("/")
        if not bucket:
            raise UsageError(f"{printable(source)} names no bucket; expected s3://bucket/prefix")
        if bucket in names.buckets and bucket != names.input_bucket:
            raise UsageError(
                f"{bucket} is the pipeline's own, and not for input; refused files go back by "
                "`ndjson-pipeline quarantine release`"
            )
        return ObjectSources(desk, bucket, prefix, rules, dating)
    path = Path(source)
    if path.is_dir():
        return FolderSources(desk, path, rules, dating)
    if path.exists():
        raise UsageError(f"{printable(source)} is a file; load takes a folder")
    if source.startswith((".", "/", "~")):
        raise UsageError(f"there is no folder {printable(source)} on this machine")
    prefix = rules.input.input_prefix
    return ObjectSources(
        desk, names.input_bucket, source if source.startswith(prefix) else prefix + source, rules, dating
    )


def _earlier(session: Session, record: LoadRecord | None, request: LoadRequest) -> LoadState | None:
    """Return how far the same load came before; None where it begins."""
    found = record.read() if record is not None else None
    if record is None or found is None:
        return None
    is_asked = session.consent is not None and not session.consent.dry_run
    if is_asked and found.is_alive(session.desk.clock()) and not request.take_over:
        raise LoadHeldError(
            f"{found.holder} is at this load; {record.uri} was written at {found.updated_at}. Wait for its "
            "end, or for three minutes of silence, or pass --take-over where you know that it is gone"
        )
    return None if request.restart or found.status is LoadStatus.DONE or not found.after else found


def _planned(
    session: Session, sources: ObjectSources | FolderSources, rules: LoadRules, earlier: LoadState | None
) -> Plan:
    plan = Plan()
    desk = session.desk
    most = _MOST_NAMES_OF_A_FOLDER if isinstance(sources, FolderSources) else 100
    with session.output.progress(f"looking at {sources.uri}") as tell:
        known = _known(desk, rules, tell)
        for page in sources.pages(earlier.after if earlier else ""):
            plan.add(known.marked(page), most_renamed=most)
            tell(f"{plan.files:,} files")
        plan.unseen = known.unseen
    if not plan.files and earlier is None:
        also = (
            "" if isinstance(sources, FolderSources) else "; a folder of this machine is one that exists here"
        )
        raise NothingToLoadError(f"{printable(sources.uri)} holds no file{also}")
    return plan


def _mixes(session: Session, plan: Plan) -> str | None:
    """Say that made-up files have left their columns in the dataset; None where they have not."""
    desk = session.desk
    try:
        columns = columns_of(desk)
    except (ClientError, SchemaContractError) as error:
        said = sentence_of(error, desk.calls) if isinstance(error, ClientError) else str(error)
        plan.unseen.append(f"the dataset's columns ({said})")
        return None
    if not is_made_up(columns):
        return None
    return (
        "The dataset has the columns of made-up files (`generate`), and they will stay beside yours. A feed "
        "of its own (--feed) has none; on a laptop, `dev --fresh` begins anew."
    )


def _known(desk: Desk, rules: LoadRules, tell: Any) -> KnownFiles:
    return KnownFiles(desk, timedelta(days=rules.input.ttl_days), rules.input.input_prefix, tell)


def _load(
    session: Session,
    request: LoadRequest,
    sources: ObjectSources | FolderSources,
    rules: LoadRules,
    record: LoadRecord | None,
    earlier: LoadState | None,
    plan: Plan,
    count: int,
) -> ExitCode:
    desk = session.desk
    now = utc_timestamp(desk.clock())
    state = earlier or LoadState(sources.uri, LoadStatus.GOING, began_at=now)
    before = state.sent + state.failed
    if record is not None:
        state = LoadState(**{**vars(state), "holder": str(desk.identity["Arn"])})
    with stopping() as stopped, bar(session.output, "loading", count) as advance:

        def sleep(seconds: float) -> None:
            stopped.wait(seconds)

        queues = Queues(desk, sleep)
        delivery: Delivery = (
            FolderDelivery(desk, sources.folder)
            if isinstance(sources, FolderSources)
            else ObjectDelivery(desk, sources.bucket, queues)
        )
        load = Load(
            sources,
            _known(desk, rules, lambda _said: None),
            delivery,
            queues,
            record,
            LoadOptions(request.rate, request.max_backlog, request.patience_seconds, request.include_refused),
            Surroundings(
                sleep, time.monotonic, stopped.is_set, lambda done, said: advance(done - before, said)
            ),
        )
        try:
            load.run(state)
        except LoadHeldError:
            raise
        except LoadStoppedError as error:
            return _stopped(session, request, load.result, error)
    followed = None
    if request.wait_seconds is not None:
        followed = _followed(session, request.wait_seconds, sources, rules, plan)
    return _show(session, sources.uri, load.result, followed, record)


def _stopped(session: Session, request: LoadRequest, result: LoadResult, error: LoadStoppedError) -> ExitCode:
    again = f"ndjson-pipeline load {shlex.quote(request.source)}"
    done = result.outcomes[Outcome.DONE]
    message = (
        f"the load stopped after {done:,} files: {error}. Nothing is lost: `{again}` with the same options "
        "goes on"
    )
    is_hurt = isinstance(error, PipelineHurtError)
    code = ExitCode.PIPELINE_IS_WRONG if is_hurt else ExitCode.FAILED
    session.output.fail(message, code)
    return code


def _followed(
    session: Session, seconds: float, sources: ObjectSources | FolderSources, rules: LoadRules, plan: Plan
) -> Followed:
    desk = session.desk
    known = _known(desk, rules, lambda _said: None)
    with stopping() as stopped, session.output.progress("waiting") as tell:

        def sleep(pause: float) -> None:
            stopped.wait(pause)

        return Following(desk, rules, known, Queues(desk, sleep)).wait(
            sources.pages,
            plan.dates,
            seconds=seconds,
            sleep=sleep,
            monotonic=time.monotonic,
            is_stopped=stopped.is_set,
            tell=tell,
        )


def _show(
    session: Session, uri: str, result: LoadResult, followed: Followed | None, record: LoadRecord | None
) -> ExitCode:
    failed = result.outcomes[Outcome.FAILED]
    facts = {
        "loaded": f"{result.outcomes[Outcome.DONE]:,} files in {result.seconds:,.0f} s",
        "there already": f"{result.outcomes[Outcome.THERE]:,}",
        "passed over": counted({fate.value: count for fate, count in result.passed.items()}),
        "failed": f"{failed:,}",
    }
    if record is not None:
        facts["its record"] = record.uri
    document: dict[str, Any] = {
        "source": uri,
        "loaded": result.outcomes[Outcome.DONE],
        "there_already": result.outcomes[Outcome.THERE],
        "passed_over": {fate.value: count for fate, count in sorted(result.passed.items())},
        "failed": failed,
        "failures": [{"key": one.file.source.key, "why": one.said} for one in result.failures],
        "seconds": round(result.seconds, 1),
        "record": record.uri if record is not None else None,
    }
    blocks: list[Block] = [
        Facts(f"load of {uri}", facts),
        *(Line(printable(f"failed {one.file.source.key}: {one.said}")) for one in result.failures),
    ]
    if followed is None:
        blocks.append(
            Line(
                "The manifest builder takes them now: `ndjson-pipeline status` shows it, --wait waits for it."
            )
        )
    else:
        document |= {
            "became": dict(followed.states),
            "is_over": followed.is_over,
            "waiting": followed.waiting,
        }
        blocks.append(Facts("what became of it", _became(followed)))
        blocks += [Line(one) for one in followed.waiting]
    session.output.show(document, blocks)
    if followed is not None and not followed.is_well:
        return ExitCode.PIPELINE_IS_WRONG
    return ExitCode.FAILED if failed else ExitCode.DONE


def _became(followed: Followed) -> dict[str, str]:
    found = {name: f"{count:,}" for name, count in sorted(followed.states.items())}
    open_ = "the waiting was ended" if followed.is_stopped else "the time was up; --timeout waits longer"
    return {**found, "over": "yes" if followed.is_over else f"no, {open_}"}
