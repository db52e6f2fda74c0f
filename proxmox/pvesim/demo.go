package pvesim

import (
	"fmt"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/images"
)

// demoSeed makes every demo alike but for its time.
const demoSeed = 7

// DemoWorld is a homelab of three nodes and 25 guests as it might be found, and uses all that is simulated. The token of
// RootToken works on it. What is wrong with it:
//
//   - pve3 is off, so the replication of influxdb to it fails, and its guests are not known;
//   - pve2 has given out more memory than it has, its thin pool is nearly full, its only disk is worn out and its certificate
//     ends soon;
//   - the nas (200) is slow: its pool tank on pve1 has lost a disk and is nearly full, and docker1 (202) has been writing to
//     the same pool for three hours, so that the node waits for it;
//   - the backup of gitlab (206) fails every time since nine days, unifi (107) has kept its lock from a mount that was
//     forgotten and is not backed up either, minecraft, test-debian, runner and old-mailserver are in no job;
//   - vpn (204) and unifi should start with their node and do not run, test-debian and old-mailserver still have IDE disks or
//     e1000 cards, some snapshots are old, packages wait for an update, and the notes of minecraft try to give orders.
//
// All of its past is relative to now, so that it is the same at any time of day.
func DemoWorld(now time.Time) *World {
	b := newBuilder(demoSeed, now)
	b.w.Cluster.Name, b.w.HAManager = "homelab", true
	b.demoNodes()
	b.demoStorage()
	b.w.Downloads = map[string]int64{"docker://docker.io/library/alpine:3.22": 4 * mib, "docker://docker.io/library/nginx:1.29-alpine": 21 * mib,
		"docker://docker.io/library/nginx:1.29": 73 * mib, "docker://ghcr.io/home-assistant/home-assistant:2026.11": 690 * mib,
		"https://cloud.debian.org/images/cloud/trixie/latest/debian-13-genericcloud-amd64.qcow2": 330 * mib}
	for _, name := range images.Names() { // their real sizes differ
		if i, err := images.Find("image", name, "import"); err == nil {
			b.w.Downloads[i.URL] = 340 * mib
		}
	}
	b.w.Pools = []*Pool{{ID: "home", Comment: "things the family uses", Storages: []string{"tank"}},
		{ID: "lab", Comment: "may break"}}
	b.demoServices()
	b.demoHosts()
	b.demoCluster()
	b.demoTemplates()
	b.demoNeglect()
	b.demoSnapshots()
	b.demoBackups()
	b.demoTasks()
	b.demoHousehold()
	b.demoFirewall()
	b.demoSDN()
	b.demoReplication()
	pve3 := b.w.Node("pve3")
	pve3.Online = false
	for _, g := range b.w.Guests() {
		if g.Node == "pve3" {
			g.Live = Live{}
		}
		g.redigest()
		g.prev = nil
	}
	return b.w
}

func (b *builder) demoNodes() {
	day := 24 * time.Hour
	b.node(nodeSpec{name: "pve1", ip: "192.168.1.11", model: "Intel(R) Core(TM) i5-12600H", vendor: "GenuineIntel", cores: 12, threads: 1,
		mem: 64 * gib, memUsed: 41 * gib, rootTotal: 94 * gib, rootUsed: 31 * gib, cpu: 0.18, up: 41*day + 5*time.Hour})
	b.node(nodeSpec{name: "pve2", ip: "192.168.1.12", model: "Intel(R) Core(TM) i5-12600H", vendor: "GenuineIntel", cores: 12, threads: 1,
		mem: 48 * gib, memUsed: 41 * gib, rootTotal: 94 * gib, rootUsed: 22 * gib, cpu: 0.11, up: 41*day + 4*time.Hour})
	b.node(nodeSpec{name: "pve3", ip: "192.168.1.13", model: "AMD Ryzen 9 7950X 16-Core Processor", vendor: "AuthenticAMD", cores: 16, threads: 2,
		mem: 128 * gib, memUsed: 0, rootTotal: 94 * gib, rootUsed: 18 * gib, cpu: 0, up: 9 * day})
}

