# Events of the input bucket on their way to the manifest builder.

resource "aws_sqs_queue" "dead_letter" {
  name                      = local.names.dead_letter_queue
  message_retention_seconds = 14 * 86400
  sqs_managed_sse_enabled   = var.kms_key_arn == null ? true : null
  kms_master_key_id         = var.kms_key_arn
}

resource "aws_sqs_queue" "events" {
  name = local.names.queue
  # https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
  visibility_timeout_seconds = 6 * var.lambda_timeout
  # A weekend without the builder loses nothing.
  message_retention_seconds = 7 * 86400
  sqs_managed_sse_enabled   = var.kms_key_arn == null ? true : null
  kms_master_key_id         = var.kms_key_arn
  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead_letter.arn
    maxReceiveCount     = 3
  })
}

resource "aws_sqs_queue_redrive_allow_policy" "dead_letter" {
  queue_url = aws_sqs_queue.dead_letter.id
  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [aws_sqs_queue.events.arn]
  })
}

locals {
  event_sender = {
    s3 = { service = "s3.amazonaws.com", arn = local.bucket_arns.input }
    sns = {
      service = "sns.amazonaws.com"
      arn     = "arn:${local.partition}:sns:${local.region}:${local.account}:${local.names.input_events}"
    }
    eventbridge = {
      service = "events.amazonaws.com"
      arn     = "arn:${local.partition}:events:${local.region}:${local.account}:rule/${local.names.input_events}"
    }
  }[var.event_route]

  queue_senders = concat([local.arns.sweeper_role], var.redrive_principals)
}

resource "aws_sqs_queue_policy" "events" {
  queue_url = aws_sqs_queue.events.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "InputBucketSendsEvents"
        Effect    = "Allow"
        Principal = { Service = local.event_sender.service }
        Action    = "sqs:SendMessage"
        Resource  = aws_sqs_queue.events.arn
        Condition = {
          ArnEquals    = { "aws:SourceArn" = local.event_sender.arn }
          StringEquals = { "aws:SourceAccount" = local.account }
        }
      },
      # The sweeper sends by its role's policy. Nobody else of the account does, whatever theirs say; services
      # call as no principal of an account, and are bound by the statement above.
      {
        Sid       = "NobodyElseSends"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sqs:SendMessage"
        Resource  = aws_sqs_queue.events.arn
        Condition = {
          ArnNotLike = { "aws:PrincipalArn" = local.queue_senders }
          Bool       = { "aws:PrincipalIsAWSService" = "false" }
        }
      },
      {
        Sid       = "DenyPlainHttp"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sqs:*"
        Resource  = aws_sqs_queue.events.arn
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
    ]
  })
}

resource "aws_sqs_queue_policy" "dead_letter" {
  queue_url = aws_sqs_queue.dead_letter.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "DenyPlainHttp"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sqs:*"
        Resource  = aws_sqs_queue.dead_letter.arn
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
    ]
  })
}
