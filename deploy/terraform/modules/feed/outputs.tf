output "code_location" {
  description = "What the feed's code location needs, whatever runs it: its name, the variables of its process, and what its role may do."
  value = {
    name        = local.prefix
    environment = local.code_location_variables
    policy_json = jsonencode({ Version = "2012-10-17", Statement = local.code_location_policy })
  }
}

output "buckets" {
  description = "The buckets' names by their purpose: input, manifest, output, quarantine, scripts."
  value       = local.buckets
}

output "queue_url" {
  description = "The queue of events."
  value       = aws_sqs_queue.events.url
}

output "dead_letter_queue_url" {
  description = "The queue of messages that failed three times."
  value       = aws_sqs_queue.dead_letter.url
}

output "input_topic_arn" {
  description = "The topic of the input bucket's events; null unless event_route is sns."
  value       = var.event_route == "sns" ? aws_sns_topic.input_events[0].arn : null
}

output "tracking_table" {
  description = "The table of files and manifests."
  value       = aws_dynamodb_table.tracking.name
}

output "functions" {
  description = "The functions' names by their component."
  value       = { for component, function in aws_lambda_function.this : component => function.function_name }
}

output "glue_job" {
  description = "The conversion job."
  value       = aws_glue_job.this.name
}

output "catalog" {
  description = "The database and the table that Athena reads."
  value       = { database = aws_glue_catalog_database.this.name, table = aws_glue_catalog_table.merged_parquet.name }
}

output "alert_topic_arn" {
  description = "The topic of alerts and alarms."
  value       = aws_sns_topic.alerts.arn
}

output "dashboard" {
  description = "The dashboard in CloudWatch."
  value       = aws_cloudwatch_dashboard.this.dashboard_name
}

output "role_arns" {
  description = "The roles' ARNs by their component."
  value       = { for component, role in aws_iam_role.this : component => role.arn }
}
