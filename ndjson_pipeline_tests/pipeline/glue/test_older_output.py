"""Dates whose files are older than a change of columns by hand."""

import logging
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from glue_jobs.errors import SchemaContractError
from glue_jobs.schema.contract import SchemaContract
from lambda_ingest.contract.clock import utc_now
from ndjson_pipeline.deployment.clients import Deployment
from ndjson_pipeline.glue.older_output import OlderDates, older_dates
from ndjson_pipeline_tests.pipeline.harness import day

LOG = logging.getLogger(__name__)
DAYS = [day(-offset) for offset in range(6)]


def lay_contract(deployment: Deployment, content: int | bytes, prefix: str = "") -> None:
    """Lay down a contract of a generation, or what is to be taken for one."""
    key = f"schemas/{deployment.names.output_bucket}/{prefix}schema.json"
    body = content if isinstance(content, bytes) else SchemaContract(version=9, generation=content).to_json()
    deployment.s3.put_object(Bucket=deployment.names.manifest_bucket, Key=key, Body=body)


def lay_file(
    deployment: Deployment, date_prefix: str, generation: object, part: int = 0, above: str = ""
) -> str:
    key = f"{above}merged-parquet-{date_prefix}/part-000001-1f0c2a9b-{part:04d}.snappy.parquet"
    metadata = {} if generation is None else {"schema-generation": str(generation)}
    deployment.s3.put_object(Bucket=deployment.names.output_bucket, Key=key, Body=b"x", Metadata=metadata)
    return key


def search(deployment: Deployment, **bounds: Any) -> OlderDates:
    return older_dates(deployment, clock=utc_now, log=LOG, **{"most_dates": 31, **bounds})


def test_dates_with_any_older_file_are_found_the_newest_first(deployment: Deployment) -> None:
    lay_contract(deployment, 2)
    for part in range(40):
        lay_file(deployment, DAYS[0], 2, part)
        lay_file(deployment, DAYS[1], 2 if part != 37 else 1, part)
    lay_file(deployment, DAYS[3], None)
    lay_file(deployment, DAYS[2], "many")
    lay_file(deployment, DAYS[4], 3)
    assert search(deployment) == OlderDates(2, (DAYS[1], DAYS[2], DAYS[3]), 5)


def test_what_is_no_output_of_a_partition_is_passed_over(
    deployment: Deployment, caplog: pytest.LogCaptureFixture
) -> None:
    lay_contract(deployment, 1)
    lay_file(deployment, "2024-12-31", 0)
    lay_file(deployment, day(2), 0)
    lay_file(deployment, "2026-02-30", 0)
    for key in (f"merged-parquet-{DAYS[0]}/_SUCCESS", "merged-parquet-latest/part-1", "other/x"):
        deployment.s3.put_object(Bucket=deployment.names.output_bucket, Key=key, Body=b"x")
    with caplog.at_level(logging.WARNING):
        assert search(deployment) == OlderDates(1, (), 1)
    assert "3 folders of the output are no partitions" in caplog.text


def test_a_search_is_bounded_and_says_where_it_left_off(deployment: Deployment) -> None:
    lay_contract(deployment, 1)
    for date_prefix in DAYS:
        lay_file(deployment, date_prefix, 0)
    first = search(deployment, most_dates=2)
    assert first == OlderDates(1, tuple(DAYS[:2]), 2, DAYS[1])
    assert search(deployment, most_dates=4, before=first.go_on_before) == OlderDates(1, tuple(DAYS[2:]), 4)
    assert search(deployment, most_files=3) == OlderDates(1, tuple(DAYS[:3]), 3, DAYS[2])


@pytest.mark.parametrize("contract", [None, 0])
def test_without_a_change_by_hand_no_date_is_looked_at(deployment: Deployment, contract: int | None) -> None:
    if contract is not None:
        lay_contract(deployment, contract)
    lay_file(deployment, DAYS[0], None)
    assert search(deployment) == OlderDates(0)


def test_what_is_no_contract_is_named(deployment: Deployment) -> None:
    lay_contract(deployment, b"[]")
    with pytest.raises(SchemaContractError, match=r"schema\.json is no schema contract"):
        search(deployment)


def test_the_folder_above_the_dates_is_the_jobs_own_setting(deployment: Deployment) -> None:
    lay_contract(deployment, 1, "lake/x/")
    lay_file(deployment, DAYS[0], 0)
    lay_file(deployment, DAYS[1], 0, above="lake/x/")
    for kind in ("NonOverridableArguments", "DefaultArguments"):
        told = replace(deployment, glue=JobWith(kind, "/lake/x/"))
        assert search(told) == OlderDates(1, (DAYS[1],), 1)
        # As Terraform writes that there is none.
        assert search(replace(deployment, glue=JobWith(kind, "/"))) == OlderDates(0)


class JobWith:
    def __init__(self, kind: str, prefix: str) -> None:
        self.job = {"Name": "job", kind: {"--OUTPUT_PREFIX": prefix}}

    def get_job(self, *, JobName: str) -> dict[str, Any]:  # noqa: N803
        return {"Job": self.job}


def test_a_file_that_is_removed_meanwhile_is_passed_over_and_a_refusal_is_not(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay_contract(deployment, 1)
    lay_file(deployment, DAYS[0], 0)
    for code in ("404", "403"):
        error = ClientError({"Error": {"Code": code, "Message": ""}}, "HeadObject")

        def refuse(error: ClientError = error, **_request: Any) -> None:
            raise error

        monkeypatch.setattr(deployment.s3, "head_object", refuse)
        if code == "404":
            assert search(deployment) == OlderDates(1, (), 1)
        else:
            with pytest.raises(ClientError, match="403"):
                search(deployment)
