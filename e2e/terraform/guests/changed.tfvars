started = true
vm = {
  name        = "web-2"
  description = "second, with $${braces} and \"quotes\""
  tags        = ["alpha", "terraform"]
  cores       = 4
  memory      = 2048
  disk        = 12
  bridge_vlan = 20
  address     = "192.168.1.80/24"
  extra_disk  = true
}
ct = {
  hostname    = "db-2"
  description = "second\n"
  tags        = ["alpha", "terraform"]
  cores       = 2
  memory      = 1024
  swap        = 0
  disk        = 6
  mount       = "2G"
}
