# The tracking table with its indexes (lambda_ingest/contract/records.py), and the metrics table.

locals {
  tracking_attributes = {
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
  # A row is in an index if it has both of its keys. Only manifests carry file_count, which keeps files out.
  tracking_indexes = {
    pending-files       = { hash_key = "pending_date", range_key = "created_at", attributes = ["file_size_mb"] }
    manifests-by-status = { hash_key = "status", range_key = "file_count", attributes = null }
    alerts-pending      = { hash_key = "alert_pending", range_key = "file_key", attributes = null }
    retries-due         = { hash_key = "retry_at", range_key = "file_key", attributes = null }
    failed-manifests    = { hash_key = "failed_date", range_key = "file_key", attributes = null }
  }
}

# Autoscaling moves the capacity. Ignoring what it does would also ignore an index that a later version adds, so
# what the tables have now is looked up instead.

data "aws_dynamodb_tables" "present" {}

data "aws_dynamodb_table" "present" {
  for_each = toset([for name in values(local.scaled_tables) : name if local.is_autoscaled && contains(local.present_tables, name)])

  name = each.value
}

locals {
  is_autoscaled = var.enable_autoscaling && !var.dynamodb_on_demand
  # Null where there are none.
  present_tables = data.aws_dynamodb_tables.present.names == null ? toset([]) : data.aws_dynamodb_tables.present.names
  scaled_tables  = { tracking = local.names.tracking_table, metrics = local.names.metrics_table }

  # By `{table}` and `{table}/{index}`: what is there now.
  present_capacity = merge([
    for name, table in data.aws_dynamodb_table.present : merge(
      { (name) = { read = table.read_capacity, write = table.write_capacity } },
      { for index in table.global_secondary_index : "${name}/${index.name}" => { read = index.read_capacity, write = index.write_capacity } },
    )
  ]...)

  # By the same, whatever has a capacity of its own: what it is to have now. On demand there is none.
  capacity = {
    for key in concat(
      [local.names.tracking_table, local.names.metrics_table],
      [for index, _ in local.tracking_indexes : "${local.names.tracking_table}/${index}"],
      ) : key => var.dynamodb_on_demand ? { read = null, write = null } : {
      read                                       = max(var.dynamodb_read_capacity, min(var.dynamodb_max_read_capacity, try(local.present_capacity[key].read, 0)))
      write                                      = max(var.dynamodb_write_capacity, min(var.dynamodb_max_write_capacity, try(local.present_capacity[key].write, 0)))
    }
  }
}

resource "aws_dynamodb_table" "tracking" {
  name                        = local.names.tracking_table
  billing_mode                = var.dynamodb_on_demand ? "PAY_PER_REQUEST" : "PROVISIONED"
  hash_key                    = "date_prefix"
  range_key                   = "file_key"
  read_capacity               = local.capacity[local.names.tracking_table].read
  write_capacity              = local.capacity[local.names.tracking_table].write
  deletion_protection_enabled = local.is_protected

  dynamic "attribute" {
    for_each = local.tracking_attributes

    content {
      name = attribute.key
      type = attribute.value
    }
  }

  dynamic "global_secondary_index" {
    for_each = local.tracking_indexes

    content {
      name               = global_secondary_index.key
      hash_key           = global_secondary_index.value.hash_key
      range_key          = global_secondary_index.value.range_key
      projection_type    = global_secondary_index.value.attributes == null ? "ALL" : "INCLUDE"
      non_key_attributes = global_secondary_index.value.attributes
      read_capacity      = local.capacity["${local.names.tracking_table}/${global_secondary_index.key}"].read
      write_capacity     = local.capacity["${local.names.tracking_table}/${global_secondary_index.key}"].write
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
    enabled     = var.kms_key_arn != null
    kms_key_arn = var.kms_key_arn
  }
}

resource "aws_dynamodb_table" "metrics" {
  name                        = local.names.metrics_table
  billing_mode                = var.dynamodb_on_demand ? "PAY_PER_REQUEST" : "PROVISIONED"
  hash_key                    = "metric_type"
  range_key                   = "timestamp"
  read_capacity               = local.capacity[local.names.metrics_table].read
  write_capacity              = local.capacity[local.names.metrics_table].write
  deletion_protection_enabled = local.is_protected

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
    enabled     = var.kms_key_arn != null
    kms_key_arn = var.kms_key_arn
  }
}

locals {
  # By `{resource}:{dimension}`. An index that lags throttles the table's writes, so each follows the load too.
  scaled = local.is_autoscaled ? merge([
    for key, _ in local.capacity : {
      for direction in ["Read", "Write"] : "${key}:${direction}" => {
        resource_id = "table/${replace(key, "/", "/index/")}"
        dimension   = "dynamodb:${strcontains(key, "/") ? "index" : "table"}:${direction}CapacityUnits"
        metric      = "DynamoDB${direction}CapacityUtilization"
        lowest      = direction == "Read" ? var.dynamodb_read_capacity : var.dynamodb_write_capacity
        highest     = direction == "Read" ? var.dynamodb_max_read_capacity : var.dynamodb_max_write_capacity
      }
    }
  ]...) : {}
}

resource "aws_appautoscaling_target" "capacity" {
  for_each = local.scaled

  service_namespace  = "dynamodb"
  resource_id        = each.value.resource_id
  scalable_dimension = each.value.dimension
  min_capacity       = each.value.lowest
  max_capacity       = each.value.highest

  depends_on = [aws_dynamodb_table.tracking, aws_dynamodb_table.metrics]
}

resource "aws_appautoscaling_policy" "capacity" {
  for_each = local.scaled

  name               = "${each.value.metric}:${each.value.resource_id}"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.capacity[each.key].service_namespace
  resource_id        = aws_appautoscaling_target.capacity[each.key].resource_id
  scalable_dimension = aws_appautoscaling_target.capacity[each.key].scalable_dimension

  target_tracking_scaling_policy_configuration {
    target_value = 70

    predefined_metric_specification {
      predefined_metric_type = each.value.metric
    }
  }
}
