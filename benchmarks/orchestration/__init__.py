"""What orchestration costs: a sensor's tick, and the way from a manifest to its Glue run."""
