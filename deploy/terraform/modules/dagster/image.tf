# The repository of the image, where no other image is named.

locals {
  makes_repository = var.image == null
  image            = local.makes_repository ? "${aws_ecr_repository.image[0].repository_url}:${var.image_tag}" : var.image

  # An image in ECR is pulled with the execution role's rights on its repository; one elsewhere with none.
  foreign_repository = local.makes_repository ? [] : regexall("^([0-9]{12})[.]dkr[.]ecr[.]([a-z0-9-]+)[.][^/]+/([^:@]+)", var.image)
  repository_arns = local.makes_repository ? aws_ecr_repository.image[*].arn : [
    for parts in local.foreign_repository : "arn:${local.partition}:ecr:${parts[1]}:${parts[0]}:repository/${parts[2]}"
  ]
}

resource "aws_ecr_repository" "image" {
  count = local.makes_repository ? 1 : 0

  name                 = local.name
  image_tag_mutability = "IMMUTABLE"
  force_delete         = !local.protect

  image_scanning_configuration {
    scan_on_push = true
  }
  encryption_configuration {
    encryption_type = var.kms_key_arn == null ? "AES256" : "KMS"
    kms_key         = var.kms_key_arn
  }
}

resource "aws_ecr_lifecycle_policy" "image" {
  count = local.makes_repository ? 1 : 0

  repository = aws_ecr_repository.image[0].name
  policy = jsonencode({
    rules = [
      {
        rulePriority = 1
        description  = "What no tag names is left of pushes that went wrong"
        selection    = { tagStatus = "untagged", countType = "sinceImagePushed", countUnit = "days", countNumber = 7 }
        action       = { type = "expire" }
      },
      {
        rulePriority = 2
        description  = "Enough to go back to"
        selection    = { tagStatus = "any", countType = "imageCountMoreThan", countNumber = 30 }
        action       = { type = "expire" }
      },
    ]
  })
}