func (b *builder) demoStorage() {
	n := b.w.Nodes
	b.storage(Object{"storage": "local", "type": "dir", "path": "/var/lib/vz", "content": "iso,vztmpl,snippets,import", "digest": emptyDigest}, 31*gib, 94*gib, n...)
	b.storage(Object{"storage": "local-lvm", "type": "lvmthin", "vgname": "pve", "thinpool": "data", "content": "images,rootdir", "digest": emptyDigest}, 410*gib, 794*gib, n...)
	b.fill(n[1], "local-lvm", 722*gib)
	b.storage(Object{"storage": "local-zfs", "type": "zfspool", "pool": "rpool/data", "content": "images,rootdir", "sparse": 1, "digest": emptyDigest}, 118*gib, 450*gib, n...)
	b.storage(Object{"storage": "tank", "type": "zfspool", "pool": "tank", "content": "images,rootdir", "nodes": "pve1", "sparse": 1, "mountpoint": "/tank",
		"digest": emptyDigest}, 3386*gib, 3686*gib, n[0])
	b.storage(Object{"storage": "nas-backup", "type": "nfs", "server": "192.168.1.20", "export": "/volume1/proxmox", "path": "/mnt/pve/nas-backup",
		"content": "backup,iso", "shared": 1, "prune-backups": "keep-daily=7,keep-weekly=4", "digest": emptyDigest}, 2100*gib, 7200*gib, n...)
	b.volume(n[0], "local", "iso/debian-13.1.0-amd64-netinst.iso", "iso", "iso", 783*mib, 0)
	b.volume(n[0], "local", "iso/virtio-win-0.1.285.iso", "iso", "iso", 754*mib, 0)
	b.volume(n[0], "local", "vztmpl/debian-13-standard_13.1-2_amd64.tar.zst", "vztmpl", "tzst", 124*mib, 0)
	b.volume(n[1], "local", "vztmpl/debian-13-standard_13.1-2_amd64.tar.zst", "vztmpl", "tzst", 124*mib, 0)
}

// demoServices are the containers.
func (b *builder) demoServices() {
	type ct struct {
		id              int
		node, name      string
		cores, mem, gib int
		ip, tags, notes string
		up              time.Duration
	}
	d := 24 * time.Hour
	for _, c := range []ct{
		{101, "pve1", "pihole", 1, 512, 4, "192.168.1.53", "dns;infra", "DNS for the whole house, ask before touching", 41 * d},
		{102, "pve2", "pihole2", 1, 512, 4, "192.168.1.54", "dns;infra", "", 41 * d},
		{103, "pve1", "caddy", 1, 1024, 8, "192.168.1.30", "infra;web", "reverse proxy, https://*.home.lan", 41 * d},
		{104, "pve1", "jellyfin", 4, 4096, 32, "192.168.1.31", "media", "media mounted from the nas", 12 * d},
		{105, "pve2", "grafana", 2, 2048, 16, "192.168.1.32", "monitoring", "", 30 * d},
		{106, "pve2", "influxdb", 2, 4096, 64, "192.168.1.33", "monitoring", "", 30 * d},
		{107, "pve2", "unifi", 2, 2048, 16, "192.168.1.34", "infra", "", 0},
		{108, "pve1", "paperless", 2, 2048, 32, "192.168.1.35", "docs", "scans land in /consume", 3 * d},
		{109, "pve3", "ollama", 8, 16384, 128, "", "ai", "", 0},
	} {
		extra := Object{"tags": c.tags, "onboot": 1}
		if c.notes != "" {
			extra["description"] = c.notes + "\n"
		}
		g := b.container(c.id, c.node, c.name, c.cores, c.mem, c.gib, c.ip, extra)
		g.Pool = "home"
		if c.up > 0 {
			b.run(g, c.up, 0.01+0.1*b.rng.Float64())
		}
	}
	for _, id := range []int{105, 106} { // these are replicated, which needs ZFS
		b.rootOn(b.w.Guest(id), "local-zfs")
	}
	b.w.Guest(104).Config["mp0"] = "/tank/media,mp=/media,ro=1"
	b.w.Guest(109).Pool = "lab"
	delete(b.w.Guest(109).Config, "onboot")
}

// demoHosts are the virtual machines that stand alone.
func (b *builder) demoHosts() {
	d := 24 * time.Hour
	b.demoMachine(200, "pve1", "nas", 4, 8192, 32, "192.168.1.20", "infra;storage", 41*d, Object{"onboot": 1, "startup": "order=1,up=60",
		"scsi1": "tank:vm-200-disk-0,size=3T", "description": "TrueNAS.\nBacks the storage nas-backup: start it first.", "hostpci0": "0000:02:00.0,pcie=1", "machine": "q35"})
	b.demoMachine(201, "pve1", "home-assistant", 2, 4096, 32, "192.168.1.21", "home;iot", 20*d, Object{"onboot": 1, "bios": "ovmf", "machine": "q35",
		"efidisk0": "local-lvm:vm-201-disk-1,efitype=4m,size=4M", "usb0": "host=10c4:ea60", "description": "Home Assistant OS"})
	b.demoMachine(202, "pve1", "docker1", 4, 8192, 64, "192.168.1.22", "docker", 18*d, Object{"onboot": 1, "ipconfig0": "ip=192.168.1.22/24,gw=192.168.1.1",
		"ide2": "local-lvm:vm-202-cloudinit,media=cdrom", "ciuser": "admin", "scsi1": "tank:vm-202-disk-0,discard=on,iothread=1,size=400G"})
	b.demoMachine(203, "pve2", "docker2", 4, 8192, 64, "192.168.1.23", "docker", 18*d, Object{"onboot": 1})
	// Something starts with its node but does not run: a finding.
	b.demoMachine(204, "pve2", "vpn", 1, 1024, 8, "", "infra", 0, Object{"onboot": 1, "description": "wireguard"})
	b.demoMachine(205, "pve3", "windows-desktop", 8, 32768, 256, "", "desktop", 0, Object{"ostype": "win11", "bios": "ovmf", "machine": "pc-q35-10.1", "agent": "1",
		"efidisk0": "local-lvm:vm-205-disk-1,efitype=4m,pre-enrolled-keys=1,size=4M", "tpmstate0": "local-lvm:vm-205-disk-2,size=4M,version=v2.0", "cpu": "host",
		"hostpci0": "0000:01:00,pcie=1,x-vga=1", "vga": "none"})
	b.demoMachine(206, "pve2", "gitlab", 4, 12288, 100, "192.168.1.26", "dev;git", 9*d, Object{"onboot": 1})
	b.demoMachine(207, "pve2", "minecraft", 4, 8192, 40, "192.168.1.27", "games", 2*d, Object{"agent": nil})
	b.demoMachine(208, "pve1", "test-debian", 2, 2048, 16, "", "test", 0, nil)
	for _, id := range []int{200, 201} {
		b.w.Guest(id).Pool = "home"
	}
	b.w.Guest(208).Pool = "lab"
	b.w.SetPending(202, "memory", "12288")
}

