started = true
vm = {
  name        = "web"
  description = "first"
  tags        = ["terraform", "zoo"]
  cores       = 2
  memory      = 1024
  disk        = 8
  bridge_vlan = 10
  address     = "192.168.1.70/24"
  extra_disk  = false
}
ct = {
  hostname    = "db"
  description = "first\n"
  tags        = ["terraform"]
  cores       = 1
  memory      = 512
  swap        = 256
  disk        = 4
  mount       = "2G"
}
