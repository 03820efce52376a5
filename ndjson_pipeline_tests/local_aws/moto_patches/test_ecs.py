"""ECS put right: each test fails where its patch is missing."""


class TestServices:
    """EC2ContainerServiceResponse.create_service."""

    def test_a_service_keeps_how_it_is_deployed(self, aws):
        ecs = aws.client("ecs")
        ecs.create_cluster(clusterName="patches")
        ecs.register_task_definition(
            family="patches", containerDefinitions=[{"name": "one", "image": "image", "memory": 128}]
        )
        asked = {
            "availabilityZoneRebalancing": "DISABLED",
            "deploymentConfiguration": {
                "deploymentCircuitBreaker": {"enable": True, "rollback": True},
                "maximumPercent": 100,
                "minimumHealthyPercent": 0,
            },
            "enableECSManagedTags": True,
            "enableExecuteCommand": True,
            "healthCheckGracePeriodSeconds": 180,
        }
        ecs.create_service(
            cluster="patches", serviceName="one", taskDefinition="patches", desiredCount=1, **asked
        )
        [service] = ecs.describe_services(cluster="patches", services=["one"])["services"]
        assert {name: service.get(name) for name in asked} == asked
        ecs.update_service(cluster="patches", service="one", enableExecuteCommand=False)
        [service] = ecs.describe_services(cluster="patches", services=["one"])["services"]
        assert service["enableExecuteCommand"] is False
