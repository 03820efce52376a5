locals {
  lambda_widgets = [for function in ["manifest_builder", "sweeper"] : {
    title = replace(function, "_", " ")
    metrics = [
      for metric, statistic in {
        Invocations          = "Sum"
        Errors               = "Sum"
        Throttles            = "Sum"
        Duration             = "Average"
        ConcurrentExecutions = "Maximum"
      } : ["AWS/Lambda", metric, "FunctionName", local.names[function], { stat = statistic, yAxis = metric == "Duration" ? "right" : "left" }]
    ]
  }]

  widgets = concat(local.lambda_widgets, [
    {
      title = "queue"
      metrics = [
        ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", local.names.queue, { stat = "Maximum" }],
        ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", local.names.dead_letter_queue, { stat = "Maximum", label = "dead letters" }],
        ["AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", local.names.queue, { stat = "Maximum", yAxis = "right" }],
      ]
    },
    {
      title = "what waits, in seconds"
      metrics = [
        for metric in ["oldest_pending_age_seconds", "oldest_waiting_manifest_age_seconds"] :
        ["NdjsonPipeline", metric, "service", local.sweeper_dimensions.service, "function", local.sweeper_dimensions.function, { stat = "Maximum" }]
      ]
    },
    {
      title = "tracking table: consumed capacity"
      metrics = [
        for metric in ["ConsumedReadCapacityUnits", "ConsumedWriteCapacityUnits"] :
        ["AWS/DynamoDB", metric, "TableName", local.names.tracking_table, { stat = "Sum" }]
      ]
    },
    {
      title = "tracking table: errors"
      metrics = concat(
        [["AWS/DynamoDB", "UserErrors", { stat = "Sum", label = "user errors of the account" }]],
        # This metric is of an operation, and there is none of all.
        [
          for operation in ["GetItem", "BatchGetItem", "PutItem", "UpdateItem", "DeleteItem", "Query", "Scan", "TransactWriteItems"] :
          ["AWS/DynamoDB", "SystemErrors", "TableName", local.names.tracking_table, "Operation", operation, { stat = "Sum" }]
        ],
      )
    },
    {
      title = "Glue: tasks"
      metrics = [
        for metric in ["numCompletedTasks", "numFailedTasks", "numKilledTasks"] :
        ["Glue", "glue.driver.aggregate.${metric}", "JobName", local.names.glue_job, "JobRunId", "ALL", "Type", "count", { stat = "Sum" }]
      ]
    },
  ])
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = local.names.dashboard
  dashboard_body = jsonencode({
    widgets = [
      for position, widget in local.widgets : {
        type   = "metric"
        x      = 12 * (position % 2)
        y      = 6 * floor(position / 2)
        width  = 12
        height = 6
        properties = {
          title   = widget.title
          region  = local.region
          period  = 300
          view    = "timeSeries"
          metrics = widget.metrics
        }
      }
    ]
  })
}
