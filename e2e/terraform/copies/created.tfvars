store   = "local-lvm"
cores   = 2
disk    = 10
comment = "first"
role    = "Starter"
