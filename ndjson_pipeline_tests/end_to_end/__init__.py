"""The whole platform: real daemon, real Spark, local AWS."""
