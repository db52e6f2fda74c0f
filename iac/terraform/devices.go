package terraform

import (
	"encoding/base64"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/iac"
)

// nicModels are the parts under which a network device's model and address stand.
var nicModels = strings.Fields("e1000 e1000-82540em e1000-82544gc e1000-82545em e1000e i82551 i82557b i82559er ne2k_isa ne2k_pci pcnet rtl8139 virtio vmxnet3")

var nicForms = oneOf("virtio", "e1000", "e1000e", "rtl8139", "vmxnet3")

// nics writes the network devices by number. Over a gap stands a disabled one that is not compared, as an apply would touch the missing
// device (facts 7.6).
func (v *vm) nics() {
	next, gap := 0, false
	for _, key := range v.g.Series("net") {
		for ; next < iac.Index(key); next++ {
			v.body.Block("network_device").Set("enabled", false)
			v.skip(Ref("network_device["+strconv.Itoa(next)+"]"), "there is no net"+strconv.Itoa(next)+", which the provider cannot express")
			gap = true
		}
		v.nic(key, next)
		next++
	}
	if !gap {
		return
	}
	for _, a := range []Ref{"ipv4_addresses", "ipv6_addresses", "network_interface_names"} {
		v.skip(a, "the provider expects new ones behind a gap in the network devices")
	}
}

func (v *vm) nic(key string, n int) {
	p := v.props(key, "network_device["+strconv.Itoa(n)+"]")
	b := v.body.Block("network_device")
	b.Set("bridge", p.str("bridge")) // without one it has to be empty (rule B14)
	model, mac := p.str("model"), p.str("macaddr")
	for _, m := range nicModels {
		if address, ok := p.get(m); ok {
			model, mac = m, address
		}
	}
	if mac != "" {
		b.Set("mac_address", mac)
	}
	if model != "" && model != "virtio" {
		v.choice(b, "model", model, at("network_device", n, "model"), nicForms)
	}
	p.flag(b, "link_down", "disconnected", false)
	p.flag(b, "firewall", "firewall", false)
	p.number(b, "mtu", "mtu")
	p.number(b, "queues", "queues")
	if rate, err := strconv.ParseFloat(p.str("rate"), 64); err == nil {
		b.Set("rate_limit", rate)
	}
	p.text(b, "trunks", "trunks")
	p.number(b, "tag", "vlan_id")
}

// initialization writes cloud-init; there is one as soon as a drive or any of its keys exists (rule B9, facts 7.7).
func (v *vm) initialization() {
	b := &Body{}
	v.prefix = "initialization."
	defer func() { v.prefix = "" }()
	v.cloudDrive(b)
	if v.has("cicustom") {
		p := v.props("cicustom", "initialization")
		for _, f := range []string{"user", "vendor", "network", "meta"} {
			if id := p.str(f); id != "" {
				b.Set(f+"_data_file_id", id)
				v.skip(at("initialization", 0, f+"_data_file_id"), "another file would replace the guest")
			}
		}
	}
	if v.has("citype") {
		v.choice(b, "type", v.take("citype", "initialization.type"), at("initialization", 0, "type"), oneOf("configdrive2", "nocloud"))
	}
	if v.has("ciupgrade") {
		v.take("ciupgrade", "initialization.upgrade")
		b.Set("upgrade", v.conf.Bool("ciupgrade"))
	}
	v.dns(b)
	v.addresses(b)
	v.account(b)
	if b.Empty() {
		return
	}
	if len(v.cloudDriveKey()) == 0 { // the provider's default would be local-lvm
		b.items = append([]item{{name: "datastore_id", value: ""}}, b.items...)
	}
	v.body.items = append(v.body.items, item{name: "initialization", body: b})
}

// cloudDriveKey is the first bus and number that holds the cloud-init volume.
func (v *vm) cloudDriveKey() string {
	for _, bus := range []string{"ide", "sata", "scsi", "virtio"} {
		for _, key := range v.g.Series(bus) {
			if v.isCloudInit(iac.ParseProps(key, v.conf.Str(key)).Str("file")) {
				return key
			}
		}
	}
	return ""
}

func (v *vm) cloudDrive(b *Body) {
	key := v.cloudDriveKey()
	if key == "" {
		return
	}
	p := v.props(key, "initialization")
	file := p.str("file")
	b.Set("datastore_id", datastore(file))
	v.choice(b, "interface", key, at("initialization", 0, "interface"), func(s string) bool { return !strings.HasPrefix(s, "virtio") })
	if f := p.str("format"); f != "" {
		b.Set("file_format", f)
	} else if e := extension(file); e != "" {
		b.Set("file_format", e)
	}
	p.taken["media"], p.taken["size"] = true, true
}

