package pvesim

import (
	"crypto/sha1" //nolint:gosec // the instance id is SHA-1
	"encoding/hex"
	"fmt"
	"net"
	"strconv"
	"strings"
)

func qemuRoutes() []route {
	base := "/nodes/{node}/qemu/{vmid}"
	audit := need("/vms/{vmid}", "VM.Audit")
	return []route{
		index(base, "subdir", "config cloudinit pending status unlink vncproxy termproxy migrate resize move rrd rrddata monitor "+
			"agent snapshot spiceproxy sendkey firewall mtunnel remote_migrate"),
		index(base+"/status", "subdir", "current start stop reset shutdown suspend reboot"),
		get(base+"/cloudinit", nil, audit, of(typeQEMU, cloudinitPending)),
		get(base+"/cloudinit/dump", params{"type": required(enum("user", "network", "meta"))}, audit, of(typeQEMU, cloudinitDump)),
		get(base+"/migrate", params{"target": str()}, need("/vms/{vmid}", "VM.Migrate"), of(typeQEMU, migratePreconditions)),
	}
}

var cloudinitKeys = []string{"cicustom", "cipassword", "citype", "ciuser", "ciupgrade", "nameserver", "searchdomain", "sshkeys"}

// cloudinitPending lists the settings that the cloud-init drive is made from (03/011).
func cloudinitPending(_ *call, g *Guest) (any, error) {
	config := maskPassword(g.merged())
	list := []Object{}
	for _, k := range cloudinitKeys {
		if v, ok := config[k]; ok {
			list = append(list, Object{"key": k, "value": v})
		}
	}
	return list, nil
}

func cloudinitDump(c *call, g *Guest) (any, error) {
	switch c.param("type") {
	case "user":
		return c.cloudinitUser(g), nil
	case "network":
		return c.cloudinitNetwork(g), nil
	}
	id := sha1.Sum([]byte(c.cloudinitUser(g) + c.cloudinitNetwork(g))) //nolint:gosec // see above
	return "instance-id: " + hex.EncodeToString(id[:]) + "\n", nil
}

// cloudinitUser shows the password in clear to those who may set it and masked to others (facts 50).
func (c *call) cloudinitUser(g *Guest) string {
	config := g.merged()
	host, _, _ := strings.Cut(g.Name(), ".")
	var b strings.Builder
	fmt.Fprintf(&b, "#cloud-config\nhostname: %s\nmanage_etc_hosts: true\nfqdn: %s\n", host, g.Name())
	if u := text(config["ciuser"]); u != "" {
		b.WriteString("user: " + u + "\n")
	}
	if p := text(config["cipassword"]); p != "" {
		if !c.may("/vms/"+strconv.Itoa(g.VMID), "VM.Config.Cloudinit") {
			p = masked
		}
		b.WriteString("password: " + p + "\n")
	}
	if keys := unescape(text(config["sshkeys"]), false); keys != "" {
		b.WriteString("ssh_authorized_keys:\n")
		for line := range strings.SplitSeq(strings.TrimSpace(keys), "\n") {
			b.WriteString("  - " + line + "\n")
		}
	}
	b.WriteString("chpasswd:\n  expire: False\nusers:\n  - default\npackage_upgrade: true\n")
	return b.String()
}

func (c *call) cloudinitNetwork(g *Guest) string {
	config := g.merged()
	var b strings.Builder
	b.WriteString("version: 1\nconfig:\n")
	for i := range 32 {
		nic, ip := text(config["net"+strconv.Itoa(i)]), text(config["ipconfig"+strconv.Itoa(i)])
		if nic == "" || ip == "" {
			continue
		}
		fmt.Fprintf(&b, "    - type: physical\n      name: eth%d\n      mac_address: '%s'\n      subnets:\n", i, strings.ToLower(nicMAC(nic)))
		writeSubnet(&b, ip)
	}
	dns, _ := c.node.Info["dns"].(Object)
	server, search := text(config["nameserver"]), text(config["searchdomain"])
	if server == "" {
		server = text(dns["dns1"])
	}
	if search == "" {
		search = text(dns["search"])
	}
	fmt.Fprintf(&b, "    - type: nameserver\n      address:\n      - '%s'\n      search:\n      - '%s'\n", server, search)
	return b.String()
}

func writeSubnet(b *strings.Builder, ipconfig string) {
	addr := driveOption(ipconfig, "ip")
	if addr == "dhcp" {
		b.WriteString("      - type: dhcp4\n")
		return
	}
	ip, network, err := net.ParseCIDR(addr)
	if err != nil {
		return
	}
	fmt.Fprintf(b, "      - type: static\n        address: '%s'\n        netmask: '%s'\n", ip, net.IP(network.Mask))
	if gw := driveOption(ipconfig, "gw"); gw != "" {
		fmt.Fprintf(b, "        gateway: '%s'\n", gw)
	}
}

// nicMAC takes the address of a VM's network device: virtio=AA:..,bridge=vmbr0.
func nicMAC(nic string) string {
	first, _, _ := strings.Cut(nic, ",")
	_, mac, _ := strings.Cut(first, "=")
	return mac
}

// migratePreconditions is what GET migrate says before a migration: where to, and the disks that stand in the way.
func migratePreconditions(c *call, g *Guest) (any, error) {
	allowed := []string{}
	for _, n := range c.w.Nodes {
		if n.Name != g.Node && n.Online {
			allowed = append(allowed, n.Name)
		}
	}
	disks := []Object{}
	for _, key := range append(g.disks(), g.cdroms()...) {
		if d := c.localDisk(g, key); d != nil {
			disks = append(disks, d)
		}
	}
	return Object{"running": bit(g.Live.Running), "allowed_nodes": allowed, "not_allowed_nodes": Object{}, "local_disks": disks,
		"local_resources": []any{}, "mapped-resources": []any{}, "mapped-resource-info": Object{}, "has-dbus-vmstate": 1}, nil
}

func (g *Guest) cdroms() []string {
	var out []string
	for key, v := range g.Config {
		if isDisk(key) && strings.Contains(text(v), "media=cdrom") {
			out = append(out, key)
		}
	}
	return out
}

// localDisk describes a volume on a storage that is not shared; nil for others.
func (c *call) localDisk(g *Guest, key string) Object {
	drive := text(g.Config[key])
	volid := driveVolume(drive)
	store, _, ok := strings.Cut(volid, ":")
	cloudinit := strings.Contains(volid, "cloudinit")
	if def := c.w.Storage(store); !ok || def == nil || truth(def["shared"]) {
		return nil
	}
	o := Object{"volid": volid, "drivename": key, "cdrom": bit(strings.Contains(drive, "media=cdrom")), "is_attached": 1,
		"is_cloudinit": bit(cloudinit), "is_tpmstate": bit(key == "tpmstate0"), "is_unused": 0, "is_vmstate": 0, "replicate": 1, "shared": 0}
	if size := driveSize(drive); size > 0 {
		o["size"] = size
	}
	if refs := g.references(key, volid); len(refs) > 0 {
		o["referenced_in_snapshot"] = refs
	}
	return o
}

func (g *Guest) references(key, volid string) Object {
	out := Object{}
	for _, s := range g.Snapshots {
		if driveVolume(text(s.Config[key])) == volid {
			out[s.Name] = 1
		}
	}
	return out
}
