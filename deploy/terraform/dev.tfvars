environment = "dev"

# Off: the default of 3.5 MB, give or take a tenth, would quarantine most people's first file.
expected_file_size_mb = 0

# A new account has ten invocations at once in all, and lets none be reserved.
lambda_reserved_concurrency  = -1
sweeper_reserved_concurrency = -1
queue_max_concurrency        = 5

dynamodb_on_demand = true

# The smoke test's twelve files of 100 KB are one batch.
max_files_per_manifest = 12

# Webserver, daemon and code servers in one task, endpoints in one zone; the UI is reached by ECS Exec, without a load
# balancer. docs/cost.md has the price.
dagster = {
  one_task               = true
  endpoint_zones         = 1
  enable_execute_command = true
}
