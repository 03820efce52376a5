"""What the local AWS lets in, asked by hand."""

import http.client
import json
import socket
from urllib.parse import urlsplit

import boto3
import botocore.session
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.exceptions import ClientError

from ndjson_pipeline.deployment.packaging import installed_glue_package
from ndjson_pipeline.local_aws import LocalAws, LocalAwsSettings
from ndjson_pipeline.local_aws.clients import local_client
from ndjson_pipeline.local_aws.credentials import LocalCredentials

QUIET = LocalAwsSettings(queue_enabled=False, timer_enabled=False)
# The rule of contract and design: what runs is the script in this bucket.
SCRIPT_KEY = installed_glue_package().script.key


@pytest.fixture(scope="module")
def aws(tmp_path_factory):
    with LocalAws(directory=tmp_path_factory.mktemp("aws"), settings=QUIET) as aws:
        yield aws


def ask(aws, method, path, headers=(), body=None):
    """Send a request as it is, and return its answer's status and text."""
    connection = http.client.HTTPConnection(urlsplit(aws.endpoint_url).netloc, timeout=20)
    connection.putrequest(method, path, skip_host="Host" in dict(headers), skip_accept_encoding=True)
    for name, value in dict(headers).items():
        for one in [value] if isinstance(value, str) else value:
            connection.putheader(name, one)
    if body is not None:
        connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body)
    answer = connection.getresponse()
    status, text = answer.status, answer.read().decode()
    connection.close()
    return status, text


def signed_headers(aws, method, path, service="s3", body=b""):
    """Return the headers with which a program asks."""
    request = AWSRequest(method, aws.endpoint_url + path, data=body)
    credentials = botocore.session.Session()
    credentials.set_credentials(aws.credentials.access_key_id, aws.credentials.secret_access_key)
    SigV4Auth(credentials.get_credentials(), service, "us-east-1").add_auth(request)
    return dict(request.headers.items())


FOREIGN = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1:3000"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Host": "evil.example"},
    {"Host": "127.0.0.1"},
    {"Host": ["127.0.0.1", "evil.example"]},
]


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
@pytest.mark.parametrize(
    "path", ["/", "/bucket/key", "/moto-api/data.json", "/latest/meta-data/", "/favicon.ico"]
)
def test_what_a_browser_sends_for_a_foreign_page_is_refused_even_if_signed(aws, path, headers):
    status, text = ask(aws, "GET", path, {**signed_headers(aws, "GET", path), **headers})
    assert status == 403
    assert text.startswith(f"Refused by the local AWS: {next(iter(headers))} is ")


@pytest.mark.parametrize("method", ["GET", "PUT", "POST", "DELETE", "OPTIONS", "PATCH"])
@pytest.mark.parametrize(
    "path",
    [
        "/moto-api/reset",
        "/moto-api/state-manager/set-transition",
        "/ndjson-scripts-sqs-123456789012-dev/glue_jobs/ndjson_to_parquet.py",
        "/?Action=ListQueues",
        "/sqs_us-east-1/",
        "/latest/meta-data/iam/security-credentials/",
    ],
)
def test_what_is_not_signed_is_refused_public_or_not(aws, method, path):
    assert ask(aws, method, path, body=b"Action=AssumeRoleWithSAML")[0] == 403


def test_a_form_of_a_foreign_page_does_not_replace_the_glue_script(aws):
    """The upload by a form that S3 takes from browsers, with a policy that nobody signed."""
    s3 = aws.client("s3")
    before = s3.get_object(Bucket=aws.names.scripts_bucket, Key=SCRIPT_KEY)["Body"].read()
    kind = "multipart/form-data; boundary=b"
    body = (
        f'--b\r\nContent-Disposition: form-data; name="key"\r\n\r\n{SCRIPT_KEY}\r\n'
        '--b\r\nContent-Disposition: form-data; name="file"; filename="a.py"\r\n\r\nimport os\r\n--b--\r\n'
    ).encode()
    for headers in ({}, *FOREIGN):
        assert (
            ask(aws, "POST", f"/{aws.names.scripts_bucket}", {"Content-Type": kind, **headers}, body)[0]
            == 403
        )
    assert s3.get_object(Bucket=aws.names.scripts_bucket, Key=SCRIPT_KEY)["Body"].read() == before


