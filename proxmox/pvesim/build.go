package pvesim

import (
	"encoding/hex"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"
)

const gib = 1 << 30

// builder makes worlds that are not recorded. All chance comes from its seed.
type builder struct {
	w   *World
	rng *rand.Rand
	now time.Time
}

func newBuilder(seed uint64, now time.Time) *builder {
	now = now.UTC().Truncate(time.Second)
	w := &World{TakenAt: now, guests: map[int]*Guest{},
		Version: Object{"version": "9.2.11", "release": "9.2", "repoid": "14a22df3b2e1c5aa"},
		Cluster: &Cluster{Quorate: true, Lists: map[string][]Object{}, Firewall: newFirewall()}}
	b := &builder{w: w, rng: rand.New(rand.NewPCG(seed, 0x5eed)), now: now} //nolint:gosec // repeatable on purpose
	b.access()
	b.services()
	return b
}

func (b *builder) hex(n int) string {
	raw := make([]byte, n)
	for i := range raw {
		raw[i] = byte(b.rng.UintN(256))
	}
	return hex.EncodeToString(raw)
}

func (b *builder) uuid() string {
	h := b.hex(16)
	return h[:8] + "-" + h[8:12] + "-4" + h[13:16] + "-a" + h[17:20] + "-" + h[20:]
}

// mac is in the range that Proxmox gives to guests.
func (b *builder) mac() string {
	h := strings.ToUpper(b.hex(3))
	return "BC:24:11:" + h[:2] + ":" + h[2:4] + ":" + h[4:]
}

// Secrets of the accounts of a made world. They guard nothing.
const (
	demoPassword = "demo-password"
	demoSecret   = "deadbeef-0000-4000-8000-00000000cafe"
	viewSecret   = "deadbeef-0000-4000-8000-00000000f00d"
)

// access makes root@pam with the full token demo, and viewer@pve with PVEAuditor on / and the separated token mon.
func (b *builder) access() {
	b.w.Access = &Access{Roles: builtinRoles(), Realms: []Object{
		{"realm": "pam", "type": "pam", "comment": "Linux PAM standard authentication", "detail": Object{"type": "pam", "comment": "Linux PAM standard authentication"}},
		{"realm": "pve", "type": "pve", "comment": "Proxmox VE authentication server", "detail": Object{"type": "pve", "comment": "Proxmox VE authentication server"}},
	}}
	b.w.AddUser(rootUser, demoPassword)
	b.w.AddToken(rootUser, "demo", demoSecret, false)
	b.w.AddUser("viewer@pve", demoPassword)
	b.w.AddToken("viewer@pve", "mon", viewSecret, true)
	b.w.AddACL("/", "user", "viewer@pve", "PVEAuditor", true)
	b.w.AddACL("/", "token", "viewer@pve!mon", "PVEAuditor", true)
}

// services fills the collections that every installation has.
func (b *builder) services() {
	l := b.w.Cluster.Lists
	l["notification_targets"] = []Object{{"name": "mail-to-root", "type": "sendmail", "origin": "builtin", "comment": "Send mails to root@pam"}}
	l["notification_matchers"] = []Object{{"name": "default-matcher", "mode": "all", "origin": "builtin", "target": []string{"mail-to-root"},
		"comment": "Route all notifications to mail-to-root"}}
	for _, e := range []string{"gotify", "sendmail", "smtp", "webhook"} {
		l["notification_endpoints"] = append(l["notification_endpoints"], Object{"name": e})
	}
	l["acme_plugins"] = []Object{{"plugin": "standalone", "type": "standalone", "digest": emptyDigest}}
	l["sdn_ipams"] = []Object{{"ipam": "pve", "type": "pve", "digest": emptyDigest}}
	b.w.Cluster.Options = Object{"keyboard": "en-us", "mac_prefix": "BC:24:11"}
}

// nodeSpec is the machine behind a node.
type nodeSpec struct {
	name, ip, model, vendor string
	cores, threads          int
	mem                     int64 // bytes
	rootTotal, rootUsed     int64
	cpu                     float64
	memUsed                 int64
	up                      time.Duration
}

