environment = "dev"

# Files of any size are taken. The default expects 3.5 MB, give or take a tenth, and refuses most people's first file.
expected_file_size_mb = 0

# What no file will fill is cut after a minute, so that a first file is seen soon.
max_batch_age_seconds = 60

# A small table. It scales no further than a trial needs.
dynamodb_on_demand = true

# A new account has ten concurrent invocations in all, and lets none be reserved.
lambda_reserved_concurrency = -1

# Removed soon, and together with what lies in it.
protect         = false
input_days      = 7
quarantine_days = 14

# Webserver, daemon and code servers in one task, endpoints in one zone; the UI is reached by ECS Exec, without a load
# balancer. docs/cost.md has the price.
dagster = {
  one_task               = true
  endpoint_zones         = 1
  enable_execute_command = true
}
