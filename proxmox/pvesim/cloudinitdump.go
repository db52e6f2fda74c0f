package pvesim

import (
	"crypto/sha1" //nolint:gosec // the instance id is SHA-1
	"encoding/hex"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
)

// nocloud is the format of the cloud-init drive that writes the network as cloud-init's own YAML; the others write it as
// /etc/network/interfaces.
const nocloud = "nocloud"

// cloudInitDump shows what a cloud-init drive is made with (03/012 to 03/014): the configuration in effect, whatever the
// drive has by now.
func cloudInitDump(c *call, g *Guest) (any, error) {
	d := &cloudInitData{g: g, config: clone(g.Config)}
	d.dns, _ = c.node.Info["dns"].(Object)
	if has(d.config, "cipassword") && !c.may("/vms/"+strconv.Itoa(g.VMID), "VM.Config.Cloudinit") {
		maskPassword(d.config) // 11/006
	}
	switch c.param("type") {
	case "user":
		return d.user(), nil
	case "network":
		return d.network(), nil
	}
	return d.meta(), nil
}

// cloudInitData is what the files on a cloud-init drive are made from.
type cloudInitData struct {
	g      *Guest
	config Object
	dns    Object // the node's
}

// format is the option citype; Windows reads config drives only.
func (d *cloudInitData) format() string {
	if f := text(d.config["citype"]); f != "" {
		return f
	}
	if isWindows(text(d.config["ostype"])) {
		return "configdrive2"
	}
	return nocloud
}

func (d *cloudInitData) meta() string {
	sum := sha1.Sum([]byte(d.user() + d.network())) //nolint:gosec // see above
	id := hex.EncodeToString(sum[:])
	if d.format() == nocloud {
		return "instance-id: " + id + "\n"
	}
	return "{\n     \"uuid\": \"" + id + "\",\n     \"network_config\": { \"content_path\": \"/content/0000\" }\n}\n"
}

// hostname gives the short name and the full one.
func (d *cloudInitData) hostname() (host, full string) {
	host = text(d.config["name"])
	if host == "" {
		host = "VM" + strconv.Itoa(d.g.VMID)
	}
	full = host
	if short, _, dotted := strings.Cut(host, "."); dotted {
		return short, full
	}
	if search := text(d.config["searchdomain"]); search != "" {
		full += "." + search
	}
	return host, full
}

func (d *cloudInitData) user() string {
	host, full := d.hostname()
	var b strings.Builder
	fmt.Fprintf(&b, "#cloud-config\nhostname: %s\nmanage_etc_hosts: true\nfqdn: %s\n", host, full)
	for _, k := range []string{"user", "password"} {
		if v, ok := d.config["ci"+k]; ok {
			b.WriteString(k + ": " + text(v) + "\n")
		}
	}
	if keys, ok := d.config["sshkeys"]; ok {
		b.WriteString("ssh_authorized_keys:\n")
		for line := range strings.SplitSeq(unescape(text(keys), false), "\n") {
			if strings.TrimSpace(line) != "" {
				b.WriteString("  - " + line + "\n")
			}
		}
	}
	b.WriteString("chpasswd:\n  expire: False\n")
	if text(d.config["ciuser"]) != "root" {
		b.WriteString("users:\n  - default\n")
	}
	if v, ok := d.config["ciupgrade"]; !ok || truth(v) {
		b.WriteString("package_upgrade: true\n")
	}
	return b.String()
}

// cloudInitNIC is a network device that has an ipconfig.
type cloudInitNIC struct {
	name, mac            string
	ip, gateway          string
	ip6, gateway6        string
	address, mask        string // of ip
	address6, prefixLen6 string // of ip6
}