func (b *builder) node(s nodeSpec) *Node {
	n := &Node{Name: s.name, ID: len(b.w.Nodes) + 1, IP: s.ip, Online: true, Booted: b.now.Add(-s.up), CPU: s.cpu, Mem: s.memUsed,
		Content: map[string][]Object{}, Firewall: newFirewall()}
	kernel := "6.17.4-2-pve"
	cpus := s.cores * s.threads
	n.Info = Object{
		"status": Object{
			"boot-info": Object{"mode": "efi", "secureboot": 0}, "cpu": s.cpu, "idle": 0, "ksm": Object{"shared": 0},
			"cpuinfo": Object{"cores": s.cores, "cpus": cpus, "sockets": 1, "model": s.model, "vendor": s.vendor, "mhz": "3600.000",
				"hvm": "1", "user_hz": 100, "family": "6", "flags": "fpu vme de pse tsc msr pae mce cx8 apic sep vmx aes avx avx2"},
			"current-kernel": Object{"machine": "x86_64", "release": kernel, "sysname": "Linux", "version": "#1 SMP PREEMPT_DYNAMIC PMX " + kernel},
			"kversion":       "Linux " + kernel + " #1 SMP PREEMPT_DYNAMIC PMX " + kernel,
			"loadavg":        []string{fmt.Sprintf("%.2f", s.cpu*float64(cpus)), fmt.Sprintf("%.2f", s.cpu*float64(cpus)*0.9), fmt.Sprintf("%.2f", s.cpu*float64(cpus)*0.8)},
			"memory":         Object{"total": s.mem, "used": s.memUsed, "free": s.mem - s.memUsed, "available": s.mem - s.memUsed},
			"pveversion":     "pve-manager/9.2.11/14a22df3b2e1c5aa",
			"rootfs":         Object{"total": s.rootTotal, "used": s.rootUsed, "free": s.rootTotal - s.rootUsed, "avail": s.rootTotal - s.rootUsed},
			"swap":           Object{"total": int64(8 * gib), "used": 0, "free": int64(8 * gib)}, "uptime": int64(s.up / time.Second), "wait": 0.002,
		},
		"version":      b.w.Version,
		"dns":          Object{"dns1": "192.168.1.1", "search": "home.lan"},
		"time":         Object{"timezone": "Europe/Berlin", "time": b.now.Unix(), "localtime": b.now.Unix() + 3600},
		"config":       Object{"digest": emptyDigest},
		"hosts":        Object{"data": "127.0.0.1 localhost\n" + s.ip + " " + s.name + ".home.lan " + s.name + "\n", "digest": b.hex(20)},
		"network":      anyList(b.network(s.ip)),
		"services":     anyList(nodeServices()),
		"subscription": Object{"status": "notfound", "message": "There is no subscription key", "serverid": strings.ToUpper(b.hex(16)), "url": "https://www.proxmox.com/en/proxmox-virtual-environment/pricing"},
		"certificates": []any{}, "apt_versions": []any{}, "apt_update": []any{}, "disks": []any{}, "pci": []any{}, "usb": []any{},
		"cpu_models": []any{}, "machines": []any{}, "replication": []any{}, "netstat": []any{}, "aplinfo": templateList(),
		"apt_repositories": defaultRepositories(),
	}
	b.w.Nodes = append(b.w.Nodes, n)
	b.w.Cluster.Resources = append(b.w.Cluster.Resources, zoneRow(n.Name, localZone, Object{"status": "ok"}))
	return n
}

func anyList(list []Object) []any {
	out := make([]any, len(list))
	for i, o := range list {
		out[i] = o
	}
	return out
}

func (b *builder) network(ip string) []Object {
	return []Object{
		{"iface": "enp1s0", "type": "eth", "method": "manual", "method6": "manual", "families": []string{"inet"}, "priority": 3, "exists": 1, "active": 1},
		{"iface": "vmbr0", "type": "bridge", "method": "static", "method6": "manual", "families": []string{"inet"}, "priority": 4, "active": 1, "autostart": 1,
			"address": ip, "netmask": "24", "cidr": ip + "/24", "gateway": "192.168.1.1", "bridge_ports": "enp1s0", "bridge_stp": "off", "bridge_fd": "0",
			"bridge_vlan_aware": 1, "bridge_vids": "2-4094"},
	}
}

func nodeServices() []Object {
	var out []Object
	for _, s := range []string{"chrony", "corosync", "cron", "ksmtuned", "lxcfs", "postfix", "proxmox-firewall", "pve-cluster", "pve-firewall",
		"pve-ha-crm", "pve-ha-lrm", "pve-lxc-syscalld", "pvedaemon", "pveproxy", "pvescheduler", "pvestatd", "qmeventd", "spiceproxy", "sshd",
		"systemd-journald"} {
		out = append(out, Object{"service": s, "name": s, "desc": s, "state": "running", "active-state": "active", "unit-state": "enabled"})
	}
	return out
}

// storage defines a storage and its status on nodes; used and total are bytes.
func (b *builder) storage(def Object, used, total int64, nodes ...*Node) {
	b.w.Storages = append(b.w.Storages, def)
	for _, n := range nodes {
		n.Storage = append(n.Storage, Object{"storage": def["storage"], "type": def["type"], "content": def["content"], "shared": bit(truth(def["shared"])),
			"enabled": bit(!truth(def["disable"])), "active": bit(!truth(def["disable"])), "total": total, "used": used, "avail": total - used,
			"used_fraction": float64(used) / float64(max(1, total))})
	}
}

// volume puts a volume on a node's storage.
func (b *builder) volume(n *Node, store, name, kind, format string, size int64, vmid int) string {
	volid := store + ":" + name
	v := Object{"volid": volid, "content": kind, "format": format, "size": size, "ctime": b.now.Add(-240 * time.Hour).Unix()}
	if vmid > 0 {
		v["vmid"] = vmid
	}
	n.Content[store] = append(n.Content[store], v)
	return volid
}

