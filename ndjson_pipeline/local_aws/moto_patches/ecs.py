"""ECS: services that keep how they are deployed."""

from typing import Any

import moto.ecs.responses

from ndjson_pipeline.local_aws.moto_patches.registry import Services, replaces

# Parameters of CreateService, and the attributes that moto answers them from.
_KEPT = {
    "availabilityZoneRebalancing": "availability_zone_rebalancing",
    "deploymentConfiguration": "deployment_configuration",
    "enableECSManagedTags": "enable_ecs_managed_tags",
    "enableExecuteCommand": "enable_execute_command",
    "healthCheckGracePeriodSeconds": "health_check_grace_period_seconds",
}


@replaces(moto.ecs.responses.EC2ContainerServiceResponse, "create_service")
def _services_keep_their_deployment(original: Any, _services: Services) -> Any:
    """Stock moto forgets how a new service is deployed, its grace period, its tags and ECS Exec."""

    def create_service(handler: Any) -> Any:
        answer = original(handler)
        cluster = handler._get_param("cluster", "default")
        service = handler.ecs_backend._get_service(cluster, handler._get_param("serviceName"))
        for parameter, attribute in _KEPT.items():
            value = handler._get_param(parameter)
            if value is not None:
                setattr(service, attribute, value)
        return answer

    return create_service
