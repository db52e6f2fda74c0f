# An applier is nothing in Proxmox VE that could be imported.
import {
  to = proxmox_sdn_zone_vlan.tagged
  id = "tagged"
}
import {
  to = proxmox_sdn_zone_simple.inner
  id = "inner"
}
import {
  to = proxmox_sdn_vnet.office
  id = "office"
}
import {
  to = proxmox_sdn_vnet.lab
  id = "lab"
}
import {
  to = proxmox_sdn_subnet.lab
  id = "lab/inner-10.50.0.0-24"
}
import {
  to = proxmox_sdn_subnet.plain
  id = "lab/inner-fd50::-64"
}
