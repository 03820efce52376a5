environment = "dev"

# Off: the default of 3.5 MB, give or take a tenth, would quarantine most people's first file.
expected_file_size_mb = 0

# A new account has ten invocations at once in all, and lets none be reserved.
lambda_reserved_concurrency  = -1
sweeper_reserved_concurrency = -1
queue_max_concurrency        = 5

dynamodb_on_demand = true
