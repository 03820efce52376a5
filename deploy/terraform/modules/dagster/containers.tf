# What each container is: one image, another command.

locals {
  code_services = { for key, one in var.code_locations : key => merge(one, {
    service = "code-server-${one.name}"
    host    = var.one_task ? "127.0.0.1" : "${one.name}.${local.namespace}"
    # Containers of one task share its ports.
    port = local.code_server_port + (var.one_task ? index(sort(keys(var.code_locations)), key) : 0)
  }) }
  # A code location is called by its feed's name, as on a laptop.
  code_servers = join(",", [
    for one in local.code_services :
    "${one.name == "ndjson" ? "ndjson_pipeline" : trimprefix(one.name, "ndjson-")}=${one.host}:${one.port}"
  ])

  # The UIs, each by its name; without a load balancer one is there all the same.
  webservers = merge(
    { webserver = { host = var.ui_host, arguments = [] } },
    var.ui_read_only_host == null ? {} : { webserver-read-only = { host = var.ui_read_only_host, arguments = ["--read-only"] } },
  )

  # The one folder that is written: Dagster's settings, and what Python and gRPC want of a /tmp. The image
  # declares it as a VOLUME, by which Fargate gives the empty one its owner
  # (https://docs.aws.amazon.com/AmazonECS/latest/developerguide/bind-mounts.html).
  written_folder = "/tmp"

  base_variables = merge(
    {
      AWS_DEFAULT_REGION          = local.region
      DAGSTER_HOME                = "${local.written_folder}/dagster"
      DAGSTER_POSTGRES_HOST       = aws_db_instance.this.address
      DAGSTER_POSTGRES_PORT       = tostring(local.postgres_port)
      DAGSTER_POSTGRES_DB         = aws_db_instance.this.db_name
      DAGSTER_POSTGRES_SECRET_ARN = local.database_secret_arn
      PGSSLMODE                   = "verify-full"
    },
    var.max_concurrent_runs == null ? {} : { DAGSTER_MAX_CONCURRENT_RUNS = tostring(var.max_concurrent_runs) },
  )
  ui_variables = local.has_ui ? { NDJSON_DAGSTER_URL = "https://${var.ui_host}" } : {}

  # Seconds between two looks: each look of Dagster's own commands is a Python that loads Dagster for seconds.
  look_seconds = 60

  containers = merge(
    {
      daemon = {
        command   = ["daemon"]
        variables = { NDJSON_CODE_SERVERS = local.code_servers }
        port      = null
        # The process ends by itself where one of its threads has; this sees the one that hangs.
        look         = ["CMD", "dagster-daemon", "liveness-check"]
        stop_seconds = 60
      }
    },
    { for name, one in local.webservers : name => {
      command = concat(["webserver"], one.arguments)
      variables = merge(
        { NDJSON_CODE_SERVERS = local.code_servers },
        one.host == null ? {} : { NDJSON_DAGSTER_URL = "https://${one.host}" },
      )
      port = local.webserver_port
      look = [
        "CMD", "python", "-c",
        "import urllib.request; urllib.request.urlopen('http://127.0.0.1:${local.webserver_port}/server_info', timeout=10)",
      ]
      stop_seconds = 30
    } },
    { for one in local.code_services : one.service => {
      command   = ["code-server", "--port", tostring(one.port)]
      variables = merge(one.environment, local.ui_variables)
      port      = one.port
      look      = ["CMD", "dagster", "api", "grpc-health-check", "--port", tostring(one.port)]
      # It hands its runs over before it ends.
      stop_seconds = 120
    } },
  )

  definitions = { for name, one in local.containers : name => {
    name      = name
    image     = local.image
    essential = true
    # The image's own; said, so that one that stands upon it may have another.
    entryPoint = ["python", "-m", "ndjson_pipeline.deployment.services"]
    command    = one.command
    # By name, so that the same variables are the same definition.
    environment  = [for key, value in merge(local.base_variables, one.variables) : { name = key, value = value }]
    portMappings = one.port == null ? [] : [{ containerPort = one.port, hostPort = one.port, protocol = "tcp" }]

    # ECS Exec's agent writes beside the container's files.
    readonlyRootFilesystem = !var.enable_execute_command
    mountPoints            = [{ sourceVolume = name, containerPath = local.written_folder, readOnly = false }]
    # The init process reaps what the runs' processes leave, and passes signals on. Which capabilities ECS Exec's agent
    # needs is not documented (https://github.com/aws/containers-roadmap/issues/1360), so with it they stay.
    linuxParameters = {
      initProcessEnabled = true
      capabilities       = { drop = var.enable_execute_command ? [] : ["ALL"] }
    }
    stopTimeout = one.stop_seconds

    healthCheck = {
      command     = one.look
      interval    = local.look_seconds
      timeout     = 30
      retries     = 3
      startPeriod = 300
    }
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.container[name].name
        awslogs-region        = local.region
        awslogs-stream-prefix = "ecs"
      }
    }
    systemControls = []
    volumesFrom    = []
  } }

  # Which containers each task has, how large it is, and as whom it runs.
  tasks = merge(
    { for name in local.components : name => {
      containers = name == "platform" ? keys(local.containers) : [name]
      size       = name == "platform" ? var.one_task_size : var.daemon_size
      component  = name
    } if contains(["daemon", "platform"], name) },
    { for name, _ in local.webservers : name => {
      containers = [name]
      size       = var.webserver_size
      component  = "webserver"
    } if !var.one_task },
    { for one in local.code_services : one.service => {
      containers = [one.service]
      size       = var.code_server_size
      component  = "code-server"
    } if !var.one_task },
  )
}

resource "aws_cloudwatch_log_group" "container" {
  for_each = local.containers

  name              = "/${local.name}/${each.key}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_ecs_task_definition" "this" {
  for_each = local.tasks

  family                   = "${local.name}-${each.key}"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = each.value.size.cpu
  memory                   = each.value.size.memory
  execution_role_arn       = aws_iam_role.execution.arn
  task_role_arn            = aws_iam_role.task[each.value.component == "code-server" ? each.key : each.value.component].arn
  container_definitions    = jsonencode([for name in each.value.containers : local.definitions[name]])
  # A deployment that fails goes back to the revision before, which must be there.
  skip_destroy = true

  runtime_platform {
    cpu_architecture        = "ARM64"
    operating_system_family = "LINUX"
  }
  # Containers of one task that wrote into one folder would write over each other's settings.
  dynamic "volume" {
    for_each = each.value.containers

    content {
      name = volume.value
    }
  }
}
