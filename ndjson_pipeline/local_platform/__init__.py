"""The whole platform on a laptop: the local AWS, with Dagster working against it."""
