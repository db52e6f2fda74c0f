comment    = "äöü & <b> \"quoted\""
enabled    = false
propagate  = false
privileges = ["VM.Audit", "VM.Console", "VM.Snapshot"]
contents   = ["iso"]
blocksize  = "32k"
