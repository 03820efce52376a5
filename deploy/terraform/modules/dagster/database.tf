# PostgreSQL, which daemon, UI, code servers and the runs' processes share. RDS makes its password, keeps it in a
# secret and changes it every seven days; the processes read the secret themselves, again where they are refused.

locals {
  postgres_major = split(".", var.database.engine_version)[0]
}

resource "aws_db_subnet_group" "this" {
  name       = local.name
  subnet_ids = local.subnet_ids
}

resource "aws_db_parameter_group" "this" {
  name_prefix = "${local.name}-${local.postgres_major}-"
  family      = "postgres${local.postgres_major}"

  # The default since 15; said, because the processes' `verify-full` guards one side alone.
  parameter {
    name  = "rds.force_ssl"
    value = "1"
  }
  # What takes longer than a second is told in the log: a UI that is slow has its reason here.
  parameter {
    name  = "log_min_duration_statement"
    value = "1000"
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_cloudwatch_log_group" "database" {
  # RDS writes into groups of these names, and makes them for ever where they are not there.
  for_each = toset(["postgresql", "upgrade"])

  name              = "/aws/rds/instance/${local.name}/${each.key}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_db_instance" "this" {
  identifier = local.name
  db_name    = "dagster"

  engine                     = "postgres"
  engine_version             = var.database.engine_version
  instance_class             = var.database.instance_class
  auto_minor_version_upgrade = true
  # Only another engine_version asks for one.
  allow_major_version_upgrade = true
  parameter_group_name        = aws_db_parameter_group.this.name
  ca_cert_identifier          = "rds-ca-rsa2048-g1"

  username                      = "dagster"
  manage_master_user_password   = true
  master_user_secret_kms_key_id = var.kms_key_arn

  storage_type          = "gp3"
  allocated_storage     = var.database.storage_gb
  max_allocated_storage = var.database.max_storage_gb
  storage_encrypted     = true
  kms_key_id            = var.kms_key_arn

  db_subnet_group_name   = aws_db_subnet_group.this.name
  vpc_security_group_ids = [aws_security_group.database.id]
  port                   = local.postgres_port
  publicly_accessible    = false
  multi_az               = var.database.multi_az == null ? local.protect : var.database.multi_az

  backup_retention_period   = var.database.backup_days
  copy_tags_to_snapshot     = true
  delete_automated_backups  = !local.protect
  deletion_protection       = local.protect
  skip_final_snapshot       = !local.protect
  final_snapshot_identifier = local.protect ? "${local.name}-final" : null

  enabled_cloudwatch_logs_exports = ["postgresql", "upgrade"]

  depends_on = [aws_cloudwatch_log_group.database]
}

locals {
  database_secret_arn = aws_db_instance.this.master_user_secret[0].secret_arn
}
