import {
  to = proxmox_virtual_environment_pool.zoo
  id = "zoo"
}
import {
  to = proxmox_virtual_environment_pool.cats
  id = "zoo/cats"
}
import {
  to = proxmox_pool_membership.machine
  id = "zoo/vm/211"
}
# The provider does not understand the id of a membership in a nested pool.
import {
  to = proxmox_pool_membership.storage
  id = "zoo/storage/scratch"
}
import {
  to = proxmox_storage_directory.scratch
  id = "scratch"
}
import {
  to = proxmox_storage_nfs.films
  id = "films"
}
import {
  to = proxmox_storage_lvmthin.second
  id = "second"
}
import {
  to = proxmox_storage_zfspool.fast
  id = "fast"
}
import {
  to = proxmox_virtual_environment_group.keepers
  id = "keepers"
}
import {
  to = proxmox_virtual_environment_role.feeder
  id = "Feeder"
}
import {
  to = proxmox_virtual_environment_user.ann
  id = "ann@pve"
}
import {
  to = proxmox_user_token.ci
  id = "ann@pve!ci"
}
import {
  to = proxmox_acl.group
  id = "/pool/zoo?keepers?Feeder"
}
import {
  to = proxmox_acl.user
  id = "/vms/211?ann@pve?PVEVMUser"
}
import {
  to = proxmox_acl.token
  id = "/storage/scratch?ann@pve!ci?PVEDatastoreUser"
}
import {
  to = proxmox_realm_ldap.directory
  id = "example"
}