// machine makes a virtual machine with one disk on local-lvm.
func (b *builder) machine(vmid int, node, name string, cores, memory, disk int, extra Object) *Guest {
	config := Object{
		"name": name, "cores": cores, "sockets": 1, "memory": strconv.Itoa(memory), "cpu": "x86-64-v2-AES", "ostype": "l26",
		"scsihw": "virtio-scsi-single", "scsi0": fmt.Sprintf("local-lvm:vm-%d-disk-0,discard=on,iothread=1,size=%dG,ssd=1", vmid, disk), "boot": "order=scsi0",
		"net0": "virtio=" + b.mac() + ",bridge=vmbr0,firewall=1", "agent": "1", "numa": 0,
		"smbios1": "uuid=" + b.uuid(), "vmgenid": b.uuid(), "meta": "creation-qemu=10.1.2,ctime=" + strconv.FormatInt(b.now.Add(-4000*time.Hour).Unix()+int64(vmid), 10),
	}
	return b.guest(vmid, typeQEMU, node, config, extra)
}

// container makes a container with one root disk on local-lvm.
func (b *builder) container(vmid int, node, name string, cores, memory, disk int, ip string, extra Object) *Guest {
	address := "ip=dhcp"
	if ip != "" {
		address = "gw=192.168.1.1,ip=" + ip + "/24"
	}
	config := Object{
		"hostname": name, "arch": "amd64", "ostype": "debian", "cores": cores, "memory": memory, "swap": 512, "unprivileged": 1,
		"features": "nesting=1", "rootfs": fmt.Sprintf("local-lvm:vm-%d-disk-0,size=%dG", vmid, disk),
		"net0": "name=eth0,bridge=vmbr0,firewall=1," + strings.Replace(address, "ip=", "hwaddr="+b.mac()+",ip=", 1) + ",type=veth",
	}
	return b.guest(vmid, typeLXC, node, config, extra)
}

func (b *builder) guest(vmid int, kind, node string, config, extra Object) *Guest {
	for k, v := range extra {
		if v == nil {
			delete(config, k)
			continue
		}
		config[k] = v
	}
	b.volumes(b.w.Node(node), vmid, kind, config)
	return b.w.AddGuest(&Guest{VMID: vmid, Type: kind, Node: node, Config: config})
}

// volumes puts what a configuration names on the storages of its node.
func (b *builder) volumes(n *Node, vmid int, kind string, config Object) {
	content := contentImages
	if kind == typeLXC {
		content = contentRootDir
	}
	for _, key := range slices.Sorted(maps.Keys(config)) {
		drive := text(config[key])
		store, name, ok := strings.Cut(driveVolume(drive), ":")
		if !ok || !isVolume(key) || strings.HasPrefix(name, "iso/") {
			continue
		}
		size := driveSize(drive)
		if size == 0 {
			size = cloudInitSize
		}
		b.volume(n, store, name, content, "raw", size, vmid)
	}
}

// run makes a guest run since some time, with believable figures.
func (b *builder) run(g *Guest, up time.Duration, cpu float64) *Guest {
	mem := int64(float64(g.maxMem()) * (0.25 + 0.6*b.rng.Float64()))
	secs := int64(up / time.Second)
	g.Live = Live{Running: true, Since: b.now.Add(-up), PID: b.w.nextPID(), CPU: cpu, Mem: mem, MemHost: mem,
		NetIn: secs * int64(800+b.rng.IntN(9000)), NetOut: secs * int64(400+b.rng.IntN(5000)),
		DiskRead: secs * int64(1500+b.rng.IntN(9000)), DiskWrite: secs * int64(3000+b.rng.IntN(9000))}
	if g.Type == typeLXC {
		g.Live.MemHost = 0
		g.Live.Disk = int64(float64(g.maxDisk()) * (0.2 + 0.5*b.rng.Float64()))
	}
	return g
}

// agent gives a machine a guest agent that reports one address.
func (b *builder) agent(g *Guest, ip, pretty string) *Guest {
	g.Agent = Agent{Running: true, HostName: g.Name(), OSInfo: Object{"id": "debian", "name": "Debian GNU/Linux", "pretty-name": pretty,
		"machine": "x86_64", "kernel-release": "6.12.57-amd64"}}
	g.Interfaces = []Object{
		{"name": "lo", "hardware-address": "00:00:00:00:00:00", "ip-addresses": []Object{{"ip-address": "127.0.0.1", "ip-address-type": "ipv4", "prefix": 8}}},
		{"name": "eth0", "hardware-address": strings.ToLower(nicMAC(text(g.Config["net0"]))),
			"ip-addresses": []Object{{"ip-address": ip, "ip-address-type": "ipv4", "prefix": 24}}},
	}
	return g
}
