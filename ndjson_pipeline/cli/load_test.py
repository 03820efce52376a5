"""The command `load-test`."""

import json
import os
import secrets
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.config import Config

from lambda_ingest.contract.dates import utc_timestamp
from lambda_ingest.contract.records import BYTES_PER_MB
from lambda_ingest.contract.text import printable
from ndjson_pipeline.cli.bars import bar
from ndjson_pipeline.cli.exit_codes import ExitCode
from ndjson_pipeline.cli.failures import UsageError
from ndjson_pipeline.cli.output import Block, Column, Facts, Line, Listing
from ndjson_pipeline.cli.session import Change, Session
from ndjson_pipeline.cli.stopping import stopping
from ndjson_pipeline.cli.texts import counted
from ndjson_pipeline.desk.clients import Desk
from ndjson_pipeline.errors import PipelineError
from ndjson_pipeline.load_test.following import FileTimes, Follower
from ndjson_pipeline.load_test.latencies import Latency, latencies_of
from ndjson_pipeline.load_test.plan import LoadTestPlan, LoadTestPlanError, plan_load_test
from ndjson_pipeline.load_test.plot import draw
from ndjson_pipeline.load_test.putting import Puts, put_files
from ndjson_pipeline.load_test.run import follow
from ndjson_pipeline.loading.made_up import check_made_up
from ndjson_pipeline.loading.rules import rules_of

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

_MOST_NAMED = 3
_PROD = "prod"


@dataclass(frozen=True)
class LoadTestRequest:
    """What was asked for; the command's options.

    Attributes:
        files: how many.
        rate: files a second.
        concurrency: so many put files at once.
        file_size_kb: about how large each is; None as expected.
        out: the folder that gets the plot and the times.
        timeout: seconds to wait for the end.
        on_prod: whether `prod` may be written to.
        mix: whether the dataset may have other columns.
    """

    files: int
    rate: float
    concurrency: int
    file_size_kb: int | None
    out: Path
    timeout: float
    on_prod: bool = False
    mix: bool = False


def run(session: Session, request: LoadTestRequest) -> ExitCode:
    """Show what would be put, ask, put it, and time it.

    Raises:
        UsageError: it would be of `prod`, or could not come out as it should.
        MixedColumnsError: the dataset has columns of others.
        ClientError, BotoCoreError: AWS refused or failed.
    """
    desk = session.desk
    if desk.settings.environment == _PROD and not request.on_prod:
        raise UsageError(
            "a load test puts made-up files into prod, for good; pass --on-prod where that is meant"
        )
    rules = rules_of(desk)
    plan = _planned(desk, request, rules)
    if not request.mix:
        check_made_up(desk, "a load test")
    question = f"Put {len(plan.names):,} made-up files into {desk.names.input_bucket}?"
    document = {
        "label": plan.label,
        "date": plan.date_prefix,
        "files": len(plan.names),
        "bytes_each": plan.size_bytes,
        "rate": plan.rate,
        "concurrency": plan.concurrency,
    }
    facts = {
        "names": f"{plan.stem}000001 and so on",
        "size": f"{len(plan.names):,} files of about {plan.size_bytes / 1024:,.0f} KB, "
        f"{len(plan.names) * plan.size_bytes / BYTES_PER_MB:,.1f} MB in all",
        "rate": f"{plan.rate:g} files/s by {plan.concurrency} at once",
        "stays": f"the files, and their rows in the output of {plan.date_prefix}",
    }
    if not session.agree(Change(question, document, [Facts("load test", facts)])):
        return ExitCode.DONE
    request.out.mkdir(parents=True, exist_ok=True)
    with stopping() as stopped:
        puts = _put(session, plan, rules.input.input_prefix, stopped)
        put_at = {name: puts.clock.at_server(local) for name, local in puts.answered_at.items()}
        follower = Follower(desk, plan.date_prefix, plan.stem)
        files = (
            _follow(session, follower, put_at, rules.max_files, request.timeout, stopped) if put_at else []
        )
    return _show(session, request, plan, puts, files, follower)


