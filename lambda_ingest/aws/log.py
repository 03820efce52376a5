"""The structured log of ingest: JSON lines with the request id; no file content, no event bodies."""

from aws_lambda_powertools import Logger

logger = Logger(service="ndjson-ingest")
