locals {
  dagster_url = var.dagster_url
}
