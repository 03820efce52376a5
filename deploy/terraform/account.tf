# What is of the account rather than of a feed: a budget, and a trail of who touched the data.

resource "aws_budgets_budget" "month" {
  count = var.monthly_budget_usd > 0 ? 1 : 0

  name         = "ndjson-parquet-${var.environment}"
  budget_type  = "COST"
  limit_amount = tostring(var.monthly_budget_usd)
  limit_unit   = "USD"
  time_unit    = "MONTHLY"

  cost_filter {
    name   = "TagKeyValue"
    values = [format("user:project$%s", "ndjson-pipeline")]
  }

  dynamic "notification" {
    for_each = { spent = 80, exceeded = 100 }

    content {
      comparison_operator        = "GREATER_THAN"
      threshold                  = notification.value
      threshold_type             = "PERCENTAGE"
      notification_type          = "ACTUAL"
      subscriber_email_addresses = var.budget_emails
    }
  }

  notification {
    comparison_operator        = "GREATER_THAN"
    threshold                  = 100
    threshold_type             = "PERCENTAGE"
    notification_type          = "FORECASTED"
    subscriber_email_addresses = var.budget_emails
  }
}

resource "aws_cloudtrail" "data" {
  count = var.data_trail_bucket == null ? 0 : 1

  name                       = "ndjson-parquet-data-${var.environment}"
  s3_bucket_name             = var.data_trail_bucket
  enable_log_file_validation = true

  advanced_event_selector {
    name = "objects of the feeds' buckets"

    field_selector {
      field  = "eventCategory"
      equals = ["Data"]
    }

    field_selector {
      field  = "resources.type"
      equals = ["AWS::S3::Object"]
    }

    field_selector {
      field       = "resources.ARN"
      starts_with = flatten([for feed in module.feed : [for bucket in values(feed.buckets) : "arn:${data.aws_partition.current.partition}:s3:::${bucket}/"]])
    }
  }
}

data "aws_partition" "current" {}
