# What nobody would notice otherwise. Each says how grave it is, and where to look first; docs/operations.md has the
# first steps of each.

locals {
  # How long a manifest may wait before its launch, as ndjson_pipeline/deployment/settings.py reads the dial.
  launch_wait_seconds = var.launch_max_wait_seconds > 0 ? var.launch_max_wait_seconds : var.launch_min_mb > 0 ? 900 : 0

  # A file of today may wait for its batch until the day is over.
  oldest_pending_file_seconds = (
    var.oldest_pending_file_alarm_seconds != null ? var.oldest_pending_file_alarm_seconds
    : (var.max_batch_age_seconds > 0 ? var.max_batch_age_seconds : 86400) + 3600
  )

  sweeper_dimensions = { service = "ndjson-ingest", function = local.names.sweeper }

  alarms = {
    Lambda-Errors = {
      severity   = "CRITICAL"
      about      = "The manifest builder fails. Look at its log group."
      namespace  = "AWS/Lambda"
      metric     = "Errors"
      dimensions = { FunctionName = local.names.manifest_builder }
      statistic  = "Sum"
      threshold  = 10
    }
    Lambda-Throttles = {
      severity   = "CRITICAL"
      about      = "The manifest builder is throttled. Look at its reserved concurrency, and the account's."
      namespace  = "AWS/Lambda"
      metric     = "Throttles"
      dimensions = { FunctionName = local.names.manifest_builder }
      statistic  = "Sum"
      threshold  = 5
    }
    Lambda-ConcurrentExecutions = {
      severity   = "WARNING"
      about      = "The manifest builder nears its concurrency. Look at the queue's oldest message."
      namespace  = "AWS/Lambda"
      metric     = "ConcurrentExecutions"
      dimensions = { FunctionName = local.names.manifest_builder }
      statistic  = "Maximum"
      threshold  = 40
    }
    Sweeper-Errors = {
      severity   = "WARNING"
      about      = "The sweeper fails. Look at its log group."
      namespace  = "AWS/Lambda"
      metric     = "Errors"
      dimensions = { FunctionName = local.names.sweeper }
      statistic  = "Sum"
      threshold  = 2
    }
    GlueJob-Failures = {
      severity   = "CRITICAL"
      about      = "Tasks of the Glue job fail. Look at /aws-glue/jobs/error, and at the runs' reports."
      namespace  = "Glue"
      metric     = "glue.driver.aggregate.numFailedTasks"
      dimensions = { JobName = local.names.glue_job, JobRunId = "ALL", Type = "count" }
      statistic  = "Sum"
      threshold  = 10
    }
    DeadLetters = {
      severity   = "CRITICAL"
      about      = "Messages failed three times. Read one in the dead-letter queue, mend the cause, move them back."
      namespace  = "AWS/SQS"
      metric     = "ApproximateNumberOfMessagesVisible"
      dimensions = { QueueName = local.names.dead_letter_queue }
      statistic  = "Maximum"
      threshold  = 0
    }
    OldestMessage = {
      severity   = "WARNING"
      about      = "Events wait for the manifest builder. Look at its errors, throttles and concurrency."
      namespace  = "AWS/SQS"
      metric     = "ApproximateAgeOfOldestMessage"
      dimensions = { QueueName = local.names.queue }
      statistic  = "Maximum"
      threshold  = var.oldest_message_alarm_seconds
    }
    # The sweeper tells both at each sweep; where it tells nothing, nobody sweeps.
    OldestPendingFile = {
      severity   = "WARNING"
      about      = "A file waits for its manifest longer than it may, or nobody sweeps. Look at the sweeper's log group."
      namespace  = "NdjsonPipeline"
      metric     = "oldest_pending_age_seconds"
      dimensions = local.sweeper_dimensions
      statistic  = "Maximum"
      threshold  = local.oldest_pending_file_seconds
      is_told    = true
    }
    OldestWaitingManifest = {
      severity   = "CRITICAL"
      about      = "A manifest waits for Glue longer than the dial allows, or nobody sweeps. Look at the runs and the manifest sensor in Dagster."
      namespace  = "NdjsonPipeline"
      metric     = "oldest_waiting_manifest_age_seconds"
      dimensions = local.sweeper_dimensions
      statistic  = "Maximum"
      threshold  = local.launch_wait_seconds + var.manifest_wait_grace_seconds
      is_told    = true
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = "${local.component}-${each.key}-${var.environment}"
  alarm_description   = "${each.value.severity}: ${each.value.about}"
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic
  period              = 300
  evaluation_periods  = try(each.value.is_told, false) ? 3 : 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.threshold
  treat_missing_data  = try(each.value.is_told, false) ? "breaching" : "notBreaching"
  alarm_actions       = [aws_sns_topic.alerts.arn]
  ok_actions          = [aws_sns_topic.alerts.arn]
}

# An index is throttled under its own name, and then throttles the table's writes.
resource "aws_cloudwatch_metric_alarm" "throttled" {
  for_each = toset(["Read", "Write"])

  alarm_name          = "${local.component}-FileTracking-${each.key}Throttle-${var.environment}"
  alarm_description   = "WARNING: ${each.key}s of the tracking table or of an index are throttled. Raise its capacity, or autoscaling's bound."
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 5
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alerts.arn]
  ok_actions          = [aws_sns_topic.alerts.arn]

  metric_query {
    id          = "all"
    expression  = "SUM(FILL(METRICS(), 0))"
    label       = "Throttled ${lower(each.key)}s of the table and its indexes"
    return_data = true
  }

  metric_query {
    id = "table"

    metric {
      namespace   = "AWS/DynamoDB"
      metric_name = "${each.key}ThrottleEvents"
      dimensions  = { TableName = local.names.tracking_table }
      stat        = "Sum"
      period      = 300
    }
  }

  dynamic "metric_query" {
    for_each = local.tracking_indexes

    content {
      id = replace(metric_query.key, "-", "_")

      metric {
        namespace   = "AWS/DynamoDB"
        metric_name = "${each.key}ThrottleEvents"
        dimensions  = { TableName = local.names.tracking_table, GlobalSecondaryIndexName = metric_query.key }
        stat        = "Sum"
        period      = 300
      }
    }
  }
}
