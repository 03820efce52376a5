"""The Lambdas, what calls them, and the rules that they judge files by."""

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from lambda_ingest.contract.dates import utc_date
from lambda_ingest.contract.records import FileStatus
from lambda_ingest.contract.rows import text_of
from lambda_ingest.contract.settings import SHARED_VARIABLES, SettingsReader, SharedSettings
from ndjson_pipeline.desk.clients import Desk
from ndjson_pipeline.desk.doctor.finding import Finding, State, judged, ok

# How many of today's files tell whether most are refused.
_SAMPLE = 500
_FEW = 5
_SIZE_REASON = "size out of tolerance"


def builder(desk: Desk) -> Iterator[Finding]:
    """Tell whether the manifest builder is as it should be, and is called."""
    configuration = _configuration(desk, desk.names.manifest_builder_function)
    yield _judge(desk, "manifest builder", configuration)
    yield _same_settings(desk, _variables(configuration))
    mappings: Any = desk.functions.list_event_source_mappings(
        FunctionName=desk.names.manifest_builder_function
    )["EventSourceMappings"]
    ours = [one for one in mappings if str(one.get("EventSourceArn", "")).endswith(f":{desk.names.queue}")]
    if not ours:
        # The local AWS hands messages over by itself.
        step = "in AWS, deploy again (`make deploy`); on a laptop nothing is to be done"
        yield Finding("queue's mapping", State.WARNING, "AWS knows none between queue and builder", step)
        return
    problems = []
    for one in ours:
        if one.get("State") not in {"Enabled", "Enabling", "Creating"}:
            problems.append((f"its mapping is {one.get('State')}", "enable the event source mapping"))
        if "ReportBatchItemFailures" not in one.get("FunctionResponseTypes", []):
            problems.append(("one failed message fails its batch", "set ReportBatchItemFailures"))
    yield judged("queue's mapping", problems, f"calls it with up to {_batch_sizes(ours)} messages")


def sweeper(desk: Desk) -> Iterator[Finding]:
    """Tell whether the sweeper is as it should be; its timer can't be told from here."""
    yield _judge(desk, "sweeper", _configuration(desk, desk.names.sweeper_function))


def size_check(desk: Desk) -> Iterator[Finding]:
    """Tell whether the size check refuses most of today's files."""
    reader = SettingsReader(desk.builder_variables())
    expected = reader.number("EXPECTED_FILE_SIZE_MB", 3.5)
    if expected == 0:
        yield ok("size check", "off")
        return
    tolerance = reader.number("SIZE_TOLERANCE_PERCENT", 10.0)
    today = utc_date(desk.clock()).isoformat()
    attributes = ("file_key", "file_path", "status", "reason")
    counts: Counter[bool] = Counter()
    for row in islice(desk.rows.of_date(today, attributes=attributes), _SAMPLE):
        if text_of(row, "file_path") is not None:
            reason = text_of(row, "reason") or ""
            counts[row.get("status") == FileStatus.QUARANTINED and reason.startswith(_SIZE_REASON)] += 1
    said = f"{expected:g} MB within {tolerance:g} %"
    if counts[True] >= _FEW and counts[True] > counts[False]:
        yield Finding(
            "size check",
            State.WRONG,
            f"{said} refuses {counts[True]} of {counts.total()} files of today",
            "set EXPECTED_FILE_SIZE_MB to what producers send, or 0; then `quarantine release`",
        )
    else:
        yield ok("size check", f"{said}; refused {counts[True]} of {counts.total()} files of today")


def _judge(desk: Desk, part: str, configuration: Mapping[str, Any]) -> Finding:
    variables = _variables(configuration)
    wanted = {
        "MANIFEST_BUCKET": desk.names.manifest_bucket,
        "TRACKING_TABLE": desk.names.tracking_table,
        "INPUT_BUCKET": desk.names.input_bucket,
    }
    problems = [
        (f"{name} is {variables.get(name) or 'not set'}", f"set it to {value}")
        for name, value in wanted.items()
        if variables.get(name) != value
    ]
    if configuration.get("State", "Active") not in {"Active", "Inactive"}:
        problems.append((f"it is {configuration.get('State')}", str(configuration.get("StateReason"))))
    if configuration.get("LastUpdateStatus", "Successful") == "Failed":
        problems.append(("its last update failed", str(configuration.get("LastUpdateStatusReason"))))
    name, timeout = configuration.get("FunctionName"), configuration.get("Timeout")
    return judged(part, problems, f"{name}, {timeout} s, {configuration.get('MemorySize')} MB")


def _same_settings(desk: Desk, variables: Mapping[str, str]) -> Finding:
    """Compare what the Lambdas and this shell, as a code location would, have of the shared settings."""
    there, here = SettingsReader(variables), SettingsReader(desk.variables)
    if SharedSettings.read(there) == SharedSettings.read(here):
        return ok("shared settings", "the same here as in the function")
    differing = [name for name in SHARED_VARIABLES if (there.text(name) or "") != (here.text(name) or "")]
    return Finding(
        "shared settings",
        State.WARNING,
        f"{', '.join(differing)} differ between the function and this shell",
        "give the code location's processes what the function has; this shell matters less",
    )


def _configuration(desk: Desk, name: str) -> Mapping[str, Any]:
    found: Any = desk.functions.get_function_configuration(FunctionName=name)
    return dict(found)


def _variables(configuration: Mapping[str, Any]) -> Mapping[str, str]:
    found: Mapping[str, str] = configuration.get("Environment", {}).get("Variables", {})
    return found


def _batch_sizes(mappings: list[Any]) -> str:
    return ", ".join(sorted({str(one.get("BatchSize", "?")) for one in mappings})) or "?"
