"""What all services share: the answers are stock moto's, for a part of the work."""

import moto.backends
import moto.core.responses
import pytest
from moto.core.serialize import AttributePicker, ResponseSerializer, XFormedAttributePicker
from moto.moto_server.werkzeug_app import DomainDispatcherApplication

VALUES = [
    {"S": "a"},
    {"S": ""},
    {"N": "1.50"},
    {"BOOL": False},
    {"NULL": True},
    {"B": b"\x00\xff"},
    {"SS": ["a", "b"]},
    {"NS": ["1", "2"]},
    {"BS": [b"\x00"]},
    {"L": [{"S": "a"}, {"L": [{"N": "1"}]}, {"B": b"a"}]},
    {"M": {"S": {"S": "a"}, "m": {"M": {"b": {"BOOL": True}}}}},
    {"M": {}},
    {"L": []},
]


@pytest.fixture
def table(aws):
    dynamodb = aws.client("dynamodb")
    dynamodb.create_table(
        TableName="core",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    yield "core"
    dynamodb.delete_table(TableName="core")


class TestAttributes:
    """BaseJSONSerializer._serialize, BaseJSONParser._parse_structure."""

    @pytest.mark.parametrize("value", VALUES, ids=str)
    def test_every_type_comes_back_as_it_was_written(self, aws, table, value):
        dynamodb = aws.client("dynamodb")
        written = {"id": {"S": "a"}, "value": value}
        dynamodb.put_item(TableName=table, Item=written)
        assert dynamodb.get_item(TableName=table, Key={"id": {"S": "a"}})["Item"] == written

    def test_a_plain_one_is_not_taken_apart(self, aws, table, monkeypatch):
        taken_apart = []
        original = ResponseSerializer._serialize

        def serialize(serializer, serialized, value, shape, key):
            taken_apart.append(shape.name)
            original(serializer, serialized, value, shape, key)

        monkeypatch.setattr(ResponseSerializer, "_serialize", serialize)
        dynamodb = aws.client("dynamodb")
        dynamodb.put_item(TableName=table, Item={"id": {"S": "a"}, "n": {"N": "1"}})
        assert dynamodb.get_item(TableName=table, Key={"id": {"S": "a"}})["Item"]["n"] == {"N": "1"}
        assert "AttributeMap" in taken_apart
        assert "AttributeValue" not in taken_apart


class TestNames:
    """AttributePicker.__call__."""

    def test_they_are_found_once(self, aws, monkeypatch):
        sought = []
        original = AttributePicker.get_possible_keys

        def get_possible_keys(picker, context):
            sought.append(context.key)
            return original(picker, context)

        sqs = aws.client("sqs")
        monkeypatch.setattr(AttributePicker, "get_possible_keys", get_possible_keys)
        monkeypatch.setattr(XFormedAttributePicker, "get_possible_keys", get_possible_keys)
        answers = []
        for _ in range(3):
            sought.clear()
            answers.append(sqs.list_queues()["ResponseMetadata"]["HTTPStatusCode"])
        assert answers == [200, 200, 200]
        assert not sought


class TestCalls:
    """method_names_from_class, gen_amzn_requestid_long."""

    def test_a_class_is_searched_once(self, aws):
        aws.client("sqs").list_queues()
        before = moto.core.responses.method_names_from_class.cache_info()
        aws.client("sqs").list_queues()
        after = moto.core.responses.method_names_from_class.cache_info()
        assert after.hits > before.hits
        assert after.misses == before.misses

    def test_each_request_has_an_id_of_its_own(self, aws):
        ids = {aws.client("sqs").list_queues()["ResponseMetadata"]["RequestId"] for _ in range(3)}
        assert len(ids) == 3
        headers = {}
        assert moto.core.responses.gen_amzn_requestid_long(headers) == headers["x-amzn-requestid"]
        assert len(headers["x-amzn-requestid"]) == 52


class TestHosts:
    """DomainDispatcherApplication.get_backend_for_host."""

    def test_a_service_is_looked_for_once(self, aws, monkeypatch):
        aws.client("sts").get_caller_identity()
        aws.client("dynamodb").list_tables()
        listed = []
        monkeypatch.setattr(moto.backends, "list_of_moto_modules", lambda: listed.append(1) or ())
        assert aws.client("sts").get_caller_identity()["Account"] == aws.names.account
        aws.client("dynamodb").list_tables()
        assert listed == []

    def test_each_service_is_found_as_by_stock_moto(self, aws):
        patched = DomainDispatcherApplication.get_backend_for_host
        dispatcher = DomainDispatcherApplication(str)
        hosts = [
            *("dynamodb", "moto_api", "s3control", "nothing.example", "nothing.us-east-1.amazonaws.com"),
            *(f"{name}.us-east-1.amazonaws.com" for name in ("sqs", "sns", "s3", "glue", "logs", "iam")),
        ]
        for host in [*hosts, *hosts]:
            assert patched(dispatcher, host) == patched.__wrapped__(dispatcher, host), host
        assert patched(dispatcher, None) is None
