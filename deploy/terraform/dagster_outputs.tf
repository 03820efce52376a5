output "dagster" {
  description = "The shared Dagster: its cluster, services, image, UI and network; null where it is not deployed."
  value = var.deploy_dagster ? {
    cluster_name        = module.dagster[0].cluster_name
    service_names       = module.dagster[0].service_names
    image               = module.dagster[0].image
    repository_url      = module.dagster[0].repository_url
    ui_url              = module.dagster[0].ui_url
    read_only_ui_url    = module.dagster[0].read_only_ui_url
    load_balancer       = module.dagster[0].load_balancer
    vpc_id              = module.dagster[0].vpc_id
    route_table_ids     = module.dagster[0].route_table_ids
    database_identifier = module.dagster[0].database_identifier
    database_secret_arn = module.dagster[0].database_secret_arn
  } : null
}

output "code_locations" {
  description = "What a Dagster of yours needs of each feed: the location's name, the module with its defs, the command of its code server in the project's image, its variables, and the policy of its role."
  value = { for key, feed in module.feed : key => {
    name        = key == "" ? "ndjson_pipeline" : key
    module      = "ndjson_pipeline.definitions"
    command     = ["python", "-m", "ndjson_pipeline.code_server", "--host", "0.0.0.0", "--port", "4000", "-m", "ndjson_pipeline.definitions", "-a", "defs"]
    image       = var.deploy_dagster ? module.dagster[0].image : var.dagster_image
    environment = feed.code_location.environment
    policy_json = feed.code_location.policy_json
  } }
}
