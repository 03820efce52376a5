"""Application Auto Scaling put right: each test fails where its patch is missing."""

import pytest
from botocore.exceptions import ClientError

TARGET = {
    "ServiceNamespace": "dynamodb",
    "ResourceId": "table/scaled",
    "ScalableDimension": "dynamodb:table:ReadCapacityUnits",
}


@pytest.fixture
def scaling(aws):
    client = aws.client("application-autoscaling")
    yield client
    client.deregister_scalable_target(**TARGET)


def test_targets_have_tags(scaling):
    """ApplicationAutoScalingResponse: registering, ListTagsForResource, TagResource, UntagResource."""
    arn = scaling.register_scalable_target(**TARGET, MinCapacity=1, MaxCapacity=9, Tags={"a": "1"})[
        "ScalableTargetARN"
    ]
    assert scaling.list_tags_for_resource(ResourceARN=arn)["Tags"] == {"a": "1"}
    scaling.tag_resource(ResourceARN=arn, Tags={"b": "2"})
    scaling.untag_resource(ResourceARN=arn, TagKeys=["a"])
    assert scaling.list_tags_for_resource(ResourceARN=arn)["Tags"] == {"b": "2"}
    # Registering it again, as a change of its bounds does, keeps them.
    scaling.register_scalable_target(**TARGET, MinCapacity=2)
    assert scaling.list_tags_for_resource(ResourceARN=arn)["Tags"] == {"b": "2"}


def test_what_is_no_target_has_no_tags(scaling):
    scaling.register_scalable_target(**TARGET, MinCapacity=1, MaxCapacity=9)
    with pytest.raises(ClientError):
        scaling.list_tags_for_resource(ResourceARN="arn:aws:application-autoscaling:none")


def test_a_target_that_is_gone_is_not_found(scaling):
    """ApplicationAutoscalingBackend.deregister_scalable_target, asked twice, as after a lost answer."""
    scaling.register_scalable_target(**TARGET, MinCapacity=1, MaxCapacity=9)
    scaling.deregister_scalable_target(**TARGET)
    with pytest.raises(scaling.exceptions.ObjectNotFoundException, match="table/scaled"):
        scaling.deregister_scalable_target(**TARGET)
    # The fixture takes one away.
    scaling.register_scalable_target(**TARGET, MinCapacity=1, MaxCapacity=9)
