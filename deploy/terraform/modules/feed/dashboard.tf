locals {
  # Rows of widgets: a title, and its lines of namespace, metric, statistic and dimensions.
  widgets = [
    { title = "Lambda: invocations, errors, throttles", lines = [
      for metric in ["Invocations", "Errors", "Throttles"] : ["AWS/Lambda", metric, "Sum", local.builder]
    ] },
    { title = "Lambda: average duration, ms", lines = [["AWS/Lambda", "Duration", "Average", local.builder]] },
    { title = "Lambda: most at once", lines = [["AWS/Lambda", "ConcurrentExecutions", "Maximum", local.builder]] },
    { title = "DynamoDB: consumed reads and writes", lines = [
      for metric in ["ConsumedReadCapacityUnits", "ConsumedWriteCapacityUnits"] : ["AWS/DynamoDB", metric, "Sum", local.tracking]
    ] },
    { title = "DynamoDB: user and system errors", lines = [
      # User errors are counted for the account, not for a table.
      ["AWS/DynamoDB", "UserErrors", "Sum", {}],
      ["AWS/DynamoDB", "SystemErrors", "Sum", local.tracking],
    ] },
    { title = "Glue: tasks completed, failed, killed", lines = [
      for metric in ["numCompletedTasks", "numFailedTasks", "numKilledTasks"] :
      ["Glue", "glue.driver.aggregate.${metric}", "Sum", local.glue_counts]
    ] },
    { title = "Queue: waiting, oldest, put aside", lines = [
      ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum", { QueueName = local.queue }],
      ["AWS/SQS", "ApproximateAgeOfOldestMessage", "Maximum", { QueueName = local.queue }],
      ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum", { QueueName = local.dead_letter_queue }],
    ] },
    { title = "Oldest pending file, oldest waiting manifest, s", lines = [
      for metric in ["oldest_pending_age_seconds", "oldest_waiting_manifest_age_seconds"] :
      [local.own_namespace, metric, "Maximum", local.sweeper_says]
    ] },
  ]
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = "${local.prefix}-parquet-${var.environment}"

  dashboard_body = jsonencode({
    widgets = [for number, widget in local.widgets : {
      type   = "metric"
      width  = 8
      height = 6
      x      = 8 * (number % 3)
      y      = 6 * floor(number / 3)
      properties = {
        title  = widget.title
        region = local.region
        period = local.five_minutes
        view   = "timeSeries"
        metrics = [for line in widget.lines : concat(
          [line[0], line[1]],
          flatten([for name, value in line[3] : [name, value]]),
          [{ stat = line[2] }],
        )]
      }
    }]
  })
}
