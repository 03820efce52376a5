"""The environment variables that the Lambdas are given."""

from lambda_ingest.contract.settings import SharedSettings
from ndjson_pipeline.local_aws.clients import AwsClients, names_in
from ndjson_pipeline.local_aws.errors import MissingResourceError


def lambda_environment(
    environment: str = "dev", *, feed: str | None = None, clients: AwsClients | None = None
) -> dict[str, str]:
    """Return the settings of all three Lambdas for what `create_resources` made; the size check is off.

    Args:
        environment: `dev` or `prod`.
        feed: the feed's name, empty for the one that has none; None is what the environment names.
        clients: where to look; by default whatever endpoint, region or in-process mock boto3 finds.

    Raises:
        MissingResourceError: the events queue is not there.
    """
    clients = clients or AwsClients.from_environment()
    names = names_in(clients, environment, feed)
    try:
        queue_url = clients.sqs.get_queue_url(QueueName=names.queue)["QueueUrl"]
    except clients.sqs.exceptions.QueueDoesNotExist as error:
        raise MissingResourceError(
            f"queue {names.queue} does not exist in {clients.region}; "
            f"call create_resources({environment!r}, feed={names.feed!r}) first"
        ) from error
    return {
        "MANIFEST_BUCKET": names.manifest_bucket,
        "TRACKING_TABLE": names.tracking_table,
        "METRICS_TABLE": names.metrics_table,
        "QUARANTINE_BUCKET": names.quarantine_bucket,
        "INPUT_BUCKET": names.input_bucket,
        "INPUT_PREFIX": SharedSettings.input_prefix,
        "QUEUE_URL": queue_url,
        "ALERT_TOPIC_ARN": f"arn:aws:sns:{clients.region}:{names.account}:{names.alert_topic}",
        "EXPECTED_FILE_SIZE_MB": "0",
    }
