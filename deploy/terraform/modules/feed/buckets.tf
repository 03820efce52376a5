# Five buckets. One that was there keeps its settings, whoever made it.

locals {
  own_buckets = { for purpose, name in local.names : purpose => name if !contains(keys(var.existing_buckets), purpose) }

  versioned = toset([for purpose in ["input", "manifest"] : purpose if contains(keys(local.own_buckets), purpose)])

  # What is removed by itself: by purpose, rules of a name, a beginning of keys, and days.
  expiries = {
    input = var.input_days == 0 ? [] : [{ id = "input", prefix = var.input_prefix, days = var.input_days }]
    manifest = [
      # Manifests stay: what was loaded is known from them once the records are gone.
      { id = "reports", prefix = "logs/", days = var.report_days },
      { id = "told-by-runs", prefix = "pipes/", days = var.report_days },
    ]
    output     = []
    quarantine = var.quarantine_days == 0 ? [] : [{ id = "quarantined", prefix = "", days = var.quarantine_days }]
    # A run that goes on reads what it was started with, and a roll back what was there before.
    scripts = []
  }
}

resource "aws_s3_bucket" "this" {
  for_each = local.own_buckets

  bucket        = each.value
  force_destroy = !local.protect
}

resource "aws_s3_bucket_public_access_block" "this" {
  for_each = aws_s3_bucket.this

  bucket                  = each.value.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "this" {
  for_each = aws_s3_bucket.this

  bucket = each.value.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  for_each = aws_s3_bucket.this

  bucket = each.value.id

  rule {
    bucket_key_enabled = var.kms_key_arn != null

    apply_server_side_encryption_by_default {
      sse_algorithm     = var.kms_key_arn == null ? "AES256" : "aws:kms"
      kms_master_key_id = var.kms_key_arn
    }
  }
}

resource "aws_s3_bucket_versioning" "this" {
  for_each = local.versioned

  bucket = aws_s3_bucket.this[each.key].id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "this" {
  for_each = aws_s3_bucket.this

  bucket = each.value.id

  rule {
    id     = "incomplete-uploads"
    status = "Enabled"

    filter {
      prefix = ""
    }
    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }

  dynamic "rule" {
    for_each = contains(local.versioned, each.key) ? [1] : []

    content {
      id     = "former-versions"
      status = "Enabled"

      filter {
        prefix = ""
      }
      noncurrent_version_expiration {
        noncurrent_days = var.noncurrent_days
      }
      expiration {
        expired_object_delete_marker = true
      }
    }
  }

  dynamic "rule" {
    for_each = local.expiries[each.key]

    content {
      id     = rule.value.id
      status = "Enabled"

      filter {
        prefix = rule.value.prefix
      }
      expiration {
        days = rule.value.days
      }
    }
  }

  # Rules about versions count once there are some.
  depends_on = [aws_s3_bucket_versioning.this]
}

resource "aws_s3_bucket_policy" "this" {
  for_each = aws_s3_bucket.this

  bucket = each.value.id
  policy = each.key == "input" ? data.aws_iam_policy_document.input_bucket[0].json : data.aws_iam_policy_document.bucket[each.key].json

  # S3 refuses a policy while it changes who may be public.
  depends_on = [aws_s3_bucket_public_access_block.this]
}

data "aws_iam_policy_document" "bucket" {
  for_each = local.own_buckets

  statement {
    sid       = "TlsOnly"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [local.bucket_arns[each.key], "${local.bucket_arns[each.key]}/*"]

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

# What the input takes, and from whom.

data "aws_iam_policy_document" "input_bucket" {
  count = contains(keys(local.own_buckets), "input") ? 1 : 0

  source_policy_documents = [data.aws_iam_policy_document.bucket["input"].json]

  # Nobody but the producer has a customer's key (SSE-C): Glue could not read the object.
  dynamic "statement" {
    for_each = var.input_is_strict ? [1] : []

    content {
      sid       = "NoCustomersKeys"
      effect    = "Deny"
      actions   = ["s3:PutObject"]
      resources = ["${local.bucket_arns.input}/*"]

      principals {
        type        = "*"
        identifiers = ["*"]
      }
      condition {
        test     = "Null"
        variable = "s3:x-amz-server-side-encryption-customer-algorithm"
        values   = ["false"]
      }
    }
  }

  dynamic "statement" {
    for_each = var.input_is_strict ? [1] : []

    content {
      sid       = "NoForeignKmsKeys"
      effect    = "Deny"
      actions   = ["s3:PutObject"]
      resources = ["${local.bucket_arns.input}/*"]

      principals {
        type        = "*"
        identifiers = ["*"]
      }
      # Where none is named the bucket's own takes its place; without one of ours every key is foreign.
      condition {
        test     = "Null"
        variable = "s3:x-amz-server-side-encryption-aws-kms-key-id"
        values   = ["false"]
      }
      condition {
        test     = "StringNotEquals"
        variable = "s3:x-amz-server-side-encryption-aws-kms-key-id"
        values   = [coalesce(var.kms_key_arn, "none")]
      }
    }
  }

  # What is archived can't be read at once, and what is rarely read costs at each read.
  dynamic "statement" {
    for_each = var.input_is_strict ? [1] : []

    content {
      sid       = "NoColdStorage"
      effect    = "Deny"
      actions   = ["s3:PutObject"]
      resources = ["${local.bucket_arns.input}/*"]

      principals {
        type        = "*"
        identifiers = ["*"]
      }
      condition {
        test     = "StringNotEqualsIfExists"
        variable = "s3:x-amz-storage-class"
        values   = ["STANDARD", "INTELLIGENT_TIERING"]
      }
    }
  }

  dynamic "statement" {
    for_each = var.input_is_strict ? [1] : []

    content {
      sid       = "NoAcls"
      effect    = "Deny"
      actions   = ["s3:PutObject", "s3:PutObjectAcl"]
      resources = ["${local.bucket_arns.input}/*"]

      principals {
        type        = "*"
        identifiers = ["*"]
      }
      # Uploads from other accounts say this one of habit, and where owners are enforced it says nothing.
      condition {
        test     = "StringNotEqualsIfExists"
        variable = "s3:x-amz-acl"
        values   = ["bucket-owner-full-control"]
      }
      condition {
        test     = "Null"
        variable = "s3:x-amz-acl"
        values   = ["false"]
      }
    }
  }

  dynamic "statement" {
    for_each = var.producers

    content {
      sid       = "Producer${substr(sha256(statement.key), 0, 12)}"
      actions   = ["s3:PutObject", "s3:AbortMultipartUpload"]
      resources = ["${local.bucket_arns.input}/${var.input_prefix}${statement.value}*"]

      principals {
        type        = "AWS"
        identifiers = [statement.key]
      }
    }
  }

  # And nowhere else, whatever its own policies say.
  dynamic "statement" {
    for_each = var.producers

    content {
      sid           = "Only${substr(sha256(statement.key), 0, 12)}"
      effect        = "Deny"
      actions       = ["s3:PutObject"]
      not_resources = ["${local.bucket_arns.input}/${var.input_prefix}${statement.value}*"]

      principals {
        type        = "AWS"
        identifiers = [statement.key]
      }
    }
  }
}