// nics are the devices in the order of their keys as text.
func (d *cloudInitData) nics() []cloudInitNIC {
	var list []cloudInitNIC
	for key, value := range d.config {
		index, ok := strings.CutPrefix(key, "net")
		config := text(d.config["ipconfig"+index])
		if !ok || config == "" {
			continue
		}
		n := cloudInitNIC{name: "eth" + index, mac: strings.ToLower(nicMAC(text(value))), ip: driveOption(config, "ip"), ip6: driveOption(config, "ip6"),
			gateway: driveOption(config, "gw"), gateway6: driveOption(config, "gw6")}
		if ip, network, err := net.ParseCIDR(n.ip); err == nil {
			n.address, n.mask = ip.String(), net.IP(network.Mask).String()
		}
		n.address6, n.prefixLen6, _ = strings.Cut(n.ip6, "/")
		list = append(list, n)
	}
	slices.SortFunc(list, func(a, b cloudInitNIC) int { return strings.Compare(a.name, b.name) })
	return list
}

// resolver gives servers and search domains: the VM's, or else the node's.
func (d *cloudInitData) resolver() (servers, search []string) {
	search = strings.Fields(text(d.dns["search"]))
	if v, ok := d.config["searchdomain"]; ok {
		search = strings.Fields(text(v))
	}
	if v, ok := d.config["nameserver"]; ok {
		return strings.Fields(text(v)), search
	}
	for _, k := range []string{"dns1", "dns2", "dns3"} {
		if v := text(d.dns[k]); v != "" {
			servers = append(servers, v)
		}
	}
	return servers, search
}

func (d *cloudInitData) network() string {
	if d.format() != nocloud {
		return d.interfaces()
	}
	var b strings.Builder
	b.WriteString("version: 1\nconfig:\n")
	for _, n := range d.nics() {
		fmt.Fprintf(&b, "    - type: physical\n      name: %s\n      mac_address: '%s'\n      subnets:\n", n.name, n.mac)
		n.subnets(&b)
	}
	servers, search := d.resolver()
	if len(servers)+len(search) == 0 {
		return b.String()
	}
	b.WriteString("    - type: nameserver\n")
	writeQuoted(&b, "address", servers)
	writeQuoted(&b, "search", search)
	return b.String()
}

func writeQuoted(b *strings.Builder, key string, values []string) {
	if len(values) > 0 {
		b.WriteString("      " + key + ":\n")
	}
	for _, v := range values {
		b.WriteString("      - '" + v + "'\n")
	}
}

func (n cloudInitNIC) subnets(b *strings.Builder) {
	switch {
	case n.ip == "dhcp":
		b.WriteString("      - type: dhcp4\n")
	case n.ip != "":
		fmt.Fprintf(b, "      - type: static\n        address: '%s'\n        netmask: '%s'\n", n.address, n.mask)
		if n.gateway != "" {
			b.WriteString("        gateway: '" + n.gateway + "'\n")
		}
	}
	switch {
	case n.ip6 == "dhcp":
		b.WriteString("      - type: dhcp6\n")
	case n.ip6 == "auto":
		b.WriteString("      - type: ipv6_slaac\n")
	case n.ip6 != "":
		b.WriteString("      - type: static6\n        address: '" + n.ip6 + "'\n")
		if n.gateway6 != "" {
			b.WriteString("        gateway: '" + n.gateway6 + "'\n")
		}
	}
}

// interfaces writes the network for config drives.
func (d *cloudInitData) interfaces() string {
	var b strings.Builder
	b.WriteString("auto lo\niface lo inet loopback\n\n")
	servers, search := d.resolver()
	if len(servers) > 0 {
		b.WriteString("        dns_nameservers " + strings.Join(servers, " ") + "\n")
	}
	if len(search) > 0 {
		b.WriteString("        dns_search " + strings.Join(search, " ") + "\n")
	}
	for _, n := range d.nics() {
		b.WriteString("auto " + n.name + "\n")
		writeFamily(&b, n.name, "inet", n.ip, n.address, n.mask, n.gateway)
		writeFamily(&b, n.name, "inet6", n.ip6, n.address6, n.prefixLen6, n.gateway6)
	}
	return b.String()
}

func writeFamily(b *strings.Builder, name, family, ip, address, mask, gateway string) {
	switch ip {
	case "":
		return
	case "dhcp", "auto":
		fmt.Fprintf(b, "iface %s %s %s\n", name, family, ip)
		return
	}
	fmt.Fprintf(b, "iface %s %s static\n        address %s\n        netmask %s\n", name, family, address, mask)
	if gateway != "" {
		b.WriteString("        gateway " + gateway + "\n")
	}
}
