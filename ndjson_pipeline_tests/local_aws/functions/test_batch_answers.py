"""The rules of partial batch responses."""

import pytest

from ndjson_pipeline.local_aws.functions.batch_answers import failed_message_ids

BATCH = ("a", "b")


@pytest.mark.parametrize(
    "answer",
    [None, {}, {"batchItemFailures": []}, {"batchItemFailures": None}, {"statusCode": 200}],
)
def test_says_nothing_of_failures(answer):
    assert failed_message_ids(answer, BATCH) == frozenset()


def test_names_failures():
    answer = {"batchItemFailures": [{"itemIdentifier": "b"}]}
    assert failed_message_ids(answer, BATCH) == {"b"}


@pytest.mark.parametrize(
    "answer",
    [
        {"batchItemFailures": [{"itemIdentifier": "a"}, {"itemIdentifier": "stranger"}]},
        {"batchItemFailures": [{"itemIdentifier": ""}]},
        {"batchItemFailures": [{"itemIdentifier": None}]},
        {"batchItemFailures": [{"itemId": "a"}]},
        {"batchItemFailures": ["a"]},
        {"batchItemFailures": "a"},
        {"batchItemFailures": {}},
        "done",
        [],
        1,
    ],
)
def test_malformed_answers_fail_the_batch(answer):
    assert failed_message_ids(answer, BATCH) == {"a", "b"}
