comment  = "äöü & <b> \"quoted\""
state    = "started"
restarts = 3
enabled  = false
nodes    = { pve1 = 1, pve2 = 2, pve3 = 3 }
