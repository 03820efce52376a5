"""`report`: a day on one page, of an empty pipeline, a busy one, and broken ones."""

from pathlib import Path

import pytest

from ndjson_pipeline_tests.pipeline.cli.conftest import Busy, Cli, Deny
from ndjson_pipeline_tests.pipeline.harness import DATE

pytestmark = pytest.mark.usefixtures("deployment", "emptied")


def test_busy(cli: Cli, busy: Busy, tmp_path: Path) -> None:
    done = cli("report", "--date", DATE, "--html", "/tmp/report/busy.html", "--force")
    print(done.out, done.err)
    print(cli("report", "--date", DATE, "--json").out)
    assert done.code == 3
