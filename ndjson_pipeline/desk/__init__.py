"""What the operator's commands read of a deployment, decide about it, and change in it.

It needs no Dagster: what it looks at is in DynamoDB, S3, SQS and Glue, and in Dagster's own GraphQL. What it
prints is the command line's.
"""
