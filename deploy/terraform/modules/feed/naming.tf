data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition
  # The attribute that both majors of the provider have: `name` and `region` are one's alone.
  region = data.aws_region.current.id

  prefix  = var.feed == "" ? "ndjson" : "ndjson-${var.feed}"
  protect = var.protect == null ? var.environment == "prod" : var.protect

  names = {
    for purpose in ["input", "manifest", "output", "quarantine", "scripts"] :
    purpose => coalesce(lookup(var.existing_buckets, purpose, null), "${local.prefix}-${purpose}-sqs-${local.account}-${var.environment}")
  }
  queue             = "${local.prefix}-parquet-events-${var.environment}"
  dead_letter_queue = "${local.prefix}-parquet-events-dlq-${var.environment}"
  tracking_table    = "${local.prefix}-parquet-sqs-file-tracking-${var.environment}"
  metrics_table     = "${local.prefix}-parquet-metrics-${var.environment}"
  glue_job          = "${local.prefix}-parquet-batch-job-${var.environment}"
  alert_topic       = "${local.prefix}-parquet-alerts-${var.environment}"
  catalog_database  = replace("${local.prefix}-parquet-${var.environment}", "-", "_")
  catalog_table     = "merged_parquet"

  functions = {
    manifest-builder = "${local.prefix}-parquet-manifest-builder-${var.environment}"
    sweeper          = "${local.prefix}-parquet-sweeper-${var.environment}"
    generator        = "generate-${local.prefix}-${var.environment}"
  }

  # By name, so that a policy is known before what it is about has been made.
  bucket_arns = { for purpose, name in local.names : purpose => "arn:${local.partition}:s3:::${name}" }
  queue_arn   = "arn:${local.partition}:sqs:${local.region}:${local.account}:${local.queue}"
  dlq_arn     = "arn:${local.partition}:sqs:${local.region}:${local.account}:${local.dead_letter_queue}"
  topic_arn   = "arn:${local.partition}:sns:${local.region}:${local.account}:${local.alert_topic}"
  table_arns = {
    tracking = "arn:${local.partition}:dynamodb:${local.region}:${local.account}:table/${local.tracking_table}"
    metrics  = "arn:${local.partition}:dynamodb:${local.region}:${local.account}:table/${local.metrics_table}"
  }
  function_arns = { for one, name in local.functions : one => "arn:${local.partition}:lambda:${local.region}:${local.account}:function:${name}" }
  job_arn       = "arn:${local.partition}:glue:${local.region}:${local.account}:job/${local.glue_job}"
}
