import {
  to = proxmox_haresource.machine
  id = "vm:208"
}
import {
  to = proxmox_haresource.container
  id = "ct:107"
}
import {
  to = proxmox_harule.prefer
  id = "prefer"
}
import {
  to = proxmox_harule.apart
  id = "apart"
}
