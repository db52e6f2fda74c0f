comment      = "äöü & <b> \"quoted\""
enabled      = false
input_policy = "REJECT"
network      = "192.168.0.0/23"
members      = ["10.8.0.0/24"]
ports        = ["80", "443", "8080:8090"]
