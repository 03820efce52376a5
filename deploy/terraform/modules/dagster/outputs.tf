output "cluster_name" {
  description = "The ECS cluster."
  value       = aws_ecs_cluster.this.name
}

output "service_names" {
  description = "The services in it."
  value       = sort(keys(local.tasks))
}

output "image" {
  description = "The image that they run."
  value       = local.image
}

output "repository_url" {
  description = "Where images are pushed; null where the image comes from elsewhere."
  value       = local.makes_repository ? aws_ecr_repository.image[0].repository_url : null
}

output "ui_url" {
  description = "Where people reach the UI; null without a load balancer."
  value       = local.has_ui ? "https://${var.ui_host}" : null
}

output "read_only_ui_url" {
  description = "Where viewers reach theirs; null where there is none."
  value       = var.ui_read_only_host == null ? null : "https://${var.ui_read_only_host}"
}

output "load_balancer" {
  description = "What the UI's name is pointed at: an alias record's name and zone; null without a load balancer."
  value       = local.has_ui ? { dns_name = aws_lb.this[0].dns_name, zone_id = aws_lb.this[0].zone_id } : null
}

output "vpc_id" {
  description = "The network, for a peering or a VPN by which people reach the UI."
  value       = local.vpc_id
}

output "route_table_ids" {
  description = "The route tables of the module's own network, which lead back to those people; empty in an existing one."
  value       = aws_route_table.private[*].id
}

output "database_identifier" {
  description = "The database, as RDS calls it."
  value       = aws_db_instance.this.identifier
}

output "database_secret_arn" {
  description = "The secret that RDS keeps the database's password in."
  value       = local.database_secret_arn
}

output "code_location_role_arns" {
  description = "Each feed's role, by its key; the one task's role for all where there is one."
  value       = { for key, one in local.code_services : key => aws_iam_role.task[var.one_task ? "platform" : one.service].arn }
}
