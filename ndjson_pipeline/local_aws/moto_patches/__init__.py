"""What moto does unlike AWS, put right where this project depends on it."""

from ndjson_pipeline.local_aws.moto_patches.dynamodb import PATCHES, Services, apply, remove

__all__ = ["PATCHES", "Services", "apply", "remove"]
