# What the provider's data sources tell of a cluster of three nodes.
terraform {
  required_providers {
    proxmox = {
      source  = "bpg/proxmox"
      version = "0.112.0"
    }
  }
}

# Address and credentials come from the environment.
provider "proxmox" {}

data "proxmox_version" "it" {}
data "proxmox_virtual_environment_nodes" "all" {}
data "proxmox_virtual_environment_vms" "all" {}
data "proxmox_virtual_environment_containers" "all" {}
data "proxmox_virtual_environment_pools" "all" {}
data "proxmox_virtual_environment_users" "all" {}
data "proxmox_virtual_environment_roles" "all" {}
data "proxmox_virtual_environment_groups" "all" {}
data "proxmox_backup_jobs" "all" {}
data "proxmox_haresources" "all" {}
data "proxmox_replications" "all" {}
data "proxmox_sdn_zones" "all" {}
data "proxmox_sdn_vnets" "all" {}
data "proxmox_acme_plugins" "all" {}

data "proxmox_hardware_mappings" "all" {
  for_each   = toset(["dir", "pci", "usb"])
  type       = each.key
  check_node = "pve2"
}

data "proxmox_virtual_environment_pool" "all" {
  for_each = toset(data.proxmox_virtual_environment_pools.all.pool_ids)
  pool_id  = each.key
}

data "proxmox_virtual_environment_node" "each" {
  for_each  = toset(data.proxmox_virtual_environment_nodes.all.names)
  node_name = each.key
}

data "proxmox_virtual_environment_dns" "each" {
  for_each  = toset(data.proxmox_virtual_environment_nodes.all.names)
  node_name = each.key
}

data "proxmox_virtual_environment_hosts" "each" {
  for_each  = toset(data.proxmox_virtual_environment_nodes.all.names)
  node_name = each.key
}

data "proxmox_virtual_environment_time" "each" {
  for_each  = toset(data.proxmox_virtual_environment_nodes.all.names)
  node_name = each.key
}

data "proxmox_node_config" "each" {
  for_each  = toset(data.proxmox_virtual_environment_nodes.all.names)
  node_name = each.key
}

data "proxmox_datastores" "each" {
  for_each  = toset(data.proxmox_virtual_environment_nodes.all.names)
  node_name = each.key
}

data "proxmox_files" "each" {
  for_each     = toset(data.proxmox_virtual_environment_nodes.all.names)
  node_name    = each.key
  datastore_id = "local"
}

output "release" {
  value = data.proxmox_version.it.release
}

output "nodes" {
  value = { for name, node in data.proxmox_virtual_environment_node.each : name => {
    cpus       = node.cpu_count
    memory     = node.memory_total
    domain     = data.proxmox_virtual_environment_dns.each[name].domain
    time_zone  = data.proxmox_virtual_environment_time.each[name].time_zone
    hostnames  = flatten(data.proxmox_virtual_environment_hosts.each[name].hostnames)
    datastores = sort([for store in data.proxmox_datastores.each[name].datastores : store.id])
    files      = sort([for file in data.proxmox_files.each[name].files : file.id])
  } }
}

output "guests" {
  value = { for guest in concat(data.proxmox_virtual_environment_vms.all.vms, data.proxmox_virtual_environment_containers.all.containers) :
  guest.vm_id => "${guest.name} ${guest.node_name} ${guest.status} ${join(";", guest.tags)}" }
}

output "pools" {
  value = { for id, pool in data.proxmox_virtual_environment_pool.all : id => sort([for member in pool.members : member.id]) }
}

output "names" {
  value = {
    users = sort(data.proxmox_virtual_environment_users.all.user_ids)
    jobs  = sort([for job in data.proxmox_backup_jobs.all.jobs : job.id])
    ha    = sort(data.proxmox_haresources.all.resource_ids)
  }
}
