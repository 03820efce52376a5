"""The command `doctor`."""

from collections import Counter

from ndjson_pipeline.cli.exit_codes import ExitCode
from ndjson_pipeline.cli.output import Block, Column, Line, Listing
from ndjson_pipeline.cli.session import Session
from ndjson_pipeline.cli.texts import counted
from ndjson_pipeline.desk.doctor.examination import examine
from ndjson_pipeline.desk.doctor.finding import Finding, State


def run(session: Session) -> ExitCode:
    """Look at every part of a deployment.

    Raises:
        SettingsError: a setting makes no sense.
    """
    with session.output.progress("looking at") as tell:
        findings = list(examine(session.desk, tell))
    is_well = not any(finding.state is State.WRONG for finding in findings)
    session.output.show(
        {"is_well": is_well, "findings": [vars(finding) for finding in findings]}, _blocks(findings)
    )
    return ExitCode.DONE if is_well else ExitCode.PIPELINE_IS_WRONG


def _blocks(findings: list[Finding]) -> list[Block]:
    counts = Counter(finding.state.value for finding in findings)
    rows = [
        [
            finding.state.value,
            finding.part,
            finding.said if finding.to_do is None else f"{finding.said}. To do: {finding.to_do}",
        ]
        for finding in findings
    ]
    columns = [Column("", is_whole=True), Column("part", is_whole=True), Column("what was seen")]
    return [Listing("doctor", columns, rows), Line(counted(counts))]
