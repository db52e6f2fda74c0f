alias   = "made by Terraform"
mtu     = 1500
tag     = 30
gateway = "10.50.0.1"
isolate = true
nodes   = ["pve1", "pve2"]
