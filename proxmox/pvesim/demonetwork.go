package pvesim

// demoFirewall protects the house: what is open stands in groups, who may manage it in a set.
func (b *builder) demoFirewall() {
	in := func(action string, with Object) Object {
		return merged(Object{"type": "in", "action": action, "enable": 1}, nil, with)
	}
	group := func(name string) Object { return Object{"type": fwGroup, "action": name, "enable": 1} }
	f := b.w.Cluster.Firewall
	f.Options = Object{"enable": 1, "policy_in": "DROP", "policy_out": "ACCEPT", "log_ratelimit": "enable=1,burst=5,rate=1/second"}
	f.Aliases = []Object{{"name": "house", "cidr": "192.168.1.0/24", "comment": "everybody at home"}, {"name": "printer", "cidr": "192.168.1.60"}}
	f.Sets = []Object{
		{"name": "iot", "comment": "may not leave the house", "members": []Object{{"cidr": "10.0.30.0/24"}, {"cidr": "10.0.30.1", "nomatch": 1}, {"cidr": "192.168.1.70", "comment": "vacuum cleaner"}}},
		{"name": "management", "comment": "may log in to the nodes", "members": []Object{{"cidr": "192.168.1.10", "comment": "desk"}, {"cidr": "192.168.1.64/28", "comment": "notebooks"}}},
	}
	f.Groups = []Object{
		{"group": "dns-in", "comment": "for the two piholes", "rules": []Object{in("ACCEPT", Object{"macro": "DNS", "source": "+dc/iot"}), in("ACCEPT", Object{"macro": "DNS", "source": "dc/house"})}},
		{"group": "ssh-admin", "rules": []Object{in("ACCEPT", Object{"macro": "SSH", "source": "+dc/management", "log": "info"})}},
		{"group": "web-in", "comment": "http and https", "rules": []Object{in("ACCEPT", Object{"macro": "HTTP"}), in("ACCEPT", Object{"macro": "HTTPS"})}},
	}
	f.Rules = []Object{
		in("ACCEPT", Object{"proto": "tcp", "dport": "8006", "source": "+management", "comment": "web interface"}),
		group("ssh-admin"),
		in("ACCEPT", Object{"macro": "Ping", "source": "house"}),
		in("DROP", Object{"source": "+iot", "log": "warning"}),
	}
	pve1 := b.w.Node("pve1").Firewall
	pve1.Options = Object{"enable": 1, "log_level_in": "warning", "nosmurfs": 1}
	pve1.Rules = []Object{in("ACCEPT", Object{"proto": "udp", "dport": "3493", "source": "house", "comment": "UPS"})}
	b.w.Node("pve2").Firewall.Options = Object{"enable": 1}
	for id, rules := range map[int][]Object{
		101: {group("dns-in"), group("ssh-admin")},
		102: {group("dns-in"), group("ssh-admin")},
		103: {group("web-in"), group("ssh-admin")},
		200: {in("ACCEPT", Object{"macro": "SMB", "source": "house"}), in("ACCEPT", Object{"proto": "tcp", "dport": "2049", "source": "192.168.1.11-192.168.1.13", "comment": "nodes: NFS"})},
		207: {in("ACCEPT", Object{"proto": "tcp", "dport": "25565"})},
	} {
		fw := newFirewall()
		fw.Rules, fw.Options = rules, Object{"enable": bit(id != 207), "policy_in": "DROP"} // that of minecraft was never switched on
		b.w.Guest(id).Firewall = fw
	}
	caddy := b.w.Guest(103).Firewall
	caddy.Aliases = []Object{{"name": "monitoring", "cidr": "192.168.1.32"}}
	caddy.Sets = []Object{{"name": "blocked", "comment": "scanners", "members": []Object{{"cidr": "198.51.100.0/24"}, {"cidr": "203.0.113.77"}}}}
	caddy.Rules = append([]Object{in("DROP", Object{"source": "+blocked"})}, append(caddy.Rules, in("ACCEPT", Object{"proto": "tcp", "dport": "2019", "source": "monitoring", "comment": "metrics"}))...)
}

// demoSDN has a network for the gadgets and one for the lab; another one for visitors waits for being applied.
func (b *builder) demoSDN() {
	c := b.w.Cluster
	c.setSections("sdn_zones", []Object{{"zone": "house", "type": "vlan", "bridge": "vmbr0", "ipam": "pve"}, {"zone": "lab", "type": "simple", "ipam": "pve"}})
	c.setSections("sdn_vnets", []Object{{"vnet": "iot", "type": "vnet", "zone": "house", "tag": 30, "alias": "gadgets"}, {"vnet": "labnet", "type": "vnet", "zone": "lab"}})
	c.setSections("sdn_subnets", []Object{
		{"subnet": "house-10.0.30.0-24", "id": "house-10.0.30.0-24", "type": "subnet", "cidr": "10.0.30.0/24", "network": "10.0.30.0", "mask": "24", "zone": "house", "vnet": "iot",
			"gateway": "10.0.30.1"},
		{"subnet": "lab-10.99.0.0-24", "id": "lab-10.99.0.0-24", "type": "subnet", "cidr": "10.99.0.0/24", "network": "10.99.0.0", "mask": "24", "zone": "lab", "vnet": "labnet",
			"gateway": "10.99.0.1", "snat": 1},
	})
	b.w.ApplySDN()
	sdnVnets.store(b.w, Object{"vnet": "visitors", "type": "vnet", "zone": "house", "tag": 40, "alias": "guests of the house"})
}
