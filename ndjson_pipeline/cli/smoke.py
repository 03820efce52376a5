"""The command `smoke`."""

import os
from collections import Counter

from lambda_ingest.contract.clock import utc_now
from lambda_ingest.contract.text import printable
from ndjson_pipeline.cli.exit_codes import ExitCode
from ndjson_pipeline.cli.failures import UsageError
from ndjson_pipeline.cli.output import Facts, Line
from ndjson_pipeline.cli.session import Session
from ndjson_pipeline.deployment.clients import current_deployment
from ndjson_pipeline.smoke.observation import Observation
from ndjson_pipeline.smoke.plan import SmokePlanError
from ndjson_pipeline.smoke.run import SmokeResult, run_smoke


def run(session: Session, *, files: int | None, timeout: float) -> ExitCode:
    """Run a smoke test of a deployment, and show how it went.

    Raises:
        SmokePlanError: the deployment would not batch such files today.
        PipelineError, BotoCoreError, ClientError: it could not be done.
    """
    # The smoke test's own clients read the process's environment.
    os.environ.update(session.options.variables())
    deployment = current_deployment()
    try:
        with session.output.progress("smoke test") as tell:

            def tell_of(observation: Observation) -> None:
                counts = Counter(file.status or "unknown" for file in observation.files)
                stages = Counter(record.status.value for record in observation.manifests)
                tell(f"files: {_counted(counts)}; manifests: {_counted(stages)}")

            result = run_smoke(deployment, files=files, timeout_seconds=timeout, now=utc_now(), tell=tell_of)
    except SmokePlanError as error:
        raise UsageError(str(error)) from error
    facts = _facts(result)
    left = (
        f"Left there: {len(result.plan.files)} files in {deployment.names.input_bucket}, and their rows in "
        f"the output of {result.plan.date_prefix}."
    )
    session.output.show(
        {
            "date": result.plan.date_prefix,
            "is_well": not result.problems,
            "problems": list(result.problems),
            "seconds": round(result.seconds, 1),
            "facts": facts,
        },
        [
            Facts(f"smoke test of {result.plan.date_prefix}", facts),
            *(Line(f"wrong: {printable(problem)}") for problem in result.problems),
            Line(left),
        ],
    )
    return ExitCode.PIPELINE_IS_WRONG if result.problems else ExitCode.DONE


def _facts(result: SmokeResult) -> dict[str, str]:
    seen, plan = result.observation, result.plan
    rows = sum(record.records_processed or 0 for record in seen.manifests)
    others = sum(record.file_count for record in seen.manifests) - len(plan.files)
    return {
        "files": _counted(Counter(file.status or "unknown" for file in seen.files)),
        "manifests": _counted(Counter(record.status.value for record in seen.manifests)),
        "others' files in them": str(max(others, 0)),
        "runs": ", ".join(sorted(seen.runs)) or "none",
        "Glue runs": ", ".join(f"{run.state} in {run.seconds} s" for run in seen.glue_runs) or "none",
        "records in": f"{plan.records:,}",
        "rows out": f"{rows:,}",
        "Parquet": f"{seen.parquet_files} files, {seen.parquet_bytes:,} bytes",
        "seconds": f"{result.seconds:.0f}",
        "result": "something is wrong" if result.problems else "all is well",
    }


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "none"