func (b *builder) demoMachine(id int, node, name string, cores, mem, disk int, ip, tags string, up time.Duration, extra Object) {
	if extra == nil {
		extra = Object{}
	}
	extra["tags"] = tags
	g := b.machine(id, node, name, cores, mem, disk, extra)
	if up > 0 {
		b.run(g, up, 0.02+0.2*b.rng.Float64())
		if ip != "" {
			b.agent(g, ip, "Debian GNU/Linux 13 (trixie)")
		}
	}
}

// demoCluster is a k3s cluster with one member on each node, linked to a template where that is near.
func (b *builder) demoCluster() {
	for i, node := range []string{"pve1", "pve2", "pve3"} {
		id := 301 + i
		up := 15 * 24 * time.Hour
		if node == "pve3" {
			up = 0
		}
		b.demoMachine(id, node, fmt.Sprintf("k3s-%d", i+1), 4, 8192, 50, fmt.Sprintf("192.168.1.%d", 40+i), "k3s;lab", up, Object{"onboot": 1})
		b.w.Guest(id).Pool = "lab"
	}
	b.w.Cluster.Lists["ha_resources"] = []Object{{"sid": "vm:203", "type": "vm", "state": "started", "comment": "docker2 moves when pve2 fails",
		"digest": b.hex(20)}}
}

func (b *builder) demoTemplates() {
	b.demoMachine(900, "pve1", "debian13-template", 2, 2048, 8, "", "template", 0, Object{"template": 1, "scsi0": "local-lvm:base-900-disk-0,discard=on,size=8G,ssd=1",
		"ide2": "local-lvm:vm-900-cloudinit,media=cdrom", "ciuser": "admin", "ipconfig0": "ip=dhcp", "description": "cloud-init, Debian 13"})
	// A linked clone of the template, which on thin LVM does not show.
	b.demoMachine(210, "pve1", "runner", 2, 4096, 8, "192.168.1.28", "ci;lab", 5*24*time.Hour, Object{"scsi0": "local-lvm:vm-210-disk-0,discard=on,size=8G,ssd=1"})
	b.w.Guest(210).Pool = "lab"
	b.container(901, "pve2", "debian13-ct-template", 1, 512, 4, "", Object{"template": 1, "tags": "template", "rootfs": "local-lvm:base-901-disk-0,size=4G"})
	b.demoMachine(211, "pve2", "old-mailserver", 2, 2048, 40, "", "", 0, Object{"description": "replaced in spring, keep until the end of the year", "protection": 1,
		"scsi0": nil, "scsihw": nil, "ide0": "local-lvm:vm-211-disk-0,size=40G", "boot": "order=ide0", "net0": "e1000=" + b.mac() + ",bridge=vmbr0", "agent": nil, "cpu": "kvm64",
		"machine": "pc-i440fx-7.2"})
}

func (b *builder) demoSnapshots() {
	take := func(vmid int, name, text string, ago time.Duration) {
		s := b.w.AddSnapshot(vmid, name, text)
		s.Time = b.now.Add(-ago)
		s.Config["snaptime"] = s.Time.Unix()
	}
	d := 24 * time.Hour
	take(201, "before-2026-10", "before the October update", 34*d)
	take(201, "before-2026-11", "before the November update", 12*d)
	take(206, "pre-upgrade-18", "GitLab 18.5 to 18.6", 9*d)
	take(208, "clean", "fresh install", 200*d)
	take(104, "working", "transcoding works", 60*d)
}
