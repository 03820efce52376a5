# Three ways for an event of the input bucket: to the queue itself, by a topic, or by a rule of EventBridge.
# No filter but the prefix: one by extension would hide files instead of quarantining them.

resource "aws_s3_bucket_notification" "input" {
  count = var.manage_input_notifications ? 1 : 0

  bucket      = local.buckets.input
  eventbridge = var.event_route == "eventbridge"

  dynamic "queue" {
    for_each = var.event_route == "s3" ? [aws_sqs_queue.events.arn] : []

    content {
      id            = "input-to-events-queue"
      queue_arn     = queue.value
      events        = ["s3:ObjectCreated:*"]
      filter_prefix = var.input_prefix
    }
  }

  dynamic "topic" {
    for_each = aws_sns_topic.input_events

    content {
      id            = "input-to-events-topic"
      topic_arn     = topic.value.arn
      events        = ["s3:ObjectCreated:*"]
      filter_prefix = var.input_prefix
    }
  }

  # S3 tries to send a test event, and refuses the configuration where it may not.
  depends_on = [
    aws_s3_bucket.this,
    aws_s3_bucket_policy.this,
    aws_sqs_queue_policy.events,
    aws_sns_topic_policy.input_events,
  ]
}

resource "aws_sns_topic" "input_events" {
  count = var.event_route == "sns" ? 1 : 0

  name              = local.names.input_events
  kms_master_key_id = var.kms_key_arn
}

resource "aws_sns_topic_policy" "input_events" {
  count = var.event_route == "sns" ? 1 : 0

  arn = aws_sns_topic.input_events[0].arn
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "InputBucketPublishesEvents"
        Effect    = "Allow"
        Principal = { Service = "s3.amazonaws.com" }
        Action    = "sns:Publish"
        Resource  = aws_sns_topic.input_events[0].arn
        Condition = {
          ArnEquals    = { "aws:SourceArn" = local.bucket_arns.input }
          StringEquals = { "aws:SourceAccount" = local.account }
        }
      },
    ]
  })
}

resource "aws_sns_topic_subscription" "input_events" {
  count = var.event_route == "sns" ? 1 : 0

  topic_arn = aws_sns_topic.input_events[0].arn
  protocol  = "sqs"
  endpoint  = aws_sqs_queue.events.arn
  # The builder reads both; an envelope is weight alone.
  raw_message_delivery = true

  depends_on = [aws_sqs_queue_policy.events]
}

resource "aws_cloudwatch_event_rule" "input_events" {
  count = var.event_route == "eventbridge" ? 1 : 0

  name        = local.names.input_events
  description = "Objects created below ${var.input_prefix} of ${local.buckets.input} go to the queue of the manifest builder"
  event_pattern = jsonencode({
    source        = ["aws.s3"]
    "detail-type" = ["Object Created"]
    detail = {
      bucket = { name = [local.buckets.input] }
      object = { key = [{ prefix = var.input_prefix }] }
    }
  })
}

resource "aws_cloudwatch_event_target" "input_events" {
  count = var.event_route == "eventbridge" ? 1 : 0

  rule      = aws_cloudwatch_event_rule.input_events[0].name
  target_id = "events-queue"
  arn       = aws_sqs_queue.events.arn

  depends_on = [aws_sqs_queue_policy.events]
}
