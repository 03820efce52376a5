"""What moto 5.2.5 does unlike AWS, put right where this project depends on it.

Every patch says in its first sentence what stock moto does. They hold only while a local AWS runs, and change
moto for the whole process.
"""

# Each service's module registers its patches as it is imported; their order is of no account, because each
# replaces an attribute of its own.
from ndjson_pipeline.local_aws.moto_patches import (  # noqa: F401
    autoscaling,
    core,
    dynamodb,
    ec2,
    ecs,
    functions,
    glue,
    rds,
    s3,
    sqs,
)
from ndjson_pipeline.local_aws.moto_patches.registry import PATCHES, Services, apply, remove

__all__ = ["PATCHES", "Services", "apply", "remove"]
