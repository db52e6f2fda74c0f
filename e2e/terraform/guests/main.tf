# A machine, a container and their pool, as the test of the provider makes, changes and destroys them. What changes is a variable.
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

variable "started" { type = bool }

variable "vm" {
  type = object({
    name        = string
    description = string
    tags        = list(string)
    cores       = number
    memory      = number
    disk        = number
    bridge_vlan = number
    address     = string
    extra_disk  = bool
  })
}

variable "ct" {
  type = object({
    hostname    = string
    description = string
    tags        = list(string)
    cores       = number
    memory      = number
    swap        = number
    disk        = number
    mount       = string
  })
}

resource "proxmox_virtual_environment_pool" "zoo" {
  pool_id = "zoo"
  comment = "made by Terraform"
}

resource "proxmox_virtual_environment_vm" "web" {
  vm_id           = 5000
  node_name       = "pve1"
  name            = var.vm.name
  description     = var.vm.description
  tags            = var.vm.tags
  started         = var.started
  on_boot         = false
  stop_on_destroy = true
  scsi_hardware   = "virtio-scsi-single"
  boot_order      = ["scsi0"]
  pool_id         = proxmox_virtual_environment_pool.zoo.pool_id

  agent {
    enabled = false
  }
  cpu {
    cores = var.vm.cores
    type  = "x86-64-v2-AES"
  }
  memory {
    dedicated = var.vm.memory
  }
  operating_system {
    type = "l26"
  }
  serial_device {}

  disk {
    interface    = "scsi0"
    datastore_id = "local-lvm"
    size         = var.vm.disk
    discard      = "on"
    iothread     = true
    ssd          = true
  }
  disk {
    interface    = "scsi1"
    datastore_id = "tank"
    size         = 4
    backup       = false
  }
  dynamic "disk" {
    for_each = var.vm.extra_disk ? [1] : []
    content {
      interface    = "virtio0"
      datastore_id = "local-lvm"
      size         = 2
    }
  }

  network_device {
    bridge   = "vmbr0"
    firewall = true
    vlan_id  = var.vm.bridge_vlan
  }

  initialization {
    datastore_id = "local-lvm"
    dns {
      domain  = "home.lan"
      servers = ["192.168.1.1", "192.168.1.2"]
    }
    ip_config {
      ipv4 {
        address = var.vm.address
        gateway = "192.168.1.1"
      }
    }
    user_account {
      username = "admin"
      keys     = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE0yMPz17yb0PGnRKQyqux4PEWmy5zFeZnqoavyCRPy7 test@example.com"]
      password = "not a secret"
    }
  }
}

resource "proxmox_virtual_environment_container" "db" {
  vm_id         = 5001
  node_name     = "pve1"
  description   = var.ct.description
  tags          = var.ct.tags
  started       = var.started
  start_on_boot = false
  unprivileged  = true

  cpu {
    cores = var.ct.cores
  }
  memory {
    dedicated = var.ct.memory
    swap      = var.ct.swap
  }
  disk {
    datastore_id = "local-lvm"
    size         = var.ct.disk
  }
  mount_point {
    volume = "local-lvm"
    path   = "/srv"
    size   = var.ct.mount
    backup = true
  }
  features {
    nesting = true
  }
  network_interface {
    name     = "eth0"
    bridge   = "vmbr0"
    firewall = true
  }
  initialization {
    hostname = var.ct.hostname
    ip_config {
      ipv4 {
        address = "192.168.1.71/24"
        gateway = "192.168.1.1"
      }
    }
    user_account {
      password = "not a secret"
    }
  }
  operating_system {
    template_file_id = "local:vztmpl/debian-13-standard_13.1-2_amd64.tar.zst"
    type             = "debian"
  }
}

resource "proxmox_pool_membership" "db" {
  pool_id = proxmox_virtual_environment_pool.zoo.pool_id
  vm_id   = proxmox_virtual_environment_container.db.vm_id

  # A container that is made anew has lost its pool.
  lifecycle {
    replace_triggered_by = [proxmox_virtual_environment_container.db.id]
  }
}
