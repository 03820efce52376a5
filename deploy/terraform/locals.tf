locals {
  # Where alerts lead to: the UI that is deployed here has its name before it is there.
  deployed_url = var.deploy_dagster && var.dagster.ui_host != null ? "https://${var.dagster.ui_host}" : null
  dagster_url  = var.dagster_url != null ? var.dagster_url : local.deployed_url

  # As make package writes it.
  glue_files = jsondecode(file("${var.build_folder}/glue/job.json"))
}