def _planned(desk: Desk, request: LoadTestRequest, rules: Any) -> LoadTestPlan:
    try:
        return plan_load_test(
            rules,
            bucket=desk.names.input_bucket,
            files=request.files,
            rate=request.rate,
            concurrency=request.concurrency,
            size_bytes=None if request.file_size_kb is None else request.file_size_kb * 1024,
            label=secrets.token_hex(4),
            now=desk.clock(),
        )
    except LoadTestPlanError as error:
        raise UsageError(str(error)) from error


def _put(session: Session, plan: LoadTestPlan, prefix: str, stopped: threading.Event) -> Puts:
    desk = session.desk
    with session.output.progress("making records"):
        contents = plan.contents(secrets.randbits(32))
    # Each of those that put needs a connection of its own.
    config = Config(
        connect_timeout=5,
        read_timeout=30,
        retries={"mode": "standard"},
        max_pool_connections=plan.concurrency,
    )
    endpoint = desk.variables.get("AWS_ENDPOINT_URL") or None
    s3: S3Client = desk.session.client("s3", config=config, endpoint_url=endpoint)
    with bar(session.output, "putting", len(plan.names)) as advance:
        return put_files(
            s3,
            plan,
            contents,
            bucket=desk.names.input_bucket,
            prefix=prefix,
            now=time.time,
            sleep=lambda seconds: _sleep(stopped, seconds),
            is_stopped=stopped.is_set,
            tell=lambda done: advance(done, ""),
        )


def _follow(
    session: Session,
    follower: Follower,
    put_at: dict[str, datetime],
    max_files: int,
    seconds: float,
    stopped: threading.Event,
) -> list[FileTimes]:
    with bar(session.output, "converted", len(put_at)) as advance:

        def tell(files: Sequence[FileTimes]) -> None:
            settled = sum(file.is_settled for file in files)
            advance(settled, counted(_states(files)))

        return follow(
            follower,
            put_at,
            max_files=max_files,
            seconds=seconds,
            sleep=lambda pause: _sleep(stopped, pause),
            monotonic=time.monotonic,
            is_stopped=stopped.is_set,
            tell=tell,
        )


def _sleep(stopped: threading.Event, seconds: float) -> None:
    stopped.wait(seconds)


def _states(files: Sequence[FileTimes]) -> Counter[str]:
    return Counter(file.manifest_status or file.status or "no record" for file in files)


def _problems(plan: LoadTestPlan, puts: Puts, files: Sequence[FileTimes]) -> list[str]:
    """Say what is wrong; a rest that waits for its batch is not."""
    found = [f"{count:,} files could not be put: {code}" for code, count in puts.errors.most_common()]
    if untried := len(plan.names) - len(puts.answered_at) - puts.errors.total():
        found.append(f"{untried:,} files were not tried any more")
    if lost := [file for file in files if file.is_lost]:
        found.append(
            f"{len(lost):,} files have no record ({_named(lost)}): look at the queue, its dead-letter queue, "
            "and the manifest builder's log"
        )
    if refused := [file for file in files if file.is_refused]:
        found.append(
            f"{len(refused):,} files were refused ({_named(refused)}): {refused[0].reason or 'no reason'}"
        )
    if failed := [file for file in files if file.is_failed]:
        found.append(
            f"the manifests of {len(failed):,} files failed: {failed[0].error or 'no reason is kept'}"
        )
    going = [file for file in files if not (file.is_settled or file.is_pending or file.is_lost)]
    if going:
        found.append(f"{len(going):,} files were not converted in time: look at Dagster, or pass --timeout")
    return found


def _named(files: Sequence[FileTimes]) -> str:
    more = f" and {len(files) - _MOST_NAMED:,} more" if len(files) > _MOST_NAMED else ""
    return ", ".join(file.name for file in files[:_MOST_NAMED]) + more


