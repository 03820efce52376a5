"""The command `generate`."""

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from lambda_ingest.contract.clock import utc_now
from lambda_ingest.contract.errors import IngestError
from lambda_ingest.contract.records import BYTES_PER_MB
from lambda_ingest.contract.sample_input import BucketSink, FolderSink, GeneratorRequest, Sink, generate
from ndjson_pipeline.cli.output import Line
from ndjson_pipeline.cli.session import Session
from ndjson_pipeline.errors import PipelineError


def run(session: Session, request_fields: Mapping[str, Any], folder: Path | None) -> None:
    """Generate files into the input bucket of the deployment, or into a folder.

    Args:
        session: names the deployment.
        request_fields: what to generate, as the generator's Lambda takes it.
        folder: where to, instead of the bucket.

    Raises:
        PipelineError: an option makes no sense.
    """
    console = Console(file=sys.stderr)
    try:
        request = GeneratorRequest.parse(request_fields)
        # What can't be written to is told before a bar is shown.
        sink = _sink(session, folder)
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
    session.output.show(
        {
            "files": len(generated.names),
            "size_bytes": generated.size_bytes,
            "where": where,
            "seed": generated.seed,
        },
        [
            Line(
                f"{len(generated.names)} files, {generated.size_bytes / BYTES_PER_MB:.2f} MB, into {where}; "
                f"seed {generated.seed}"
            )
        ],
    )


def _sink(session: Session, folder: Path | None) -> Sink:
    if folder is not None:
        return FolderSink(folder)
    desk = session.desk
    return BucketSink(desk.s3, bucket=desk.names.input_bucket, prefix=desk.settings.input_prefix)
