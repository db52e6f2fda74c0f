alias   = "the office (2nd floor)"
mtu     = 1400
tag     = 31
gateway = "10.50.0.254"
isolate = false
nodes   = ["pve1", "pve2", "pve3"]
