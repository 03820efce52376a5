# What watches the account: its bill, and who touches the data.

resource "aws_budgets_budget" "month" {
  count = var.monthly_budget_usd > 0 ? 1 : 0

  name         = "ndjson-parquet-${var.environment}"
  budget_type  = "COST"
  limit_amount = tostring(var.monthly_budget_usd)
  limit_unit   = "USD"
  time_unit    = "MONTHLY"

  dynamic "notification" {
    for_each = length(var.alert_emails) == 0 ? [] : [
      { type = "ACTUAL", percent = 80 },
      { type = "FORECASTED", percent = 100 },
    ]

    content {
      comparison_operator        = "GREATER_THAN"
      notification_type          = notification.value.type
      threshold                  = notification.value.percent
      threshold_type             = "PERCENTAGE"
      subscriber_email_addresses = var.alert_emails
    }
  }

  lifecycle {
    precondition {
      condition     = length(var.alert_emails) > 0
      error_message = "monthly_budget_usd tells nobody without alert_emails."
    }
  }
}

resource "aws_cloudtrail" "data" {
  count = var.audit_bucket == null ? 0 : 1

  name                          = "ndjson-parquet-data-${var.environment}"
  s3_bucket_name                = var.audit_bucket
  enable_log_file_validation    = true
  include_global_service_events = false

  advanced_event_selector {
    name = "Objects of the streams' buckets"

    field_selector {
      field  = "eventCategory"
      equals = ["Data"]
    }
    field_selector {
      field  = "resources.type"
      equals = ["AWS::S3::Object"]
    }
    field_selector {
      field = "resources.ARN"
      starts_with = flatten([
        for feed in module.feed : [for name in values(feed.buckets) : "arn:${data.aws_partition.current.partition}:s3:::${name}/"]
      ])
    }
  }
}

data "aws_partition" "current" {}
