# Pools, storages, users and their rights. What changes is a variable.
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

variable "comment" { type = string }
variable "enabled" { type = bool }
variable "propagate" { type = bool }
variable "privileges" { type = list(string) }
variable "contents" { type = list(string) }
variable "blocksize" { type = string }

resource "proxmox_virtual_environment_pool" "zoo" {
  pool_id = "zoo"
  comment = var.comment
}

resource "proxmox_virtual_environment_pool" "cats" {
  pool_id = "${proxmox_virtual_environment_pool.zoo.pool_id}/cats"
  comment = "below another"
}

resource "proxmox_pool_membership" "machine" {
  pool_id = proxmox_virtual_environment_pool.zoo.id
  vm_id   = 211
}

resource "proxmox_pool_membership" "container" {
  pool_id = proxmox_virtual_environment_pool.cats.id
  vm_id   = 901
}

resource "proxmox_pool_membership" "storage" {
  pool_id    = proxmox_virtual_environment_pool.zoo.id
  storage_id = proxmox_storage_directory.scratch.id
}

resource "proxmox_storage_directory" "scratch" {
  id      = "scratch"
  path    = "/srv/scratch"
  shared  = false
  disable = !var.enabled
  content = var.contents
}

resource "proxmox_storage_nfs" "films" {
  id      = "films"
  server  = "192.168.1.20"
  export  = "/volume1/films"
  content = var.contents
  options = "vers=4.2"
}

resource "proxmox_storage_lvmthin" "second" {
  id           = "second"
  volume_group = "pve"
  thin_pool    = "data"
  nodes        = var.enabled ? ["pve1", "pve2"] : ["pve2"]
  content      = ["images", "rootdir"]
}

resource "proxmox_storage_zfspool" "fast" {
  id             = "fast"
  zfs_pool       = "tank"
  nodes          = ["pve1"]
  content        = ["images"]
  thin_provision = true
  blocksize      = var.blocksize
}

resource "proxmox_virtual_environment_group" "keepers" {
  group_id = "keepers"
  comment  = var.comment
}

resource "proxmox_virtual_environment_role" "feeder" {
  role_id    = "Feeder"
  privileges = var.privileges
}

resource "proxmox_virtual_environment_user" "ann" {
  user_id         = "ann@pve"
  comment         = var.comment
  email           = "ann@example.com"
  first_name      = "Ann"
  last_name       = "Öhler"
  enabled         = var.enabled
  expiration_date = "2034-01-01T22:00:00Z"
  groups          = [proxmox_virtual_environment_group.keepers.group_id]
}

resource "proxmox_user_token" "ci" {
  user_id               = proxmox_virtual_environment_user.ann.user_id
  token_name            = "ci"
  comment               = var.comment
  expiration_date       = "2033-01-01T22:00:00Z"
  privileges_separation = var.enabled
}

resource "proxmox_acl" "group" {
  path      = "/pool/${proxmox_virtual_environment_pool.zoo.pool_id}"
  group_id  = proxmox_virtual_environment_group.keepers.group_id
  role_id   = proxmox_virtual_environment_role.feeder.role_id
  propagate = var.propagate
}

resource "proxmox_acl" "user" {
  path    = "/vms/211"
  user_id = proxmox_virtual_environment_user.ann.user_id
  role_id = "PVEVMUser"
}

resource "proxmox_acl" "token" {
  path     = "/storage/${proxmox_storage_directory.scratch.id}"
  token_id = proxmox_user_token.ci.id
  role_id  = "PVEDatastoreUser"
}

resource "proxmox_realm_ldap" "directory" {
  realm                 = "example"
  server1               = "ldap.example.com"
  server2               = var.enabled ? "ldap2.example.com" : null
  port                  = 636
  mode                  = "ldaps"
  base_dn               = "ou=people,dc=example,dc=com"
  user_attr             = "uid"
  comment               = var.comment
  verify                = var.enabled
  default               = false
  filter                = "(objectClass=person)"
  user_classes          = "inetorgperson,posixaccount"
  sync_defaults_options = "scope=users,enable-new=1"
}
