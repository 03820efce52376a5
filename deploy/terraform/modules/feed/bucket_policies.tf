# Every bucket by TLS alone. The input bucket besides refuses what the pipeline could not read, and gives each
# producer its folder.

locals {
  input_objects = "${local.bucket_arns.input}/*"

  tls_only = {
    for purpose, arn in local.bucket_arns : purpose => [{
      Sid       = "DenyPlainHttp"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = [arn, "${arn}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  }

  # https://docs.aws.amazon.com/AmazonS3/latest/userguide/ServerSideEncryptionCustomerKeys.html
  denies_customer_keys = [for _ in range(var.input_rules.deny_customer_keys ? 1 : 0) : {
    Sid       = "DenyCustomerKeys"
    Effect    = "Deny"
    Principal = "*"
    Action    = "s3:PutObject"
    Resource  = local.input_objects
    Condition = { Null = { "s3:x-amz-server-side-encryption-customer-algorithm" = "false" } }
  }]

  # A negated comparison holds where the header is absent, too, so its presence is asked for besides.
  denies_foreign_keys = [for _ in range(var.input_rules.deny_foreign_keys ? 1 : 0) : {
    Sid       = "DenyForeignKeys"
    Effect    = "Deny"
    Principal = "*"
    Action    = "s3:PutObject"
    Resource  = local.input_objects
    Condition = merge(
      { Null = { "s3:x-amz-server-side-encryption-aws-kms-key-id" = "false" } },
      var.kms_key_arn == null ? {} : {
        StringNotEquals = { "s3:x-amz-server-side-encryption-aws-kms-key-id" = var.kms_key_arn }
      },
    )
  }]

  # Objects of these classes have to be restored before they can be read; Glacier Instant Retrieval's have not.
  denies_cold_storage = [for _ in range(var.input_rules.deny_cold_storage ? 1 : 0) : {
    Sid       = "DenyColdStorage"
    Effect    = "Deny"
    Principal = "*"
    Action    = "s3:PutObject"
    Resource  = local.input_objects
    Condition = { StringEquals = { "s3:x-amz-storage-class" = ["GLACIER", "DEEP_ARCHIVE"] } }
  }]

  # bucket-owner-full-control says what is so anyway, and many tools send it.
  denies_acls = flatten([for _ in range(var.input_rules.deny_acls ? 1 : 0) : [
    {
      Sid       = "DenyAclsOfObjects"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:PutObject"
      Resource  = local.input_objects
      Condition = {
        Null            = { "s3:x-amz-acl" = "false" }
        StringNotEquals = { "s3:x-amz-acl" = "bucket-owner-full-control" }
      }
    },
    {
      Sid       = "DenyAclsLater"
      Effect    = "Deny"
      Principal = "*"
      Action    = ["s3:PutObjectAcl", "s3:PutObjectVersionAcl"]
      Resource  = local.input_objects
    },
  ]])

  producer_folders = { for principal, folder in var.producers : principal => "${local.bucket_arns.input}/${var.input_prefix}${folder}*" }

  allows_producers = [for principal in sort(keys(var.producers)) : {
    Sid       = "AllowProducer${index(sort(keys(var.producers)), principal)}"
    Effect    = "Allow"
    Principal = { AWS = principal }
    Action    = ["s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"]
    Resource  = local.producer_folders[principal]
  }]

  # Its own account may allow a producer more than this bucket does.
  bounds_producers = [for principal in sort(keys(var.producers)) : {
    Sid         = "BoundProducer${index(sort(keys(var.producers)), principal)}"
    Effect      = "Deny"
    Principal   = { AWS = principal }
    Action      = ["s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion"]
    NotResource = local.producer_folders[principal]
  }]

  input_statements = concat(
    local.denies_customer_keys,
    local.denies_foreign_keys,
    local.denies_cold_storage,
    local.denies_acls,
    local.allows_producers,
    local.bounds_producers,
  )

  bucket_policies = {
    for purpose, statements in local.tls_only :
    purpose => concat(statements, [for one in local.input_statements : one if purpose == "input"])
  }
}

resource "aws_s3_bucket_policy" "this" {
  for_each = local.own_buckets

  bucket = aws_s3_bucket.this[each.key].id
  policy = jsonencode({ Version = "2012-10-17", Statement = local.bucket_policies[each.key] })

  # AWS refuses two changes of a bucket's access at the same time.
  depends_on = [aws_s3_bucket_public_access_block.this, aws_s3_bucket_ownership_controls.this]
}
