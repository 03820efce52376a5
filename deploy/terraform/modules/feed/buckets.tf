# Five buckets, each for one purpose, so that each role's rights can follow from the bucket.

locals {
  buckets = {
    for purpose, existing in {
      input      = var.existing_buckets.input
      manifest   = var.existing_buckets.manifest
      output     = var.existing_buckets.output
      quarantine = var.existing_buckets.quarantine
      scripts    = var.existing_buckets.scripts
    } : purpose => existing == null ? local.names["${purpose}_bucket"] : existing
  }
  bucket_arns = { for purpose, name in local.buckets : purpose => "arn:${local.partition}:s3:::${name}" }
  # Those that are made here.
  own_buckets = toset([for purpose, name in local.buckets : purpose if var.existing_buckets[purpose] == null])
  # Of the others the objects can be made again, or are never written over.
  versioned_buckets = setintersection(local.own_buckets, ["input", "manifest", "scripts"])
  is_protected      = var.deletion_protection == null ? local.is_prod : var.deletion_protection
}

resource "aws_s3_bucket" "this" {
  for_each = local.own_buckets

  bucket        = local.buckets[each.key]
  force_destroy = !local.is_protected
}

resource "aws_s3_bucket_public_access_block" "this" {
  for_each = local.own_buckets

  bucket                  = aws_s3_bucket.this[each.key].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "this" {
  for_each = local.own_buckets

  bucket = aws_s3_bucket.this[each.key].id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  for_each = local.own_buckets

  bucket = aws_s3_bucket.this[each.key].id

  rule {
    bucket_key_enabled = var.kms_key_arn != null

    apply_server_side_encryption_by_default {
      sse_algorithm     = var.kms_key_arn == null ? "AES256" : "aws:kms"
      kms_master_key_id = var.kms_key_arn
    }
  }
}

resource "aws_s3_bucket_versioning" "this" {
  for_each = local.versioned_buckets

  bucket = aws_s3_bucket.this[each.key].id

  versioning_configuration {
    status = "Enabled"
  }
}

locals {
  # What is deleted after how many days, by bucket and prefix.
  expirations = {
    input = var.input_retention_days == 0 ? {} : {
      input = { prefix = var.input_prefix, days = var.input_retention_days }
    }
    # Manifests stay: they tell what was loaded once the records have expired.
    manifest = {
      reports  = { prefix = "logs/", days = var.report_retention_days }
      messages = { prefix = "pipes/", days = var.report_retention_days }
      # Who made a manifest's output visible last: of use for minutes, and for whoever looks after it.
      markers = { prefix = "schemas/${local.buckets.output}/${local.dataset_folder}commits/", days = var.report_retention_days }
    }
    output = {}
    quarantine = var.quarantine_retention_days == 0 ? {} : {
      all = { prefix = "", days = var.quarantine_retention_days }
    }
    scripts = {}
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "this" {
  for_each = local.own_buckets

  bucket = aws_s3_bucket.this[each.key].id

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
    for_each = contains(local.versioned_buckets, each.key) ? [var.noncurrent_version_days] : []

    content {
      id     = "noncurrent-versions"
      status = "Enabled"

      filter {
        prefix = ""
      }

      noncurrent_version_expiration {
        noncurrent_days = rule.value
      }

      # A delete marker with nothing behind it.
      expiration {
        expired_object_delete_marker = true
      }
    }
  }

  dynamic "rule" {
    for_each = local.expirations[each.key]

    content {
      id     = "expire-${rule.key}"
      status = "Enabled"

      filter {
        prefix = rule.value.prefix
      }

      expiration {
        days = rule.value.days
      }
    }
  }

  # Rules about versions want versions.
  depends_on = [aws_s3_bucket_versioning.this]
}
