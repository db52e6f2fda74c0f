package pvesim

import (
	"crypto/sha1" //nolint:gosec // the instance id is SHA-1
	"encoding/hex"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
)

func cloudInitRoutes() []route {
	base := "/nodes/{node}/qemu/{vmid}/cloudinit"
	audit := need("/vms/{vmid}", "VM.Audit")
	return append(daemon(put(base, need("/vms/{vmid}", "VM.Config.Cloudinit"), of(typeQEMU, regenerateCloudInit))),
		get(base, nil, audit, of(typeQEMU, cloudInitPending)),
		get(base+"/dump", params{"type": required(enum("user", "network", "meta"))}, audit, of(typeQEMU, cloudInitDump)),
	)
}

// cloudInitKeys are the settings that GET cloudinit lists.
var cloudInitKeys = []string{"cicustom", "cipassword", "citype", "ciuser", "ciupgrade", "nameserver", "searchdomain", "sshkeys"}

// maxNICs is the number of network devices that a VM can have.
const maxNICs = 32

// isCloudInitOption is whether an option goes into the cloud-init drive and nowhere else.
func isCloudInitOption(key string) bool {
	return contains(cloudInitKeys, key) || ipconfigShape().MatchString(key)
}

// cloudState is what the cloud-init drive of a running VM still says otherwise than the configuration.
type cloudState struct {
	old   Object // values that the drive has, of settings that were changed or removed
	added []string
}

// recordCloudInit notes that a setting changed while the VM runs, whose drive keeps the old one until it is written
// anew. nil stands for no value.
func (g *Guest) recordCloudInit(key string, old, value any) {
	if !isCloudInitOption(key) && key != "name" && !netShape().MatchString(key) {
		return
	}
	s := &cloudState{old: Object{}}
	if g.cloud != nil {
		s.old, s.added = clone(g.cloud.old), slices.Clone(g.cloud.added)
	}
	written, known := s.old[key]
	isNew := contains(s.added, key)
	switch {
	case known && value != nil && text(written) == text(value):
		delete(s.old, key)
	case known, isNew && value != nil, old == nil && value == nil:
	case isNew:
		s.added = slices.DeleteFunc(s.added, func(k string) bool { return k == key })
	case old == nil:
		s.added = append(s.added, key)
		slices.Sort(s.added)
	default:
		s.old[key] = old
	}
	if g.cloud = s; len(s.old)+len(s.added) == 0 {
		g.cloud = nil
	}
}

// section is the state as the configuration file has it.
func (s *cloudState) section() Object {
	o := clone(s.old)
	if len(s.added) > 0 {
		o["added"] = strings.Join(s.added, ",")
	}
	return o
}

// writeCloudInit writes the VM's cloud-init drive from the configuration in effect, as each start does; without such
// a drive nothing happens.
func (w *World) writeCloudInit(g *Guest) {
	if g.cloud != nil && g.cloudInitDrive() != nil {
		g.cloud = nil
		g.redigest()
	}
}

// cloudInitDrive is the VM's cloud-init drive, nil when it has none.
func (g *Guest) cloudInitDrive() *drive {
	for _, key := range driveKeys(g.Config) {
		if d, ok := parseDrive(key, text(g.Config[key])); ok && d.isCloudInit() {
			return d
		}
	}
	return nil
}

// cloudInitPending lists the settings that the drive is made from (03/011), those that it does not have yet with both
// values.
func cloudInitPending(_ *call, g *Guest) (any, error) {
	config, state := maskPassword(clone(g.Config)), &cloudState{old: Object{}}
	if g.cloud != nil {
		state = &cloudState{old: maskPassword(clone(g.cloud.old)), added: g.cloud.added}
	}
	list := []Object{}
	for _, key := range state.added {
		list = append(list, Object{"key": key, "pending": config[key]})
	}
	for _, key := range cloudInitKeys {
		value, ok := config[key]
		if !ok || text(value) == "0" || contains(state.added, key) {
			continue
		}
		if old, ok := state.old[key]; ok {
			list = append(list, Object{"key": key, "value": old, "pending": value})
		} else {
			list = append(list, Object{"key": key, "value": value})
		}
	}
	for _, key := range slices.Sorted(maps.Keys(state.old)) {
		if _, ok := config[key]; !ok {
			list = append(list, Object{"key": key, "delete": 1})
		}
	}
	return list, nil
}

// regenerateCloudInit writes the drive anew (04/124); a VM without one has nothing to do (04/120).
func regenerateCloudInit(c *call, g *Guest) (any, error) {
	if err := c.free(g); err != nil {
		return nil, err
	}
	if err := g.lockedError(); err != nil {
		return nil, err
	}
	c.w.writeCloudInit(g)
	return nil, nil
}

func cloudInitDump(c *call, g *Guest) (any, error) {
	switch c.param("type") {
	case "user":
		return c.cloudInitUser(g), nil
	case "network":
		return c.cloudInitNetwork(g), nil
	}
	id := sha1.Sum([]byte(c.cloudInitUser(g) + c.cloudInitNetwork(g))) //nolint:gosec // see above
	return "instance-id: " + hex.EncodeToString(id[:]) + "\n", nil
}

// cloudInitUser shows the password in clear to those who may set it and masked to others (facts 50).
func (c *call) cloudInitUser(g *Guest) string {
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

func (c *call) cloudInitNetwork(g *Guest) string {
	config := g.merged()
	var b strings.Builder
	b.WriteString("version: 1\nconfig:\n")
	for i := range maxNICs {
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
