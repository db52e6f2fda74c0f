import {
  to = proxmox_network_linux_vlan.thirty
  id = "pve1:enp1s0.30"
}
import {
  to = proxmox_network_linux_vlan.named
  id = "pve2:vlan_lab"
}
import {
  to = proxmox_network_linux_bridge.inner
  id = "pve1:vmbr7"
}
import {
  to = proxmox_network_linux_bridge.lone
  id = "pve2:vmbr8"
}
import {
  to = proxmox_virtual_environment_dns.first
  id = "pve1"
}
import {
  to = proxmox_virtual_environment_time.second
  id = "pve2"
}
import {
  to = proxmox_virtual_environment_hosts.second
  id = "pve2"
}
import {
  to = proxmox_node_config.third
  id = "pve3"
}
import {
  to = proxmox_cluster_options.all
  id = "cluster"
}
import {
  to = proxmox_hardware_mapping_usb.stick
  id = "stick"
}
import {
  to = proxmox_hardware_mapping_pci.card
  id = "card"
}
import {
  to = proxmox_hardware_mapping_dir.share
  id = "share"
}
import {
  to = proxmox_metrics_server.influx
  id = "metrics2"
}
import {
  to = proxmox_metrics_server.graphite
  id = "graphite"
}
import {
  to = proxmox_backup_job.all
  id = "nightly-all"
}
import {
  to = proxmox_backup_job.some
  id = "some"
}
