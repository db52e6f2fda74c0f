# Software defined networks. What changes is a variable.
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

variable "alias" { type = string }
variable "mtu" { type = number }
variable "tag" { type = number }
variable "gateway" { type = string }
variable "isolate" { type = bool }
variable "nodes" { type = list(string) }

resource "proxmox_sdn_zone_vlan" "tagged" {
  id         = "tagged"
  bridge     = "vmbr0"
  mtu        = var.mtu
  nodes      = var.nodes
  depends_on = [proxmox_sdn_applier.last]
}

resource "proxmox_sdn_zone_simple" "inner" {
  id         = "inner"
  ipam       = "pve"
  dhcp       = "dnsmasq"
  depends_on = [proxmox_sdn_applier.last]
}

resource "proxmox_sdn_vnet" "office" {
  id            = "office"
  zone          = proxmox_sdn_zone_vlan.tagged.id
  tag           = var.tag
  alias         = var.alias
  isolate_ports = var.isolate
  vlan_aware    = false
  depends_on    = [proxmox_sdn_applier.last]
}

resource "proxmox_sdn_vnet" "lab" {
  id         = "lab"
  zone       = proxmox_sdn_zone_simple.inner.id
  depends_on = [proxmox_sdn_applier.last]
}

resource "proxmox_sdn_subnet" "lab" {
  vnet            = proxmox_sdn_vnet.lab.id
  cidr            = "10.50.0.0/24"
  gateway         = var.gateway
  snat            = true
  dhcp_dns_server = "10.50.0.53"
  dns_zone_prefix = "lab"
  dhcp_range = {
    start_address = "10.50.0.100"
    end_address   = "10.50.0.200"
  }
  depends_on = [proxmox_sdn_applier.last]
}

resource "proxmox_sdn_subnet" "plain" {
  vnet       = proxmox_sdn_vnet.lab.id
  cidr       = "fd50::/64"
  depends_on = [proxmox_sdn_applier.last]
}

# The first applies what is made and changed, the last what is destroyed.
resource "proxmox_sdn_applier" "first" {
  on_destroy = false

  lifecycle {
    replace_triggered_by = [proxmox_sdn_zone_vlan.tagged, proxmox_sdn_vnet.office, proxmox_sdn_subnet.lab]
  }
  depends_on = [proxmox_sdn_zone_vlan.tagged, proxmox_sdn_vnet.office, proxmox_sdn_subnet.lab, proxmox_sdn_subnet.plain]
}

resource "proxmox_sdn_applier" "last" {
  on_create = false
}
