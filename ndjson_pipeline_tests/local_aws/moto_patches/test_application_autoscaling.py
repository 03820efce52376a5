"""Application Auto Scaling put right: each test fails where its patch is missing."""

TABLE = "scaled"


def test_a_target_keeps_its_tags(aws):
    scaling = aws.client("application-autoscaling")
    arn = scaling.register_scalable_target(
        ServiceNamespace="dynamodb",
        ResourceId=f"table/{TABLE}",
        ScalableDimension="dynamodb:table:ReadCapacityUnits",
        MinCapacity=1,
        MaxCapacity=2,
        Tags={"first": "0"},
    )["ScalableTargetARN"]
    assert scaling.list_tags_for_resource(ResourceARN=arn)["Tags"] == {"first": "0"}
    scaling.tag_resource(ResourceARN=arn, Tags={"a": "1", "b": "2"})
    scaling.untag_resource(ResourceARN=arn, TagKeys=["a", "absent"])
    assert scaling.list_tags_for_resource(ResourceARN=arn)["Tags"] == {"first": "0", "b": "2"}