def test_a_public_object_is_not_public_to_a_page(aws):
    s3 = aws.client("s3")
    s3.put_object(Bucket=aws.names.output_bucket, Key="public", Body=b"text", ACL="public-read")
    assert ask(aws, "GET", f"/{aws.names.output_bucket}/public")[0] == 403


def test_the_body_of_a_refused_request_is_not_taken_for_a_request(aws):
    """A page may send any text as a body, a whole request with any headers among it."""
    hidden = b"GET / HTTP/1.1\r\nHost: " + urlsplit(aws.endpoint_url).netloc.encode() + b"\r\n\r\n"
    host, port = urlsplit(aws.endpoint_url).netloc.split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(
            b"POST / HTTP/1.1\r\nHost: evil.example\r\nConnection: keep-alive\r\nContent-Type: text/plain\r\n"
            + f"Content-Length: {len(hidden)}\r\n\r\n".encode()
            + hidden
        )
        answer = b""
        while part := connection.recv(65_536):
            answer += part
    assert answer.count(b"HTTP/1.1 ") == 1


def test_programs_with_the_credentials_of_this_start_are_let_in(aws):
    assert ask(aws, "GET", "/", signed_headers(aws, "GET", "/"))[0] == 200
    own = {**signed_headers(aws, "GET", "/"), "Origin": aws.endpoint_url, "Sec-Fetch-Site": "same-origin"}
    assert ask(aws, "GET", "/", own)[0] == 200
    by_name = local_client("sts", aws.endpoint_url.replace("127.0.0.1", "localhost"), aws.credentials)
    assert by_name.get_caller_identity()["Account"] == aws.names.account


def test_a_presigned_address_is_let_in(aws):
    aws.client("s3").put_object(Bucket=aws.names.output_bucket, Key="a b", Body=b"text")
    client = boto3.client(
        "s3",
        endpoint_url=aws.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id=aws.credentials.access_key_id,
        aws_secret_access_key=aws.credentials.secret_access_key,
        config=Config(signature_version="s3v4"),
    )
    url = client.generate_presigned_url(
        "get_object", Params={"Bucket": aws.names.output_bucket, "Key": "a b"}
    )
    parts = urlsplit(url)
    assert ask(aws, "GET", f"{parts.path}?{parts.query}") == (200, "text")


@pytest.mark.parametrize(
    ("service", "operation"),
    [
        ("s3", "list_buckets"),
        ("sqs", "list_queues"),
        ("dynamodb", "list_tables"),
        ("glue", "list_jobs"),
        ("sns", "list_topics"),
        ("sts", "get_caller_identity"),
        ("lambda", "list_functions"),
        ("logs", "describe_log_groups"),
    ],
)
def test_other_credentials_are_told_which_to_take(aws, service, operation):
    client = local_client(service, aws.endpoint_url, LocalCredentials("local", "local"))
    with pytest.raises(ClientError, match="ndjson-pipeline dev") as refused:
        getattr(client, operation)()
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    if service not in ("lambda",):
        assert refused.value.response["Error"]["Code"] == "InvalidAccessKeyId"


def test_a_head_request_with_other_credentials_is_refused(aws):
    client = local_client("s3", aws.endpoint_url, LocalCredentials("local", "local"))
    with pytest.raises(ClientError) as refused:
        client.head_bucket(Bucket=aws.names.output_bucket)
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_every_start_has_credentials_of_its_own(tmp_path, aws):
    assert aws.credentials != LocalAws(directory=tmp_path)._credentials
    environment = aws.client_environment()
    assert environment["AWS_ACCESS_KEY_ID"] == aws.credentials.access_key_id
    assert aws.credentials.secret_access_key not in json.dumps(repr(aws.credentials))


def test_other_signers_than_botocore_are_let_in(aws):
    """Arrow has AWS's signer for C++."""
    fs = pytest.importorskip("pyarrow.fs")
    endpoint = urlsplit(aws.endpoint_url)
    arrow = fs.S3FileSystem(
        access_key=aws.credentials.access_key_id,
        secret_key=aws.credentials.secret_access_key,
        endpoint_override=endpoint.netloc,
        scheme="http",
        region="us-east-1",
    )
    name = f"{aws.names.output_bucket}/a folder/ü+(~)=&.txt"
    with arrow.open_output_stream(name) as stream:
        stream.write(b"text")
    with arrow.open_input_stream(name) as stream:
        assert stream.read() == b"text"
    assert [
        found.base_name
        for found in arrow.get_file_info(fs.FileSelector(f"{aws.names.output_bucket}/a folder"))
    ]
