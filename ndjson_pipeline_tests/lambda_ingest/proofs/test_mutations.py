"""Every condition is there because a test fails without it."""

import pytest

from ndjson_pipeline_tests.lambda_ingest.proofs.figures import tried
from ndjson_pipeline_tests.lambda_ingest.proofs.mutate_conditions import run


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_a_test_fails_without_each_condition() -> None:
    lines: list[str] = []
    result = run(lines.append)
    tried("each condition taken out", len(result.verdicts), "mutations")
    assert result.is_accepted, "\n".join(lines)
