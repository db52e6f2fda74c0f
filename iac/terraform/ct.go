package terraform

import (
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/proxmox-mcp/proxmox-mcp/iac"
	"github.com/proxmox-mcp/proxmox-mcp/internal/redact"
)

// ctRules write a container, in the order of the file.
var ctRules = []func(*ct){
	(*ct).identity, (*ct).console, (*ct).cpu, (*ct).devices, (*ct).disk, (*ct).features, (*ct).idmap, (*ct).initialization, (*ct).memory, (*ct).mounts, (*ct).nics,
	(*ct).system, func(c *ct) { c.startup() },
}

// timeouts are attributes with defaults that an import leaves unset (facts 8.1).
var timeouts = []Ref{"timeout_clone", "timeout_create", "timeout_delete", "timeout_start", "timeout_update"}

func (c *ct) identity() {
	c.notes("\n")
	c.tags()
	c.place()
	c.skip("vm_id", "an import leaves it unset")
	c.flag(c.body, "template", "template", false)
	c.started()
	c.take("onboot", "start_on_boot")
	c.body.Set("start_on_boot", c.conf.Bool("onboot"))
	c.flag(c.body, "protection", "protection", false)
	c.take("unprivileged", "unprivileged") // absent means privileged (rule C9)
	c.body.Set("unprivileged", c.conf.Bool("unprivileged"))
	c.text(c.body, "hookscript", "hook_script_file_id", "hook_script_file_id")
	c.environment()
	for _, t := range timeouts {
		c.skip(t, "an import leaves it unset")
	}
}

// environment is a list of NAME=value, separated by NUL (rule C3).
func (c *ct) environment() {
	env := map[string]string{}
	for e := range strings.SplitSeq(c.conf.Str("env"), "\x00") {
		name, value, ok := strings.Cut(e, "=")
		if ok && (!word(name) || strings.ContainsFunc(value, unicode.IsControl) || strings.Contains(value, redact.Mask)) {
			c.skip("environment_variables", "holds a secret, which is not known here, or what the provider does not take")
			c.tell("env", iac.Ignored, "environment_variables", "holds a secret, which is masked in the store, or what the provider does not take")
			return
		}
		if ok {
			env[name] = value
		}
	}
	if len(env) > 0 {
		c.take("env", "environment_variables")
		c.body.Set("environment_variables", env)
	}
}

// word says that a text has letters, digits and _ alone.
func word(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == ""
}

// console is kept by the provider in all cases but one: set explicitly to what is the default (rule C1).
func (c *ct) console() {
	tty, ttySet := c.conf.Int("tty")
	mode := c.conf.Str("cmode")
	if c.has("console") && c.conf.Bool("console") && (mode == "" || mode == "tty") && (!ttySet || tty == 2) {
		for _, key := range []string{"console", "tty", "cmode"} {
			c.tell(key, iac.Default, "console", "the provider's default")
		}
		return
	}
	b := c.body.Block("console")
	b.Set("enabled", !c.has("console") || c.conf.Bool("console"))
	if c.take("console", "console.enabled"); !ttySet {
		tty = 2
	}
	c.take("tty", "console.tty_count")
	b.Set("tty_count", tty)
	if mode = c.take("cmode", "console.type"); mode == "" {
		mode = "tty"
	}
	b.Set("type", mode)
}

func (c *ct) cpu() {
	cores, _ := c.conf.Int("cores")
	units, _ := c.conf.Int("cpuunits")
	arch := c.conf.Str("arch")
	limit, _ := strconv.ParseFloat(c.conf.Str("cpulimit"), 64) // what is no number is none
	if cores <= 1 && units == 0 && (arch == "" || arch == "amd64") && limit == 0 {
		for _, key := range []string{"arch", "cores", "cpuunits", "cpulimit"} {
			c.tell(key, iac.Default, "cpu", "the provider's default")
		}
		return
	}
	b := c.body.Block("cpu")
	if c.take("arch", "cpu.architecture"); arch == "" {
		arch = "amd64"
	}
	c.choice(b, "architecture", arch, at("cpu", 0, "architecture"), oneOf("amd64", "arm64", "armhf", "i386"))
	c.take("cores", "cpu.cores")
	b.Set("cores", max(cores, 1))
	c.limit(b)
	if c.take("cpuunits", "cpu.units"); units > 0 {
		b.Set("units", units)
	}
}

func (c *ct) devices() {
	for n, key := range c.g.Series("dev") {
		p := c.props(key, "device_passthrough["+strconv.Itoa(n)+"]")
		b := c.body.Block("device_passthrough")
		p.text(b, "path", "path")
		p.number(b, "uid", "uid")
		p.number(b, "gid", "gid")
		p.text(b, "mode", "mode")
		p.flag(b, "deny-write", "deny_write", false)
	}
}

// disk is the root file system; of a host directory the whole path is the store (rule C4).
func (c *ct) disk() {
	if !c.has("rootfs") {
		return
	}
	p := c.props("rootfs", "disk")
	b := c.body.Block("disk")
	volume := p.str("volume")
	store, _, _ := strings.Cut(volume, ":")
	b.Set("datastore_id", store)
	size, ok := gibs(p.str("size"))
	if b.Set("size", size); !ok {
		c.skip(at("disk", 0, "size"), "below 1 GiB or not told, which the schema refuses")
	}
	for _, f := range []string{"acl", "quota", "replicate"} {
		if v, ok := p.get(f); ok {
			b.Set(f, v == "1")
		}
	}
	p.list(b, "mountoptions", "mount_options", ";")
}

