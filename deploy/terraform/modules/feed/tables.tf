# The tracking table with its indexes, and the counts.

locals {
  # Names and keys as lambda_ingest/contract/records.py has them; a test compares both with what the code makes.
  indexes = {
    pending-files       = { hash = "pending_date", range = "created_at", attributes = ["file_size_mb"] }
    manifests-by-status = { hash = "status", range = "file_count", attributes = null }
    alerts-pending      = { hash = "alert_pending", range = "file_key", attributes = null }
    retries-due         = { hash = "retry_at", range = "file_key", attributes = null }
    failed-manifests    = { hash = "failed_date", range = "file_key", attributes = null }
  }
  attributes = {
    date_prefix   = "S"
    file_key      = "S"
    pending_date  = "S"
    created_at    = "S"
    status        = "S"
    file_count    = "N"
    alert_pending = "S"
    retry_at      = "S"
    failed_date   = "S"
  }
  read_capacity  = var.dynamodb_on_demand ? null : var.dynamodb_read_capacity
  write_capacity = var.dynamodb_on_demand ? null : var.dynamodb_write_capacity
  scales         = var.enable_autoscaling && !var.dynamodb_on_demand

  # What scales: the table, and each index, which throttles the table's writes where it can't follow.
  scaled = local.scales ? merge(
    { table = { resource = "table/${local.tracking_table}", dimension = "table" } },
    { for name, _ in local.indexes : name => { resource = "table/${local.tracking_table}/index/${name}", dimension = "index" } },
  ) : {}
}

resource "aws_dynamodb_table" "tracking" {
  name                        = local.tracking_table
  billing_mode                = var.dynamodb_on_demand ? "PAY_PER_REQUEST" : "PROVISIONED"
  read_capacity               = local.read_capacity
  write_capacity              = local.write_capacity
  hash_key                    = "date_prefix"
  range_key                   = "file_key"
  deletion_protection_enabled = local.protect

  dynamic "attribute" {
    for_each = local.attributes

    content {
      name = attribute.key
      type = attribute.value
    }
  }

  dynamic "global_secondary_index" {
    for_each = local.indexes

    content {
      name               = global_secondary_index.key
      hash_key           = global_secondary_index.value.hash
      range_key          = global_secondary_index.value.range
      projection_type    = global_secondary_index.value.attributes == null ? "ALL" : "INCLUDE"
      non_key_attributes = global_secondary_index.value.attributes
      read_capacity      = local.read_capacity
      write_capacity     = local.write_capacity
    }
  }

  ttl {
    attribute_name = "ttl"
    enabled        = true
  }

  point_in_time_recovery {
    enabled = true
  }

  server_side_encryption {
    enabled     = true
    kms_key_arn = var.kms_key_arn
  }

  lifecycle {
    # What scaling has set is not to be taken back.
    ignore_changes = [read_capacity, write_capacity, global_secondary_index]
  }
}

resource "aws_dynamodb_table" "metrics" {
  name                        = local.metrics_table
  billing_mode                = var.dynamodb_on_demand ? "PAY_PER_REQUEST" : "PROVISIONED"
  read_capacity               = local.read_capacity
  write_capacity              = local.write_capacity
  hash_key                    = "metric_type"
  range_key                   = "timestamp"
  deletion_protection_enabled = local.protect

  attribute {
    name = "metric_type"
    type = "S"
  }

  attribute {
    name = "timestamp"
    type = "N"
  }

  ttl {
    attribute_name = "ttl"
    enabled        = true
  }

  point_in_time_recovery {
    enabled = true
  }

  server_side_encryption {
    enabled     = true
    kms_key_arn = var.kms_key_arn
  }
}

resource "aws_appautoscaling_target" "reads" {
  for_each = local.scaled

  service_namespace  = "dynamodb"
  resource_id        = each.value.resource
  scalable_dimension = "dynamodb:${each.value.dimension}:ReadCapacityUnits"
  min_capacity       = var.dynamodb_read_capacity
  max_capacity       = var.dynamodb_max_read_capacity

  depends_on = [aws_dynamodb_table.tracking]
}

resource "aws_appautoscaling_target" "writes" {
  for_each = local.scaled

  service_namespace  = "dynamodb"
  resource_id        = each.value.resource
  scalable_dimension = "dynamodb:${each.value.dimension}:WriteCapacityUnits"
  min_capacity       = var.dynamodb_write_capacity
  max_capacity       = var.dynamodb_max_write_capacity

  depends_on = [aws_dynamodb_table.tracking]
}

resource "aws_appautoscaling_policy" "reads" {
  for_each = local.scaled

  name               = "${local.tracking_table}-${each.key}-reads"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.reads[each.key].service_namespace
  resource_id        = aws_appautoscaling_target.reads[each.key].resource_id
  scalable_dimension = aws_appautoscaling_target.reads[each.key].scalable_dimension

  target_tracking_scaling_policy_configuration {
    target_value = 70

    predefined_metric_specification {
      predefined_metric_type = "DynamoDBReadCapacityUtilization"
    }
  }
}

resource "aws_appautoscaling_policy" "writes" {
  for_each = local.scaled

  name               = "${local.tracking_table}-${each.key}-writes"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.writes[each.key].service_namespace
  resource_id        = aws_appautoscaling_target.writes[each.key].resource_id
  scalable_dimension = aws_appautoscaling_target.writes[each.key].scalable_dimension

  target_tracking_scaling_policy_configuration {
    target_value = 70

    predefined_metric_specification {
      predefined_metric_type = "DynamoDBWriteCapacityUtilization"
    }
  }
}
