"""The command `generate`."""

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from lambda_ingest.contract.clock import utc_now
from lambda_ingest.contract.errors import IngestError
from lambda_ingest.contract.records import BYTES_PER_MB
from lambda_ingest.contract.sample_input import BucketSink, FolderSink, GeneratorRequest, Sink, generate
from ndjson_pipeline.cli.output import Line
from ndjson_pipeline.cli.session import Session
from ndjson_pipeline.desk.aws_errors import sentence_of
from ndjson_pipeline.errors import PipelineError
from ndjson_pipeline.loading.made_up import check_made_up


def run(
    session: Session, request_fields: Mapping[str, Any], folder: Path | None, *, mix: bool = False
) -> None:
    """Generate files into the input bucket of the deployment, or into a folder.

    A dataset never loses a column, so those of made-up records go into no dataset of others.

    Args:
        session: names the deployment.
        request_fields: what to generate, as the generator's Lambda takes it.
        folder: where to, instead of the bucket.
        mix: whether the dataset may have columns of others.

    Raises:
        PipelineError: an option makes no sense.
        MixedColumnsError: the dataset has columns of others.
    """
    console = Console(file=sys.stderr)
    try:
        request = GeneratorRequest.parse(request_fields)
        # What can't be written to is told before a bar is shown.
        sink = _sink(session, folder)
        unseen = None if folder is not None or mix else _check_columns(session)
        with Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=console,
        ) as bars:
            task = bars.add_task("files", total=request.file_count)
            generated = generate(
                request,
                sink,
                clock=utc_now,
                sleep=time.sleep,
                # A person can wait, and end it with Ctrl-C; what is written by then stays.
                remaining_seconds=lambda: float("inf"),
                tell=lambda _name, _size: bars.advance(task),
            )
    except IngestError as error:
        raise PipelineError(str(error)) from error
    where = str(folder) if folder is not None else "the input bucket"
    said = [
        f"{len(generated.names)} files, {generated.size_bytes / BYTES_PER_MB:.2f} MB, into {where}; "
        f"seed {generated.seed}"
    ]
    if folder is None:
        said.append(
            "The dataset keeps their columns: what is yours goes into a feed of its own, or begins anew."
        )
    if unseen is not None:
        said.append(f"not seen: the dataset's columns ({unseen})")
    session.output.show(
        {
            "files": len(generated.names),
            "size_bytes": generated.size_bytes,
            "where": where,
            "seed": generated.seed,
        },
        [Line(one) for one in said],
    )


def _check_columns(session: Session) -> str | None:
    """Refuse to mix columns; where these credentials may not look, return why.

    Raises:
        MixedColumnsError: the dataset has columns of others.
        PipelineError: its schema can't be read.
    """
    desk = session.desk
    try:
        check_made_up(desk, "made-up records")
    except ClientError as error:
        return sentence_of(error, desk.calls)
    return None


def _sink(session: Session, folder: Path | None) -> Sink:
    if folder is not None:
        return FolderSink(folder)
    desk = session.desk
    return BucketSink(desk.s3, bucket=desk.names.input_bucket, prefix=desk.settings.input_prefix)