// features are those that are on (rule C8).
func (c *ct) features() {
	if !c.has("features") {
		return
	}
	p := c.props("features", "features")
	b := &Body{}
	for _, f := range []string{"fuse", "keyctl", "mknod", "nesting"} {
		p.flag(b, f, f, false)
	}
	mounts := split(p.str("mount"), ";")
	if slices.ContainsFunc(mounts, func(m string) bool { return m != "nfs" && m != "cifs" }) {
		b.Set("mount", []string{})
		c.skip(at("features", 0, "mount"), "the provider takes nfs and cifs alone")
	} else if len(mounts) > 0 {
		b.Set("mount", mounts)
	}
	if b.Empty() {
		c.tell("features", iac.Default, "features", "none is on")
		return
	}
	c.body.items = append(c.body.items, item{name: "features", body: b})
}

// idmap are the raw lines that the provider knows (rule C7).
func (c *ct) idmap() {
	var others []string
	for _, pair := range c.g.Pairs("lxc") {
		f := strings.Fields(pair[1])
		if pair[0] != "lxc.idmap" || len(f) != 4 {
			others = append(others, pair[0])
			continue
		}
		b := c.body.Block("idmap")
		b.Set("type", map[string]string{"u": "uid", "g": "gid"}[f[0]])
		for i, attr := range []string{"container_id", "host_id", "size"} {
			n, err := strconv.ParseInt(f[i+1], 10, 64)
			if err == nil {
				b.Set(attr, n)
			}
		}
		c.take("lxc", "idmap")
	}
	if len(others) > 0 {
		slices.Sort(others)
		c.how["lxc"] = iac.KeyCoverage{Key: "lxc", As: c.taken["lxc"], How: iac.Unrepresented, Why: "raw lines but lxc.idmap: " + strings.Join(slices.Compact(others), ", ")}
	}
}

func (c *ct) initialization() {
	b := c.body.Block("initialization")
	c.prefix = "initialization."
	defer func() { c.prefix = "" }()
	name := c.take("hostname", "initialization.hostname") // empty where it is not set (rule C5)
	c.choice(b, "hostname", name, at("initialization", 0, "hostname"), func(s string) bool { return s == "" || dnsName().MatchString(s) })
	c.text(b, "entrypoint", "entrypoint", at("initialization", 0, "entrypoint"))
	c.dns(b)
	for _, key := range c.g.Series("net") {
		p := iac.ParseProps(key, c.conf.Str(key))
		if p.Str("ip")+p.Str("gw")+p.Str("ip6")+p.Str("gw6") != "" {
			ipConfig(&parts{Props: p, k: c.keys, key: key, taken: map[string]bool{}}, b.Block("ip_config"))
		}
	}
}

// memory is left out at the provider's default and where Proxmox VE has none (rule C5).
func (c *ct) memory() {
	memory, set := c.conf.Int("memory")
	swap, _ := c.conf.Int("swap")
	if set && memory == 512 && swap == 0 {
		c.tell("memory", iac.Default, "memory.dedicated", "the provider's default")
		c.tell("swap", iac.Default, "memory.swap", "the provider's default")
		return
	}
	b := c.body.Block("memory")
	c.take("memory", "memory.dedicated")
	if !set {
		memory = 512
		c.skip(at("memory", 0, "dedicated"), "not set in Proxmox VE, which the provider reads as 0")
	}
	b.Set("dedicated", memory)
	c.take("swap", "memory.swap")
	b.Set("swap", swap)
}

func (c *ct) mounts() {
	for n, key := range c.g.Series("mp") {
		p := c.props(key, "mount_point["+strconv.Itoa(n)+"]")
		b := c.body.Block("mount_point")
		p.text(b, "volume", "volume")
		p.text(b, "mp", "path")
		p.text(b, "size", "size")
		for _, f := range [][2]string{{"acl", "acl"}, {"backup", "backup"}, {"quota", "quota"}, {"ro", "read_only"}, {"shared", "shared"}} {
			p.flag(b, f[0], f[1], false)
		}
		p.flag(b, "replicate", "replicate", true)
		p.list(b, "mountoptions", "mount_options", ";")
	}
}

// nics are in numeric order; their addresses stand in initialization (rule C2).
func (c *ct) nics() {
	for n, key := range c.g.Series("net") {
		p := c.props(key, "network_interface["+strconv.Itoa(n)+"]")
		b := c.body.Block("network_interface")
		p.text(b, "name", "name")
		b.Set("bridge", p.str("bridge"))
		p.text(b, "hwaddr", "mac_address")
		p.flag(b, "firewall", "firewall", false)
		p.flag(b, "host-managed", "host_managed", false)
		p.number(b, "mtu", "mtu")
		if rate, err := strconv.ParseFloat(p.str("rate"), 64); err == nil {
			b.Set("rate_limit", rate)
		}
		p.number(b, "tag", "vlan_id")
		for _, f := range []string{"ip", "gw", "ip6", "gw6"} {
			p.taken[f] = true
		}
		p.taken["type"] = p.Str("type") == "veth" // the only type
	}
}

var systems = oneOf("alpine", "archlinux", "centos", "debian", "devuan", "fedora", "gentoo", "nixos", "opensuse", "ubuntu", "unmanaged")

// system: the file of the template is not known any more, so a user may fill it in without replacing the container.
func (c *ct) system() {
	switch t := c.conf.Str("ostype"); {
	case !c.has("ostype"):
		c.skip("operating_system", "not set in Proxmox VE, which the provider reads as empty")
	case t == "unmanaged":
		c.tell("ostype", iac.Default, "operating_system.type", "the provider's default")
	default:
		b := c.body.Block("operating_system")
		c.take("ostype", "operating_system.type")
		b.Set("template_file_id", "")
		c.choice(b, "type", t, at("operating_system", 0, "type"), systems)
		c.skip(at("operating_system", 0, "template_file_id"), "the template that it was made of is not known")
	}
}
