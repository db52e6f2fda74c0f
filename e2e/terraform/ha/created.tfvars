comment  = "made by Terraform"
state    = "stopped"
restarts = 1
enabled  = true
nodes    = { pve1 = 2, pve2 = 1 }
