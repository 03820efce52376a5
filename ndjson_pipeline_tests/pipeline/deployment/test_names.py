"""Names after the contract."""

import pytest

from ndjson_pipeline.deployment.names import Names
from ndjson_pipeline.errors import SettingsError

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


@pytest.mark.parametrize("attribute", sorted(CONTRACT))
def test_a_feed_puts_its_name_behind_the_leading_word(attribute: str) -> None:
    names = Names("prod", "123456789012", "web-orders")
    plain = CONTRACT[attribute].format(account="123456789012", env="prod")
    assert getattr(names, attribute) == plain.replace("ndjson", "ndjson-web-orders", 1)


# `glue` is the pool of the feed without a name.
@pytest.mark.parametrize("feed", ["Orders", "1st", "-a", "a_b", "a" * 21, "a b", "a/b", "ä", "a\n", "glue"])
def test_a_feed_whose_name_no_bucket_could_bear_is_refused(feed: str) -> None:
    with pytest.raises(SettingsError, match="feed's name"):
        Names("dev", "123456789012", feed)


def test_the_longest_feed_still_gives_names_that_s3_takes() -> None:
    names = Names("prod", "123456789012", "a" * 20)
    assert max(len(bucket) for bucket in names.buckets) <= 63


def test_the_catalog_has_no_hyphens() -> None:
    assert Names("dev", "123456789012").catalog_database == "ndjson_parquet_dev"
    assert Names("dev", "123456789012", "web-orders").catalog_database == "ndjson_web_orders_parquet_dev"
