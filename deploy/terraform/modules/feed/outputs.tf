output "code_location" {
  description = "What the feed's code location needs: its name, its process's variables, and its role's policy as JSON."
  value = {
    name        = local.prefix
    environment = local.code_location_variables
    policy_json = data.aws_iam_policy_document.code_location.json
  }
}

output "buckets" {
  description = "The buckets' names, by purpose."
  value       = local.names
}

output "queue_urls" {
  description = "The events' queue, and the one of what failed."
  value       = { events = aws_sqs_queue.events.url, dead_letter = aws_sqs_queue.dead_letter.url }
}

output "functions" {
  description = "The Lambdas' names."
  value       = { for one, function in aws_lambda_function.this : one => function.function_name }
}

output "glue_job" {
  description = "The conversion job's name."
  value       = aws_glue_job.batch.name
}

output "alert_topic_arn" {
  description = "The topic that failures and alarms are published on."
  value       = aws_sns_topic.alerts.arn
}

output "catalog_table" {
  description = "The table for Athena, with its database."
  value       = "${aws_glue_catalog_database.this.name}.${aws_glue_catalog_table.output.name}"
}

output "dashboard" {
  description = "The dashboard's name."
  value       = aws_cloudwatch_dashboard.this.dashboard_name
}

output "glue_max_concurrent_runs" {
  description = "How many runs of the feed go at once; Dagster's own bound has to leave room for all feeds."
  value       = var.glue_max_concurrent_runs
}
