comment    = "made by Terraform"
enabled    = true
propagate  = true
privileges = ["VM.Audit", "VM.PowerMgmt"]
contents   = ["iso", "snippets"]
blocksize  = "16k"
