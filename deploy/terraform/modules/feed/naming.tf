# Every name follows from the environment, the account and the feed, as in ndjson_pipeline/deployment/names.py.

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition
  # The attribute that both majors of the provider have: `name` and `region` are one's alone.
  region = data.aws_region.current.id

  is_prod   = var.environment == "prod"
  prefix    = var.feed == "" ? "ndjson" : "ndjson-${var.feed}"
  component = "${local.prefix}-parquet"

  names = {
    input_bucket      = "${local.prefix}-input-sqs-${local.account}-${var.environment}"
    manifest_bucket   = "${local.prefix}-manifest-sqs-${local.account}-${var.environment}"
    output_bucket     = "${local.prefix}-output-sqs-${local.account}-${var.environment}"
    quarantine_bucket = "${local.prefix}-quarantine-sqs-${local.account}-${var.environment}"
    scripts_bucket    = "${local.prefix}-scripts-sqs-${local.account}-${var.environment}"
    queue             = "${local.component}-events-${var.environment}"
    dead_letter_queue = "${local.component}-events-dlq-${var.environment}"
    tracking_table    = "${local.component}-sqs-file-tracking-${var.environment}"
    metrics_table     = "${local.component}-metrics-${var.environment}"
    manifest_builder  = "${local.component}-manifest-builder-${var.environment}"
    sweeper           = "${local.component}-sweeper-${var.environment}"
    generator         = "generate-${local.prefix}-${var.environment}"
    glue_job          = "${local.component}-batch-job-${var.environment}"
    alert_topic       = "${local.component}-alerts-${var.environment}"
    input_events      = "${local.component}-input-${var.environment}"
    dashboard         = "${local.component}-${var.environment}"
    catalog_database  = replace("${local.component}-${var.environment}", "-", "_")
    catalog_table     = "merged_parquet"
  }

  # ARNs that follow from names: a policy and the resource it speaks of would need each other otherwise.
  arns = {
    queue          = "arn:${local.partition}:sqs:${local.region}:${local.account}:${local.names.queue}"
    alert_topic    = "arn:${local.partition}:sns:${local.region}:${local.account}:${local.names.alert_topic}"
    tracking_table = "arn:${local.partition}:dynamodb:${local.region}:${local.account}:table/${local.names.tracking_table}"
    metrics_table  = "arn:${local.partition}:dynamodb:${local.region}:${local.account}:table/${local.names.metrics_table}"
    sweeper        = "arn:${local.partition}:lambda:${local.region}:${local.account}:function:${local.names.sweeper}"
    glue_job       = "arn:${local.partition}:glue:${local.region}:${local.account}:job/${local.names.glue_job}"
    sweeper_role   = "arn:${local.partition}:iam::${local.account}:role/${local.component}-sweeper-${var.environment}"
  }
}
