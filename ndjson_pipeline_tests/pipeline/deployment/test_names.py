"""Names after the contract."""

import pytest

from ndjson_pipeline.deployment.names import Names

CONTRACT = {
    "input_bucket": "ndjson-input-sqs-{account}-{env}",
    "manifest_bucket": "ndjson-manifest-sqs-{account}-{env}",
    "output_bucket": "ndjson-output-sqs-{account}-{env}",
    "quarantine_bucket": "ndjson-quarantine-sqs-{account}-{env}",
    "scripts_bucket": "ndjson-scripts-sqs-{account}-{env}",
    "queue": "ndjson-parquet-events-{env}",
    "dead_letter_queue": "ndjson-parquet-events-dlq-{env}",
    "tracking_table": "ndjson-parquet-sqs-file-tracking-{env}",
    "metrics_table": "ndjson-parquet-metrics-{env}",
    "manifest_builder_function": "ndjson-parquet-manifest-builder-{env}",
    "sweeper_function": "ndjson-parquet-sweeper-{env}",
    "generator_function": "generate-ndjson-{env}",
    "glue_job": "ndjson-parquet-batch-job-{env}",
    "alert_topic": "ndjson-parquet-alerts-{env}",
}


@pytest.mark.parametrize("environment", ["dev", "prod"])
@pytest.mark.parametrize("attribute", sorted(CONTRACT))
def test_every_name_is_the_contracts(attribute: str, environment: str) -> None:
    names = Names(environment, "123456789012")
    assert getattr(names, attribute) == CONTRACT[attribute].format(account="123456789012", env=environment)


def test_buckets_are_all_five() -> None:
    names = Names("dev", "123456789012")
    assert sorted(names.buckets) == sorted(
        getattr(names, attribute) for attribute in CONTRACT if attribute.endswith("_bucket")
    )
