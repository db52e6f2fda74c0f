# Clones of templates, a machine with UEFI and TPM whose disk moves to another storage, and a user with rights: what changes is a
# variable.
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

variable "store" { type = string }
variable "cores" { type = number }
variable "disk" { type = number }
variable "comment" { type = string }
variable "role" { type = string }

resource "proxmox_virtual_environment_vm" "full" {
  vm_id       = 5000
  node_name   = "pve1"
  name        = "full"
  description = var.comment
  started     = false
  on_boot     = false

  clone {
    vm_id = 900
    full  = true
  }
  agent {
    enabled = true
  }
  cpu {
    cores = var.cores
    type  = "x86-64-v2-AES"
  }
  memory {
    dedicated = 2048
  }
  disk {
    interface    = "scsi0"
    datastore_id = "local-lvm"
    size         = var.disk
    discard      = "on"
    ssd          = true
  }
  initialization {
    datastore_id = "local-lvm"
    interface    = "ide2"
    ip_config {
      ipv4 {
        address = "dhcp"
      }
    }
    user_account {
      username = "admin"
    }
  }
}

resource "proxmox_virtual_environment_vm" "linked" {
  vm_id     = 5002
  node_name = "pve1"
  name      = "linked"
  started   = false
  on_boot   = false

  clone {
    vm_id = 900
    full  = false
  }
  memory {
    dedicated = 1024
  }
}

resource "proxmox_virtual_environment_vm" "uefi" {
  vm_id         = 5003
  node_name     = "pve1"
  name          = "uefi"
  started       = false
  on_boot       = false
  bios          = "ovmf"
  machine       = "q35"
  scsi_hardware = "virtio-scsi-single"

  efi_disk {
    datastore_id      = "local-lvm"
    type              = "4m"
    pre_enrolled_keys = true
  }
  tpm_state {
    datastore_id = "local-lvm"
    version      = "v2.0"
  }
  cpu {
    cores = var.cores
    type  = "host"
  }
  disk {
    interface    = "scsi0"
    datastore_id = var.store
    size         = 4
  }
  cdrom {
    interface = "ide3"
    file_id   = "local:iso/debian-13.1.0-amd64-netinst.iso"
  }
  network_device {
    bridge = "vmbr0"
    model  = "e1000"
  }
  startup {
    order    = 3
    up_delay = 10
  }
}

resource "proxmox_virtual_environment_container" "copy" {
  vm_id         = 5001
  node_name     = "pve2"
  description   = var.comment
  started       = false
  start_on_boot = false
  unprivileged  = true

  clone {
    vm_id = 901
  }
  initialization {
    hostname = "copy"
  }
}

resource "proxmox_virtual_environment_role" "starter" {
  role_id    = "Starter"
  privileges = ["VM.Audit", "VM.PowerMgmt"]
}

resource "proxmox_virtual_environment_group" "ops" {
  group_id = "ops"
  comment  = var.comment
}

resource "proxmox_virtual_environment_user" "kim" {
  user_id  = "kim@pve"
  comment  = var.comment
  password = "a long password"
  groups   = [proxmox_virtual_environment_group.ops.group_id]
}

resource "proxmox_acl" "vms" {
  path      = "/vms"
  role_id   = var.role
  group_id  = proxmox_virtual_environment_group.ops.group_id
  propagate = true

  depends_on = [proxmox_virtual_environment_role.starter]
}

resource "proxmox_user_token" "cli" {
  user_id    = proxmox_virtual_environment_user.kim.user_id
  token_name = "cli"
  comment    = var.comment
}
