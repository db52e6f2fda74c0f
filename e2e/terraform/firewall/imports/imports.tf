# The provider imports no aliases, and the options of a node only where all of them are set.
import {
  to = proxmox_virtual_environment_cluster_firewall.all
  id = "cluster"
}
import {
  to = proxmox_virtual_environment_firewall_ipset.admins
  id = "cluster/admins"
}
import {
  to = proxmox_virtual_environment_firewall_ipset.container
  id = "container/pve2/107/blocked"
}
import {
  to = proxmox_virtual_environment_cluster_firewall_security_group.web
  id = "webserver"
}
import {
  to = proxmox_virtual_environment_firewall_rules.cluster
  id = "cluster"
}
import {
  to = proxmox_virtual_environment_firewall_rules.node
  id = "node/pve2"
}
import {
  to = proxmox_virtual_environment_firewall_rules.machine
  id = "vm/pve1/208"
}
import {
  to = proxmox_virtual_environment_firewall_options.machine
  id = "vm/pve1/208"
}
import {
  to = proxmox_virtual_environment_firewall_options.container
  id = "container/pve2/107"
}
