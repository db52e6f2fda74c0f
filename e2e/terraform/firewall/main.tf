# The firewall of the cluster, of a node and of guests. What changes is a variable.
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
variable "input_policy" { type = string }
variable "network" { type = string }
variable "members" { type = list(string) }
variable "ports" { type = list(string) }

resource "proxmox_virtual_environment_cluster_firewall" "all" {
  enabled        = var.enabled
  ebtables       = var.enabled
  input_policy   = var.input_policy
  output_policy  = "ACCEPT"
  forward_policy = "ACCEPT"

  log_ratelimit {
    enabled = var.enabled
    burst   = 10
    rate    = "5/second"
  }
}

resource "proxmox_virtual_environment_firewall_alias" "lan" {
  name    = "lan"
  cidr    = var.network
  comment = var.comment
}

resource "proxmox_virtual_environment_firewall_alias" "own" {
  node_name = "pve1"
  vm_id     = 208
  name      = "own"
  cidr      = "192.168.1.208"
}

resource "proxmox_virtual_environment_firewall_ipset" "admins" {
  name    = "admins"
  comment = var.comment

  dynamic "cidr" {
    for_each = var.members
    content {
      name    = cidr.value
      comment = "member"
    }
  }
  cidr {
    name    = "10.8.0.66"
    nomatch = true
  }
}

resource "proxmox_virtual_environment_firewall_ipset" "container" {
  node_name    = "pve2"
  container_id = 107
  name         = "blocked"
  comment      = var.comment

  cidr {
    name = "203.0.113.0/24"
  }
}

resource "proxmox_virtual_environment_cluster_firewall_security_group" "web" {
  name    = "webserver"
  comment = var.comment

  dynamic "rule" {
    for_each = var.ports
    content {
      type    = "in"
      action  = "ACCEPT"
      comment = "port ${rule.value}"
      dport   = rule.value
      proto   = "tcp"
      log     = "info"
    }
  }
}

resource "proxmox_virtual_environment_firewall_rules" "cluster" {
  rule {
    type    = "in"
    action  = "ACCEPT"
    comment = var.comment
    macro   = "SSH"
    source  = "+dc/${proxmox_virtual_environment_firewall_ipset.admins.name}"
  }
  rule {
    type    = "in"
    action  = "DROP"
    enabled = var.enabled
    source  = "dc/${proxmox_virtual_environment_firewall_alias.lan.name}"
    dport   = "1:1023"
    proto   = "udp"
    log     = "warning"
  }
}

resource "proxmox_virtual_environment_firewall_rules" "node" {
  node_name = "pve2"

  rule {
    type    = "in"
    action  = "ACCEPT"
    comment = var.comment
    dport   = "8006"
    proto   = "tcp"
    iface   = "vmbr0"
  }
}

resource "proxmox_virtual_environment_firewall_rules" "machine" {
  node_name = "pve1"
  vm_id     = 208

  rule {
    security_group = proxmox_virtual_environment_cluster_firewall_security_group.web.name
    comment        = "from a group"
    iface          = "net0"
  }
  rule {
    type    = "out"
    action  = "REJECT"
    comment = var.comment
    dest    = "192.168.1.1"
    proto   = "icmp"
    enabled = false
  }
  rule {
    type   = "in"
    action = "ACCEPT"
    source = "guest/${proxmox_virtual_environment_firewall_alias.own.name}"
    dport  = join(",", var.ports)
    proto  = "tcp"
  }
}

resource "proxmox_virtual_environment_firewall_options" "machine" {
  node_name     = "pve1"
  vm_id         = 208
  enabled       = var.enabled
  dhcp          = true
  ipfilter      = true
  log_level_in  = "info"
  log_level_out = "nolog"
  macfilter     = false
  ndp           = true
  input_policy  = var.input_policy
  output_policy = "ACCEPT"
  radv          = false
}

resource "proxmox_virtual_environment_firewall_options" "container" {
  node_name     = "pve2"
  container_id  = 107
  enabled       = true
  dhcp          = false
  log_level_in  = "nolog"
  log_level_out = "nolog"
  macfilter     = true
  ndp           = false
  input_policy  = "DROP"
  output_policy = "ACCEPT"
  radv          = var.enabled
}

resource "proxmox_node_firewall" "first" {
  node_name    = "pve1"
  enabled      = var.enabled
  log_level_in = "info"
}
