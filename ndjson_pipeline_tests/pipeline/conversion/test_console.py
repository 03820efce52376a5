"""Where there is a console, and its addresses."""

import pytest

from ndjson_pipeline.conversion.console import Console


@pytest.mark.parametrize(
    ("region", "endpoint", "page"),
    [
        (
            "eu-central-1",
            "https://s3.eu-central-1.amazonaws.com",
            "https://eu-central-1.console.aws.amazon.com/s3/buckets/b?region=eu-central-1&prefix=a/",
        ),
        (
            "eu-central-1",
            "https://bucket.vpce-1a2b3c4d.s3.eu-central-1.vpce.amazonaws.com",
            "https://eu-central-1.console.aws.amazon.com/s3/buckets/b?region=eu-central-1&prefix=a/",
        ),
        (
            "cn-north-1",
            "https://s3.cn-north-1.amazonaws.com.cn",
            "https://console.amazonaws.cn/s3/buckets/b?region=cn-north-1&prefix=a/",
        ),
        (
            "us-gov-west-1",
            "https://s3.us-gov-west-1.amazonaws.com",
            "https://console.amazonaws-us-gov.com/s3/buckets/b?region=us-gov-west-1&prefix=a/",
        ),
    ],
)
def test_a_folder_has_a_page_in_the_console_of_its_partition(region: str, endpoint: str, page: str) -> None:
    console = Console.of_endpoint(region, endpoint)
    assert console is not None
    assert console.folder("b", "a/") == page


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://127.0.0.1:4566",
        "http://localhost",
        "https://minio.example.com",
        "https://amazonaws.com.evil.io",
        "",
    ],
)
def test_an_emulator_has_no_console(endpoint: str) -> None:
    assert Console.of_endpoint("eu-central-1", endpoint) is None