func (g *guest) dns(b *Body) {
	servers := strings.Fields(g.take("nameserver", "initialization.dns.servers"))
	domain := strings.TrimSpace(g.take("searchdomain", "initialization.dns.domain"))
	if !g.has("nameserver") && !g.has("searchdomain") {
		return
	}
	d := b.Block("dns")
	if domain != "" {
		d.Set("domain", domain)
	}
	if slices.ContainsFunc(servers, func(s string) bool { _, err := netip.ParseAddr(s); return err != nil }) {
		g.skip("initialization[0].dns[0].servers", "the provider takes addresses alone")
		g.tell("nameserver", iac.Ignored, "initialization.dns.servers", "names a server not by its address, which the provider does not take")
		return
	}
	if len(servers) > 0 {
		d.Set("servers", servers)
	}
}

// addresses are a list without gaps: one for each number up to the highest.
func (v *vm) addresses(b *Body) {
	next := 0
	for _, key := range v.g.Series("ipconfig") {
		for ; next < iac.Index(key); next++ {
			b.Block("ip_config")
		}
		p := v.props(key, "initialization.ip_config["+strconv.Itoa(next)+"]")
		ipConfig(p, b.Block("ip_config"))
		next++
	}
}

// ipConfig writes addresses and gateways of one interface.
func ipConfig(p *parts, b *Body) {
	for _, f := range [][3]string{{"ipv4", "ip", "gw"}, {"ipv6", "ip6", "gw6"}} {
		address, gateway := p.str(f[1]), p.str(f[2])
		if address == "" && gateway == "" {
			continue
		}
		ip := b.Block(f[0])
		if address != "" {
			ip.Set("address", address)
		}
		if gateway != "" {
			ip.Set("gateway", gateway)
		}
	}
}

// account never holds the password: the provider keeps the one that Proxmox VE shows, a mask (facts 7.7).
func (v *vm) account(b *Body) {
	if !v.has("ciuser") && !v.has("sshkeys") && !v.has("cipassword") {
		return
	}
	a := b.Block("user_account")
	v.text(a, "ciuser", "username", "initialization[0].user_account[0].username")
	if v.has("sshkeys") {
		text, err := url.QueryUnescape(v.take("sshkeys", "initialization.user_account.keys"))
		if text = strings.TrimSpace(text); err == nil && text != "" {
			a.Set("keys", strings.Split(text, "\n"))
		}
	}
	v.tell("cipassword", iac.Unrepresented, "", "a secret; Proxmox VE shows a mask only")
}

// rng writes the random source with what is set of its limits.
func (v *vm) rng() {
	if !v.has("rng0") {
		return
	}
	p := v.props("rng0", "rng")
	b := v.body.Block("rng")
	p.text(b, "source", "source")
	for _, f := range []string{"max_bytes", "period"} {
		if p.taken[f] = true; p.str(f) != "0" { // 0, which is no limit, is refused by the schema; unset, it is not compared
			p.number(b, f, f)
		}
	}
}

// serials: a gap between them cannot be kept apart from a device (rule B21).
func (v *vm) serials() {
	next := 0
	for _, key := range v.g.Series("serial") {
		if iac.Index(key) > 3 {
			break
		}
		for ; next < iac.Index(key); next++ {
			v.body.Block("serial_device").Set("device", "socket")
			v.skip(at("serial_device", next, "device"), "there is no serial"+strconv.Itoa(next)+", which the provider cannot express")
		}
		v.body.Block("serial_device").Set("device", v.take(key, "serial_device["+strconv.Itoa(next)+"].device"))
		next++
	}
}

var vgaForms = oneOf("cirrus", "none", "qxl", "qxl2", "qxl3", "qxl4", "serial0", "serial1", "serial2", "serial3", "std", "virtio", "virtio-gl", "vmware")

// vga is left out where all is the provider's default: std with 16 MiB (rule B13).
func (v *vm) vga() {
	if !v.has("vga") {
		return
	}
	p := v.props("vga", "vga")
	kind, memory, clipboard := p.str("type"), p.str("memory"), p.str("clipboard")
	if kind == "std" && (memory == "" || memory == "16") && clipboard == "" {
		v.tell("vga", iac.Default, "vga", "the provider's default")
		return
	}
	b := v.body.Block("vga")
	if kind == "" {
		b.Set("type", "std")
		v.skip(at("vga", 0, "type"), "not set in Proxmox VE, which the provider reads as empty")
	} else {
		v.choice(b, "type", kind, at("vga", 0, "type"), vgaForms)
	}
	p.number(b, "memory", "memory")
	p.text(b, "clipboard", "clipboard")
}

func (v *vm) watchdog() {
	if !v.has("watchdog") {
		return
	}
	p := v.props("watchdog", "watchdog")
	b := v.body.Block("watchdog")
	b.Set("enabled", true)
	p.text(b, "model", "model")
	p.text(b, "action", "action")
}

// unbase64 decodes a text of smbios1.
func unbase64(s string) (string, bool) {
	raw, err := base64.StdEncoding.DecodeString(s)
	return string(raw), err == nil
}
