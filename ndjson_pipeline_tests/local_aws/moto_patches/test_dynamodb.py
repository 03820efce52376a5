"""DynamoDB put right: each test fails where its patch is missing."""

import time

import moto.dynamodb.models
import pytest
from botocore.exceptions import ClientError
from moto.dynamodb.models.dynamo_type import DynamoType, LimitedSizeDict
from moto.dynamodb.models.table import Table

from ndjson_pipeline_tests.local_aws.moto_patches.conftest import at_once, code, slow

KEY = {"date_prefix": {"S": "2026-01-30"}}


@pytest.fixture
def table(aws):
    dynamodb = aws.client("dynamodb")
    dynamodb.create_table(
        TableName="patches",
        KeySchema=[
            {"AttributeName": "date_prefix", "KeyType": "HASH"},
            {"AttributeName": "file_key", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": "date_prefix", "AttributeType": "S"},
            {"AttributeName": "file_key", "AttributeType": "S"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    yield "patches"
    dynamodb.delete_table(TableName="patches")


def item(file_key, **attributes):
    return {**KEY, "file_key": {"S": file_key}, **attributes}


def key(file_key):
    return {**KEY, "file_key": {"S": file_key}}


class TestConditions:
    """DynamoHandler.call_action."""

    def test_one_update_wins(self, aws, table, monkeypatch):
        dynamodb = aws.client("dynamodb")
        dynamodb.put_item(TableName=table, Item=item("a", status={"S": "pending"}))
        # Between the check of the condition and the write.
        slow(monkeypatch, moto.dynamodb.models.UpdateExpressionValidator, "validate", 0.02)

        def claim():
            return dynamodb.update_item(
                TableName=table,
                Key=key("a"),
                UpdateExpression="SET #s = :claimed",
                ConditionExpression="#s = :pending",
                ExpressionAttributeNames={"#s": "status"},
                ExpressionAttributeValues={":claimed": {"S": "claimed"}, ":pending": {"S": "pending"}},
            )

        outcomes = at_once(*[claim] * 6)
        assert sum(not isinstance(outcome, ClientError) for outcome in outcomes) == 1

    def test_one_put_wins(self, aws, table, monkeypatch):
        dynamodb = aws.client("dynamodb")
        slow(monkeypatch, Table, "get_item", 0.02)

        def put():
            return dynamodb.put_item(
                TableName=table, Item=item("a"), ConditionExpression="attribute_not_exists(file_key)"
            )

        outcomes = at_once(*[put] * 6)
        assert sum(not isinstance(outcome, ClientError) for outcome in outcomes) == 1

    @pytest.mark.parametrize("operation", ["put_item", "update_item", "delete_item"])
    def test_a_failed_condition_shows_the_item(self, aws, table, operation):
        dynamodb = aws.client("dynamodb")
        dynamodb.put_item(TableName=table, Item=item("a", owner={"S": "me"}))
        request = {
            "put_item": {"Item": item("a")},
            "update_item": {"Key": key("a"), "UpdateExpression": "REMOVE etag"},
            "delete_item": {"Key": key("a")},
        }[operation]
        with pytest.raises(dynamodb.exceptions.ConditionalCheckFailedException) as caught:
            getattr(dynamodb, operation)(
                TableName=table,
                ConditionExpression="attribute_not_exists(file_key)",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
                **request,
            )
        assert caught.value.response["Item"] == item("a", owner={"S": "me"})


class TestTransactions:
    """DynamoDBBackend.transact_write_items."""

    def test_a_cancelled_transaction_writes_nothing(self, aws, table):
        dynamodb = aws.client("dynamodb")
        dynamodb.put_item(TableName=table, Item=item("taken", owner={"S": "other"}))
        with pytest.raises(dynamodb.exceptions.TransactionCanceledException) as caught:
            dynamodb.transact_write_items(
                TransactItems=[
                    {"Put": {"TableName": table, "Item": item("new")}},
                    {
                        "Put": {
                            "TableName": table,
                            "Item": item("taken"),
                            "ConditionExpression": "attribute_not_exists(file_key)",
                            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
                        }
                    },
                    {
                        "ConditionCheck": {
                            "TableName": table,
                            "Key": key("lock"),
                            "ConditionExpression": "attribute_exists(file_key)",
                        }
                    },
                ]
            )
        assert "Item" not in dynamodb.get_item(TableName=table, Key=key("new"))
        reasons = caught.value.response["CancellationReasons"]
        assert [reason["Code"] for reason in reasons] == [
            "None",
            "ConditionalCheckFailed",
            "ConditionalCheckFailed",
        ]
        assert reasons[1]["Item"] == item("taken", owner={"S": "other"})
        assert "Item" not in reasons[2]

    def test_every_operation_takes_effect(self, aws, table):
        dynamodb = aws.client("dynamodb")
        for name in ("changed", "deleted", "checked"):
            dynamodb.put_item(TableName=table, Item=item(name, n={"N": "1"}))
        dynamodb.transact_write_items(
            TransactItems=[
                {"Put": {"TableName": table, "Item": item("put")}},
                {
                    "Update": {
                        "TableName": table,
                        "Key": key("changed"),
                        "UpdateExpression": "ADD n :one",
                        "ConditionExpression": "n = :one",
                        "ExpressionAttributeValues": {":one": {"N": "1"}},
                    }
                },
                {
                    "Update": {
                        "TableName": table,
                        "Key": key("created"),
                        "UpdateExpression": "SET n = :one",
                        "ExpressionAttributeValues": {":one": {"N": "1"}},
                    }
                },
                {"Delete": {"TableName": table, "Key": key("deleted")}},
                {
                    "ConditionCheck": {
                        "TableName": table,
                        "Key": key("checked"),
                        "ConditionExpression": "attribute_exists(file_key)",
                    }
                },
            ]
        )
        items = {each["file_key"]["S"]: each for each in dynamodb.scan(TableName=table)["Items"]}
        assert set(items) == {"put", "changed", "created", "checked"}
        assert items["changed"]["n"] == {"N": "2"}
        assert items["created"]["n"] == {"N": "1"}

    def test_a_write_that_fails_undoes_those_before_it(self, aws, table):
        dynamodb = aws.client("dynamodb")
        dynamodb.put_item(TableName=table, Item=item("old", n={"N": "1"}))
        dynamodb.put_item(TableName=table, Item=item("text", n={"S": "no number"}))
        add = {
            "TableName": table,
            "UpdateExpression": "ADD n :one",
            "ExpressionAttributeValues": {":one": {"N": "1"}},
        }
        with pytest.raises(ClientError):
            dynamodb.transact_write_items(
                TransactItems=[
                    {"Update": {**add, "Key": key("old")}},
                    {"Update": {**add, "Key": key("new")}},
                    {"Update": {**add, "Key": key("text")}},
                ]
            )
        items = {each["file_key"]["S"]: each["n"] for each in dynamodb.scan(TableName=table)["Items"]}
        assert items == {"old": {"N": "1"}, "text": {"S": "no number"}}

    def test_an_item_occurs_once(self, aws, table):
        put = {"Put": {"TableName": table, "Item": item("a")}}
        with pytest.raises(ClientError, match="multiple operations on one item"):
            aws.client("dynamodb").transact_write_items(TransactItems=[put, put])

    def test_at_most_100_items(self, aws, table):
        puts = [{"Put": {"TableName": table, "Item": item(f"{number:03}")}} for number in range(101)]
        with pytest.raises(ClientError, match="less than or equal to 100"):
            aws.client("dynamodb").transact_write_items(TransactItems=puts)

    def test_a_cancelled_transaction_keeps_others_writes(self, aws, table, monkeypatch):
        dynamodb = aws.client("dynamodb")
        dynamodb.put_item(TableName=table, Item=item("taken"))
        slow(monkeypatch, moto.dynamodb.models.DynamoDBBackend, "get_table", 0.02)

        def cancelled():
            return dynamodb.transact_write_items(
                TransactItems=[
                    {
                        "Put": {
                            "TableName": table,
                            "Item": item("taken"),
                            "ConditionExpression": "attribute_not_exists(file_key)",
                        }
                    }
                ]
            )

        def neighbours():
            for number in range(5):
                dynamodb.put_item(TableName=table, Item=item(f"neighbour-{number}"))

        at_once(cancelled, neighbours, cancelled, cancelled)
        stored = {each["file_key"]["S"] for each in dynamodb.scan(TableName=table)["Items"]}
        assert stored == {"taken", *(f"neighbour-{number}" for number in range(5))}

    def test_a_full_transaction_is_fast_in_a_full_table(self, aws, table):
        dynamodb = aws.client("dynamodb")
        names = [f"{number:04}" for number in range(1_000)]
        for start in range(0, len(names), 100):
            puts = [{"Put": {"TableName": table, "Item": item(name)}} for name in names[start : start + 100]]
            dynamodb.transact_write_items(TransactItems=puts)
        updates = [
            {
                "Update": {
                    "TableName": table,
                    "Key": key(name),
                    "UpdateExpression": "SET n = :one",
                    "ConditionExpression": "attribute_exists(file_key)",
                    "ExpressionAttributeValues": {":one": {"N": "1"}},
                }
            }
            for name in names[:100]
        ]
        # Of this process, which is the server too: what goes on beside it counts not.
        started = time.process_time()
        dynamodb.transact_write_items(TransactItems=updates)
        # Stock moto takes over three seconds.
        assert time.process_time() - started < 1.5


class TestTransactionTokens:
    """DynamoHandler.transact_write_items."""

    def write(self, aws, table, file_key, token):
        return aws.client("dynamodb").transact_write_items(
            ClientRequestToken=token,
            TransactItems=[
                {
                    "Put": {
                        "TableName": table,
                        "Item": item(file_key),
                        "ConditionExpression": "attribute_not_exists(file_key)",
                    }
                }
            ],
        )

    def test_a_repeated_transaction_succeeds(self, aws, table):
        self.write(aws, table, "a", "first")
        self.write(aws, table, "a", "first")
        with pytest.raises(ClientError, match="ConditionalCheckFailed"):
            self.write(aws, table, "a", "second")

    def test_a_token_belongs_to_its_parameters(self, aws, table):
        self.write(aws, table, "a", "third")
        with pytest.raises(ClientError) as caught:
            self.write(aws, table, "b", "third")
        assert code(caught.value) == "IdempotentParameterMismatchException"

    def test_a_cancelled_transaction_may_be_tried_again(self, aws, table):
        self.write(aws, table, "a", "fourth")
        for _ in range(2):
            with pytest.raises(ClientError, match="ConditionalCheckFailed"):
                self.write(aws, table, "a", "fifth")


def test_a_batch_holds_25_writes(aws, table):
    dynamodb = aws.client("dynamodb")
    puts = [{"PutRequest": {"Item": item(f"{number:02}")}} for number in range(26)]
    with pytest.raises(ClientError) as caught:
        dynamodb.batch_write_item(RequestItems={table: puts})
    assert code(caught.value) == "ValidationException"
    assert dynamodb.batch_write_item(RequestItems={table: puts[:25]})["UnprocessedItems"] == {}


def test_a_query_compares_plain_values_in_order(aws, table, monkeypatch):
    dynamodb = aws.client("dynamodb")
    count = 500
    for start in range(0, count, 25):
        puts = [
            {"PutRequest": {"Item": item(f"{(number * 7919) % count:04}")}}
            for number in range(start, start + 25)
        ]
        dynamodb.batch_write_item(RequestItems={table: puts})
    comparisons = []
    original = DynamoType.__lt__
    counted = lambda one, other: comparisons.append(1) or original(one, other)  # noqa: E731
    monkeypatch.setattr(DynamoType, "__lt__", counted)
    found = dynamodb.scan(TableName=table)["Items"]
    assert [each["file_key"]["S"] for each in found] == [f"{number:04}" for number in range(count)]
    assert not comparisons


class TestQueries:
    """Table.query and Table.has_idx_items: what they look at, where there is much else."""

    DATES = tuple(f"2026-01-{day:02}" for day in range(1, 29))

    @pytest.fixture
    def dates(self, aws, table):
        dynamodb = aws.client("dynamodb")
        dynamodb.update_table(
            TableName=table,
            AttributeDefinitions=[
                {"AttributeName": "due", "AttributeType": "S"},
                {"AttributeName": "rank", "AttributeType": "N"},
            ],
            GlobalSecondaryIndexUpdates=[
                {
                    "Create": {
                        "IndexName": "due",
                        "KeySchema": [
                            {"AttributeName": "due", "KeyType": "HASH"},
                            {"AttributeName": "rank", "KeyType": "RANGE"},
                        ],
                        "Projection": {"ProjectionType": "ALL"},
                    }
                }
            ],
        )
        for number, date in enumerate(self.DATES):
            for name in ("b", "a", "c"):
                entry = {"date_prefix": {"S": date}, "file_key": {"S": name}}
                if name == "b" and number % 9 == 0:
                    entry |= {"due": {"S": "x"}, "rank": {"N": str(number)}}
                dynamodb.put_item(TableName=table, Item=entry)
        return dynamodb

    @pytest.fixture
    def no_look_at_all(self, monkeypatch):
        def refuse(_table):
            raise AssertionError("every item of the table was looked at")

        monkeypatch.setattr(Table, "all_items", refuse)

    @pytest.mark.parametrize("forward", [True, False])
    def test_a_query_reads_one_partition_page_by_page(self, dates, table, no_look_at_all, forward):
        pages = dates.get_paginator("query").paginate(
            TableName=table,
            KeyConditionExpression="date_prefix = :date",
            ExpressionAttributeValues={":date": {"S": "2026-01-07"}},
            ScanIndexForward=forward,
            PaginationConfig={"PageSize": 2},
        )
        found = [
            (each["date_prefix"]["S"], each["file_key"]["S"]) for page in pages for each in page["Items"]
        ]
        names = "abc" if forward else "cba"
        assert found == [("2026-01-07", name) for name in names]

    def test_a_query_of_an_index_finds_what_is_in_it_in_its_order(self, dates, table, no_look_at_all):
        found = dates.query(
            TableName=table,
            IndexName="due",
            KeyConditionExpression="due = :due AND #rank >= :rank",
            ExpressionAttributeNames={"#rank": "rank"},
            ExpressionAttributeValues={":due": {"S": "x"}, ":rank": {"N": "9"}},
            ScanIndexForward=False,
        )["Items"]
        assert [each["rank"]["N"] for each in found] == ["27", "18", "9"]

    def test_a_query_of_what_is_not_there_finds_nothing(self, dates, table, no_look_at_all):
        absent = {":value": {"S": "absent"}}
        for condition, index in [("date_prefix = :value", {}), ("due = :value", {"IndexName": "due"})]:
            found = dates.query(
                TableName=table, KeyConditionExpression=condition, ExpressionAttributeValues=absent, **index
            )
            assert found["Items"] == []

    def test_a_scan_of_an_index_finds_what_is_in_it_without_a_copy_of_all_names(
        self, dates, table, monkeypatch
    ):
        copies = []
        original = LimitedSizeDict.__iter__
        monkeypatch.setattr(
            LimitedSizeDict, "__iter__", lambda own: copies.append(1) or original(own), raising=False
        )
        found = dates.scan(TableName=table, IndexName="due")["Items"]
        assert [each["rank"]["N"] for each in found] == ["0", "9", "18", "27"]
        assert len(copies) < len(self.DATES)
