# Where failures are told, and what raises an alarm.

resource "aws_sns_topic" "alerts" {
  name              = local.alert_topic
  kms_master_key_id = var.kms_key_arn
}

data "aws_iam_policy_document" "alerts" {
  statement {
    sid       = "OwnAccountPublishes"
    actions   = ["sns:Publish"]
    resources = [local.topic_arn]

    principals {
      type        = "AWS"
      identifiers = ["arn:${local.partition}:iam::${local.account}:root"]
    }
  }
  statement {
    sid       = "AlarmsPublish"
    actions   = ["sns:Publish"]
    resources = [local.topic_arn]

    principals {
      type        = "Service"
      identifiers = ["cloudwatch.amazonaws.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
    condition {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values   = ["arn:${local.partition}:cloudwatch:${local.region}:${local.account}:alarm:*"]
    }
  }
}

resource "aws_sns_topic_policy" "alerts" {
  arn    = aws_sns_topic.alerts.arn
  policy = data.aws_iam_policy_document.alerts.json
}

resource "aws_sns_topic_subscription" "email" {
  for_each = toset(var.alert_emails)

  topic_arn = aws_sns_topic.alerts.arn
  protocol  = "email"
  endpoint  = each.value
}

locals {
  five_minutes = 300
  builder      = { FunctionName = local.functions.manifest-builder }
  tracking     = { TableName = local.tracking_table }
  # As lambda_ingest/aws/metrics.py writes them.
  own_namespace = "NdjsonPipeline"
  sweeper_says  = { function = local.functions.sweeper, service = "ndjson-ingest" }
  glue_counts   = { JobName = local.glue_job, JobRunId = "ALL", Type = "count" }

  # By name: what is measured, how, above which value, how grave, and what it means. A metric that says nothing is fine,
  # but where silence is the trouble.
  alarms = {
    Lambda-Errors = {
      namespace = "AWS/Lambda", metric = "Errors", statistic = "Sum", dimensions = local.builder,
      threshold = 10, severity = "CRITICAL", silence = "notBreaching",
      meaning   = "Invocations of the manifest builder fail; their messages come again, and end in the dead-letter queue",
    }
    Lambda-Throttles = {
      namespace = "AWS/Lambda", metric = "Throttles", statistic = "Sum", dimensions = local.builder,
      threshold = 5, severity = "CRITICAL", silence = "notBreaching",
      meaning   = "The manifest builder is refused concurrency; throttled polls use up receives",
    }
    Lambda-ConcurrentExecutions = {
      namespace = "AWS/Lambda", metric = "ConcurrentExecutions", statistic = "Maximum", dimensions = local.builder,
      threshold = 40, severity = "WARNING", silence = "notBreaching",
      meaning   = "Many manifest builders work at once",
    }
    FileTracking-ReadThrottle = {
      namespace = "AWS/DynamoDB", metric = "ReadThrottleEvents", statistic = "Sum", dimensions = local.tracking,
      threshold = 5, severity = "WARNING", silence = "notBreaching",
      meaning   = "The tracking table has too little read capacity",
    }
    FileTracking-WriteThrottle = {
      namespace = "AWS/DynamoDB", metric = "WriteThrottleEvents", statistic = "Sum", dimensions = local.tracking,
      threshold = 5, severity = "WARNING", silence = "notBreaching",
      meaning   = "The tracking table has too little write capacity, or a date takes more than a partition can",
    }
    GlueJob-Failures = {
      namespace = "Glue", metric = "glue.driver.aggregate.numFailedTasks", statistic = "Sum", dimensions = local.glue_counts,
      threshold = 10, severity = "CRITICAL", silence = "notBreaching",
      meaning   = "Tasks of the conversion fail",
    }
    Sweeper-Errors = {
      namespace = "AWS/Lambda", metric = "Errors", statistic = "Sum", dimensions = { FunctionName = local.functions.sweeper },
      threshold = 0, severity = "CRITICAL", silence = "notBreaching",
      meaning   = "A sweep failed: past dates are not flushed, lost events not found",
    }
    Sweeper-Silence = {
      namespace = "AWS/Lambda", metric = "Invocations", statistic = "Sum", dimensions = { FunctionName = local.functions.sweeper },
      threshold = 1, severity = "CRITICAL", silence = "breaching", below = true,
      meaning   = "Nothing calls the sweeper any more",
    }
    DeadLetters = {
      namespace = "AWS/SQS", metric = "ApproximateNumberOfMessagesVisible", statistic = "Maximum", dimensions = { QueueName = local.dead_letter_queue },
      threshold = 0, severity = "CRITICAL", silence = "notBreaching",
      meaning   = "Messages failed so often that they were put aside; their files are not in the pipeline",
    }
    Events-OldestMessage = {
      namespace = "AWS/SQS", metric = "ApproximateAgeOfOldestMessage", statistic = "Maximum", dimensions = { QueueName = local.queue },
      threshold = 900, severity = "WARNING", silence = "notBreaching",
      meaning   = "Events wait for a quarter of an hour",
    }
    Files-OldestPending = {
      namespace = local.own_namespace, metric = "oldest_pending_age_seconds", statistic = "Maximum", dimensions = local.sweeper_says,
      threshold = var.oldest_pending_minutes * 60, severity = "CRITICAL", silence = "notBreaching",
      meaning   = "A file waits for its batch longer than a day: the flush after midnight did not take it",
    }
    Manifests-OldestWaiting = {
      namespace = local.own_namespace, metric = "oldest_waiting_manifest_age_seconds", statistic = "Maximum", dimensions = local.sweeper_says,
      threshold = local.dial_seconds + var.extra_wait_minutes * 60, severity = "CRITICAL", silence = "notBreaching",
      meaning   = "A manifest waits longer than the dial allows: Dagster does not launch, or Glue can't keep up",
    }
  }

  # As ndjson_pipeline/deployment/settings.py has it: a size alone would let a date's last manifests wait for ever.
  dial_seconds = var.launch_max_wait_seconds > 0 ? var.launch_max_wait_seconds : var.launch_min_mb > 0 ? 900 : 0

  alarm_names = { for name, _ in local.alarms : name => "${local.prefix}-parquet-${name}-${var.environment}" }
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = local.alarm_names[each.key]
  alarm_description   = "${each.value.severity}: ${each.value.meaning}. docs/operations.md has the first steps."
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  statistic           = each.value.statistic
  dimensions          = each.value.dimensions
  comparison_operator = lookup(each.value, "below", false) ? "LessThanThreshold" : "GreaterThanThreshold"
  threshold           = each.value.threshold
  period              = each.key == "Sweeper-Silence" ? max(local.five_minutes, 3 * 60 * var.sweep_interval_minutes) : local.five_minutes
  evaluation_periods  = 1
  treat_missing_data  = each.value.silence
  alarm_actions       = [aws_sns_topic.alerts.arn]
  ok_actions          = [aws_sns_topic.alerts.arn]
}
