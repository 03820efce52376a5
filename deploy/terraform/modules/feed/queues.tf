# S3's events, and those that failed.

resource "aws_sqs_queue" "dead_letter" {
  name                      = local.dead_letter_queue
  message_retention_seconds = 14 * 86400
  kms_master_key_id         = var.kms_key_arn
  sqs_managed_sse_enabled   = var.kms_key_arn == null ? true : null
}

resource "aws_sqs_queue" "events" {
  name = local.queue
  # https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
  visibility_timeout_seconds = 6 * var.lambda_timeout
  message_retention_seconds  = 14 * 86400
  receive_wait_time_seconds  = 20
  kms_master_key_id          = var.kms_key_arn
  sqs_managed_sse_enabled    = var.kms_key_arn == null ? true : null

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead_letter.arn
    maxReceiveCount     = var.max_receive_count
  })
}

# Nothing else may use it as its own.
resource "aws_sqs_queue_redrive_allow_policy" "dead_letter" {
  queue_url = aws_sqs_queue.dead_letter.id

  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [aws_sqs_queue.events.arn]
  })
}

locals {
  # Who sends, and on whose behalf, by the route.
  sender = {
    s3          = { service = "s3.amazonaws.com", arn = local.bucket_arns.input }
    sns         = { service = "sns.amazonaws.com", arn = local.events_topic_arn }
    eventbridge = { service = "events.amazonaws.com", arn = local.events_rule_arn }
  }[var.event_route]

  events_topic_arn = "arn:${local.partition}:sns:${local.region}:${local.account}:${local.queue}"
  events_rule_arn  = "arn:${local.partition}:events:${local.region}:${local.account}:rule/${local.queue}"
}

data "aws_iam_policy_document" "events_queue" {
  statement {
    sid       = "InputBucketSendsEvents"
    actions   = ["sqs:SendMessage"]
    resources = [local.queue_arn]

    principals {
      type        = "Service"
      identifiers = [local.sender.service]
    }
    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [local.sender.arn]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
  }

  # The sweeper sends lost events again, an operator moves messages back; nobody else of the account sends, whatever
  # its policies say.
  statement {
    sid       = "OnlySenders"
    effect    = "Deny"
    actions   = ["sqs:SendMessage"]
    resources = [local.queue_arn]

    principals {
      type        = "*"
      identifiers = ["*"]
    }
    condition {
      test     = "ArnNotEquals"
      variable = "aws:PrincipalArn"
      values   = concat([local.role_arns.sweeper], var.redrive_principals)
    }
    condition {
      test     = "Bool"
      variable = "aws:PrincipalIsAWSService"
      values   = ["false"]
    }
  }

  statement {
    sid       = "TlsOnly"
    effect    = "Deny"
    actions   = ["sqs:*"]
    resources = [local.queue_arn]

    principals {
      type        = "*"
      identifiers = ["*"]
    }
    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_sqs_queue_policy" "events" {
  queue_url = aws_sqs_queue.events.id
  policy    = data.aws_iam_policy_document.events_queue.json
}

# From the bucket to the queue, by one of three routes.

resource "aws_s3_bucket_notification" "input" {
  count = var.manage_input_notifications ? 1 : 0

  bucket      = local.names.input
  eventbridge = var.event_route == "eventbridge"

  dynamic "queue" {
    for_each = var.event_route == "s3" ? [1] : []

    content {
      id        = "input-to-events-queue"
      queue_arn = aws_sqs_queue.events.arn
      events    = ["s3:ObjectCreated:*"]
      # No suffix: it would hide files of another extension instead of quarantining them.
      filter_prefix = var.input_prefix
    }
  }

  dynamic "topic" {
    for_each = var.event_route == "sns" ? [1] : []

    content {
      id            = "input-to-events-topic"
      topic_arn     = aws_sns_topic.events[0].arn
      events        = ["s3:ObjectCreated:*"]
      filter_prefix = var.input_prefix
    }
  }

  # S3 tries each target when it is set.
  depends_on = [aws_s3_bucket.this, aws_sqs_queue_policy.events, aws_sns_topic_policy.events]
}

resource "aws_sns_topic" "events" {
  count = var.event_route == "sns" ? 1 : 0

  name              = local.queue
  kms_master_key_id = var.kms_key_arn
}

data "aws_iam_policy_document" "events_topic" {
  statement {
    sid       = "InputBucketSendsEvents"
    actions   = ["sns:Publish"]
    resources = [local.events_topic_arn]

    principals {
      type        = "Service"
      identifiers = ["s3.amazonaws.com"]
    }
    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [local.bucket_arns.input]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
  }
}

resource "aws_sns_topic_policy" "events" {
  count = var.event_route == "sns" ? 1 : 0

  arn    = aws_sns_topic.events[0].arn
  policy = data.aws_iam_policy_document.events_topic.json
}

resource "aws_sns_topic_subscription" "events" {
  count = var.event_route == "sns" ? 1 : 0

  topic_arn            = aws_sns_topic.events[0].arn
  protocol             = "sqs"
  endpoint             = aws_sqs_queue.events.arn
  raw_message_delivery = false

  depends_on = [aws_sqs_queue_policy.events]
}

resource "aws_cloudwatch_event_rule" "events" {
  count = var.event_route == "eventbridge" ? 1 : 0

  name        = local.queue
  description = "Objects that come below ${var.input_prefix} of ${local.names.input}"

  event_pattern = jsonencode({
    source      = ["aws.s3"]
    detail-type = ["Object Created"]
    detail = {
      bucket = { name = [local.names.input] }
      object = { key = [{ prefix = var.input_prefix }] }
    }
  })
}

resource "aws_cloudwatch_event_target" "events" {
  count = var.event_route == "eventbridge" ? 1 : 0

  rule = aws_cloudwatch_event_rule.events[0].name
  arn  = aws_sqs_queue.events.arn

  depends_on = [aws_sqs_queue_policy.events]
}
