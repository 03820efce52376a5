"""The command `alerts`."""

from pathlib import Path

from rich.console import Console

from ndjson_pipeline.laptop.alerts import last_alerts
from ndjson_pipeline.laptop.folder import LaptopFolder


def run(state: Path, count: int) -> None:
    """Print the last alerts of a laptop's platform, oldest first.

    Args:
        state: its folder.
        count: how many at most.
    """
    console = Console()
    found = last_alerts(LaptopFolder(state).aws, count)
    for alert in found:
        for line in alert.lines():
            console.print(line, highlight=False, soft_wrap=True, markup=False)
    if not found:
        console.print(f"No alert was published on the platform in {state}.", highlight=False, markup=False)