def _show(
    session: Session,
    request: LoadTestRequest,
    plan: LoadTestPlan,
    puts: Puts,
    files: Sequence[FileTimes],
    follower: Follower,
) -> ExitCode:
    problems, latencies = _problems(plan, puts, files), latencies_of(files)
    waiting = sum(file.is_pending for file in files)
    document = _document(plan, puts, files, latencies, problems, list(follower.unseen))
    written = _written(request.out, plan, puts, files, document)
    document["written"] = [str(path) for path in written]
    uncertainty = puts.clock.uncertainty
    off = (
        "unknown, so this machine's counts"
        if uncertainty is None
        else f"{puts.clock.ahead:+.3f} s ± {uncertainty:.3f} s"
    )
    facts = {
        "put": f"{len(puts.answered_at):,} of {len(plan.names):,} files",
        "rate": f"{puts.files_a_second:,.2f} files/s reached, {plan.rate:g} asked for",
        "errors": counted(puts.errors),
        "requests made again": f"{puts.retries:,}",
        "became": counted(_states(files)),
        "AWS's clock": off,
        "result": "something is wrong" if problems else "all is well",
    }
    blocks: list[Block] = [Facts(f"load test {plan.label} of {plan.date_prefix}", facts), _listing(latencies)]
    blocks += [Line(printable(f"wrong: {one}")) for one in problems]
    if waiting:
        blocks.append(
            Line(f"{waiting:,} files wait for others to fill their batch, or for the end of the day.")
        )
    blocks += [Line(printable(f"not seen: {one}")) for one in follower.unseen]
    blocks += [Line(f"written: {path}") for path in written]
    session.output.show(document, blocks)
    return ExitCode.PIPELINE_IS_WRONG if problems else ExitCode.DONE


def _listing(latencies: Sequence[Latency]) -> Listing:
    return Listing(
        "seconds from PUT to",
        [
            Column("stage", is_whole=True),
            *(Column(name, is_number=True) for name in ("files", "p50", "p95", "p99", "longest")),
        ],
        [
            [
                one.stage,
                f"{one.files:,}",
                *(f"{value:,.2f}" for value in (one.p50, one.p95, one.p99, one.longest)),
            ]
            for one in latencies
        ],
        empty="no file came so far",
    )


def _document(
    plan: LoadTestPlan,
    puts: Puts,
    files: Sequence[FileTimes],
    latencies: Sequence[Latency],
    problems: Sequence[str],
    unseen: Sequence[str],
) -> dict[str, Any]:
    uncertainty = puts.clock.uncertainty
    return {
        "label": plan.label,
        "date": plan.date_prefix,
        "is_well": not problems,
        "problems": list(problems),
        "files": len(plan.names),
        "put": len(puts.answered_at),
        "errors": dict(puts.errors),
        "retries": puts.retries,
        "files_a_second": round(puts.files_a_second, 3),
        "rate": plan.rate,
        "concurrency": plan.concurrency,
        "bytes_each": plan.size_bytes,
        "states": dict(_states(files)),
        "lost": sum(file.is_lost for file in files),
        "refused": sum(file.is_refused for file in files),
        "waiting": sum(file.is_pending for file in files),
        "seconds": {
            one.stage: {name: round(value, 3) for name, value in asdict(one).items() if name != "stage"}
            for one in latencies
        },
        "clock_ahead_seconds": round(puts.clock.ahead, 3),
        "clock_uncertainty_seconds": None if uncertainty is None else round(uncertainty, 3),
        "unseen": list(unseen),
    }


def _written(
    folder: Path, plan: LoadTestPlan, puts: Puts, files: Sequence[FileTimes], document: dict[str, Any]
) -> list[Path]:
    """Write the plot and each file's times; what is left is said by the exit code, so this must not fail it.

    Raises:
        PipelineError: the folder can't be written to.
    """
    times = [
        {
            name: utc_timestamp(value) if isinstance(value, datetime) else value
            for name, value in vars(file).items()
        }
        for file in files
    ]
    plot, raw = folder / f"{plan.label}.png", folder / f"{plan.label}.json"
    try:
        raw.write_text(json.dumps({**document, "times": times}, indent=1) + os.linesep, encoding="utf-8")
        if files:
            title = (
                f"Load test {plan.label} of {plan.date_prefix}: {len(files):,} files of "
                f"{plan.size_bytes / 1024:,.0f} KB, {puts.files_a_second:,.1f} files/s"
            )
            draw(files, title, plot)
    except OSError as error:
        raise PipelineError(f"{folder} can't be written to: {error.strerror or error}") from error
    return [plot, raw] if files else [raw]
