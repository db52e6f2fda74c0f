# Networks, names and clocks of nodes, options of the datacenter, mappings, backup jobs. What changes is a variable.
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
variable "address" { type = string }
variable "servers" { type = list(string) }
variable "time_zone" { type = string }
variable "workers" { type = number }
variable "usb" { type = string }
variable "schedule" { type = string }
variable "guests" { type = list(string) }

resource "proxmox_network_linux_vlan" "thirty" {
  node_name = "pve1"
  name      = "enp1s0.30"
  comment   = var.comment
}

resource "proxmox_network_linux_vlan" "named" {
  node_name = "pve2"
  name      = "vlan_lab"
  interface = "enp1s0"
  vlan      = 40
  mtu       = 1400
}

resource "proxmox_network_linux_bridge" "inner" {
  node_name  = "pve1"
  name       = "vmbr7"
  address    = var.address
  comment    = var.comment
  autostart  = var.enabled
  ports      = [proxmox_network_linux_vlan.thirty.name]
  vlan_aware = true
  vids       = "2-100"
  mtu        = 1500
}

resource "proxmox_network_linux_bridge" "lone" {
  node_name = "pve2"
  name      = "vmbr8"
  address6  = "fd00:8::1/64"
}

resource "proxmox_virtual_environment_dns" "first" {
  node_name = "pve1"
  domain    = "home.lan"
  servers   = var.servers
}

resource "proxmox_virtual_environment_time" "second" {
  node_name = "pve2"
  time_zone = var.time_zone
}

resource "proxmox_virtual_environment_hosts" "second" {
  node_name = "pve2"

  entry {
    address   = "127.0.0.1"
    hostnames = ["localhost"]
  }
  entry {
    address   = "192.168.1.12"
    hostnames = ["pve2.home.lan", "pve2"]
  }
  entry {
    address   = "192.168.1.20"
    hostnames = var.enabled ? ["nas"] : ["nas", "nas.home.lan"]
  }
}

resource "proxmox_node_config" "third" {
  node_name   = "pve3"
  description = "${var.comment}\nsecond line"
}

resource "proxmox_cluster_options" "all" {
  language                  = "en"
  keyboard                  = "de"
  email_from                = "pve@example.com"
  bandwidth_limit_migration = 555555
  bandwidth_limit_default   = 666666
  max_workers               = var.workers
  migration_cidr            = "192.168.1.0/24"
  migration_type            = var.enabled ? "secure" : "insecure"
  description               = "${var.comment}\n"
  crs_ha                    = "static"
  ha_shutdown_policy        = "migrate"
  next_id = {
    lower = 1000
    upper = 9999
  }
  notify = {
    package_updates = "always"
  }
}

resource "proxmox_hardware_mapping_usb" "stick" {
  name    = "stick"
  comment = var.comment
  map = [
    { node = "pve1", id = var.usb, comment = "Zigbee" },
    { node = "pve2", id = var.usb, path = "1-8.2" },
  ]
}

resource "proxmox_hardware_mapping_pci" "card" {
  name             = "card"
  mediated_devices = var.enabled
  map = [{
    node         = "pve1"
    id           = "8086:5916"
    path         = "0000:00:02.0"
    iommu_group  = 0
    subsystem_id = "8086:2068"
  }]
}

resource "proxmox_hardware_mapping_dir" "share" {
  name    = "share"
  comment = var.comment
  map = [
    { node = "pve1", path = "/srv" },
    { node = "pve2", path = "/srv" },
  ]
}

resource "proxmox_metrics_server" "influx" {
  name                = "metrics2"
  type                = "influxdb"
  server              = "192.168.1.33"
  port                = 8086
  disable             = !var.enabled
  influx_db_proto     = "https"
  influx_organization = "home"
  influx_bucket       = "pve"
  influx_verify       = false
}

resource "proxmox_metrics_server" "graphite" {
  name           = "graphite"
  type           = "graphite"
  server         = "192.168.1.34"
  port           = 2003
  graphite_path  = var.enabled ? "homelab" : "homelab.pve"
  graphite_proto = "tcp"
  timeout        = 3
}

resource "proxmox_backup_job" "all" {
  id             = "nightly-all"
  schedule       = var.schedule
  storage        = "nas-backup"
  all            = true
  exclude        = var.guests
  mode           = "snapshot"
  compress       = "zstd"
  enabled        = var.enabled
  notes_template = "{{guestname}}"
  prune_backups = {
    keep-last   = "3"
    keep-weekly = "2"
  }
}

resource "proxmox_backup_job" "some" {
  id             = "some"
  schedule       = "sun 04:00"
  storage        = "nas-backup"
  vmid           = var.guests
  node           = "pve1"
  mode           = "stop"
  mailto         = ["ann@example.com", "ops@example.com"]
  notes_template = "{{vmid}}"
  repeat_missed  = true
  fleecing = {
    enabled = true
    storage = "local-lvm"
  }
}
