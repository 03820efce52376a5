# What nobody would notice: a service that does not run, a database that fills up.

resource "aws_cloudwatch_metric_alarm" "not_running" {
  for_each = local.tasks

  alarm_name        = "${local.name}-${each.key}-NotRunning"
  alarm_description = "No task of the service ${each.key} has run for 15 minutes. WARNING. Look at the service's events, then at its log group /${local.name}/."
  namespace         = "AWS/ECS"
  metric_name       = "CPUUtilization"
  dimensions        = { ClusterName = aws_ecs_cluster.this.name, ServiceName = each.key }
  # A task that runs sends a sample a minute, whatever its value.
  statistic           = "SampleCount"
  period              = 300
  evaluation_periods  = 3
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  treat_missing_data  = "breaching"
  alarm_actions       = var.alarm_topic_arns
  ok_actions          = var.alarm_topic_arns
}

resource "aws_cloudwatch_metric_alarm" "database_storage" {
  alarm_name          = "${local.name}-DatabaseStorage"
  alarm_description   = "The database has less than 2 GB left, and could not grow. WARNING. Raise database.max_storage_gb, or keep runs for fewer days."
  namespace           = "AWS/RDS"
  metric_name         = "FreeStorageSpace"
  dimensions          = { DBInstanceIdentifier = aws_db_instance.this.identifier }
  statistic           = "Minimum"
  period              = 300
  evaluation_periods  = 3
  comparison_operator = "LessThanThreshold"
  threshold           = 2 * pow(1024, 3)
  treat_missing_data  = "missing"
  alarm_actions       = var.alarm_topic_arns
  ok_actions          = var.alarm_topic_arns
}
