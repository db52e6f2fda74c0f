comment      = "made by Terraform"
enabled      = true
input_policy = "DROP"
network      = "192.168.1.0/24"
members      = ["192.168.1.10", "10.8.0.0/24"]
ports        = ["80", "443"]
