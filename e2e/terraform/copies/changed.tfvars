store   = "tank"
cores   = 4
disk    = 12
comment = "second"
role    = "PVEVMUser"
