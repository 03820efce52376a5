"""A small input sent through a whole deployment, to see that it comes out as Parquet, once.

It needs no Dagster and no Arrow: what it looks at is in DynamoDB, S3 and Glue.
"""
