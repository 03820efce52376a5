data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition
  # The attribute that both majors of the provider have: `name` and `region` are one's alone.
  region  = data.aws_region.current.id
  name    = "ndjson-dagster-${var.environment}"
  protect = var.protect == null ? var.environment == "prod" : var.protect

  postgres_port    = 5432
  webserver_port   = 3000
  code_server_port = 4000

  # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-cpu-memory-error.html
  memory_of_cpu = {
    256  = [512, 1024, 2048]
    512  = range(1024, 4097, 1024)
    1024 = range(2048, 8193, 1024)
    2048 = range(4096, 16385, 1024)
    4096 = range(8192, 30721, 1024)
  }

  # What has a task, a role and a security group of its own.
  components = var.one_task ? ["platform"] : ["code-server", "daemon", "webserver"]
  # Which of them serves the UI.
  ui_component = var.one_task ? "platform" : "webserver"
}
