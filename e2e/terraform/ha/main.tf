# Guests that are highly available. What changes is a variable.
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
variable "state" { type = string }
variable "restarts" { type = number }
variable "enabled" { type = bool }
variable "nodes" { type = map(number) }

resource "proxmox_haresource" "machine" {
  resource_id  = "vm:208"
  state        = var.state
  comment      = var.comment
  max_restart  = var.restarts
  max_relocate = 2
}

resource "proxmox_haresource" "container" {
  resource_id = "ct:107"
  state       = "stopped"
  failback    = var.enabled
}

resource "proxmox_harule" "prefer" {
  rule      = "prefer"
  type      = "node-affinity"
  comment   = var.comment
  resources = [proxmox_haresource.machine.resource_id, proxmox_haresource.container.resource_id]
  nodes     = var.nodes
  strict    = var.enabled
}

resource "proxmox_harule" "apart" {
  rule      = "apart"
  type      = "resource-affinity"
  comment   = var.comment
  resources = [proxmox_haresource.machine.resource_id, proxmox_haresource.container.resource_id]
  affinity  = "negative"
  disable   = !var.enabled
}
