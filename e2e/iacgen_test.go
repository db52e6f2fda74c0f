package e2e

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"strconv"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
)

// generator makes configurations of guests that a Proxmox VE accepts, as it stores them; the same seed gives the same guests.
type generator struct {
	*rand.Rand
	vmid int
	c    pvesim.Object
	// volumes are those that have to exist: a UEFI disk without its volume makes a plan fail (rule A6), which nothing but the storage knows.
	volumes []string
}

func newGenerator(seed uint64) *generator {
	return &generator{Rand: rand.New(rand.NewPCG(seed, 7))} //nolint:gosec // repeatable on purpose
}

// nastyTexts are names and notes that code has to survive.
var nastyTexts = []string{"plain", "two\nlines", `quotes " and ' and \`, "${terraform} and %{ if }", "{{ ansible }}", "ümläut 日本 🙂", "# comment // /* */", "trailing blank \t.",
	"<<EOT\nEOT", "a: b\n- c", "$${twice} %%{twice}", "../../etc/passwd", strings.Repeat("long ", 40) + "."}

var legalNames = []string{"web", "web", "db.example.com", "1-leading.example.com", "a", "x-1", "terraform", "for", "con", "nul", strings.Repeat("n", 63), "Web", "provider", "null", "true"}

func pick[T any](g *generator, list ...T) T { return list[g.IntN(len(list))] }

// maybe sets a key in one of n guests.
func (g *generator) maybe(n int, key string, value ...any) {
	if g.IntN(n) == 0 {
		g.c[key] = value[g.IntN(len(value))]
	}
}

// options joins a property string's first part with some of the others.
func (g *generator) options(first string, others ...string) string {
	out := []string{first}
	for _, o := range others {
		if g.IntN(4) == 0 {
			out = append(out, o)
		}
	}
	return strings.Join(out, ",")
}

func (g *generator) mac() string {
	return fmt.Sprintf("BC:24:11:%02X:%02X:%02X", g.IntN(256), g.IntN(256), g.IntN(256))
}

// guest makes the next guest.
func (g *generator) guest(vmid int) *pvesim.Guest {
	g.vmid, g.c = vmid, pvesim.Object{}
	guest := &pvesim.Guest{VMID: vmid, Type: "qemu", Node: pick(g, "pve1", "pve2"), Config: g.c}
	g.common()
	if g.IntN(3) == 0 {
		guest.Type = "lxc"
		g.container()
	} else {
		g.machine()
	}
	guest.Live.Running = g.IntN(3) == 0 && g.c["template"] == nil
	if g.IntN(5) == 0 {
		guest.Pool = "generated"
	}
	return guest
}

func (g *generator) common() {
	g.maybe(3, "description", anys(nastyTexts)...)
	g.maybe(3, "tags", "b;a", "one", "Z;a;m", "x_1;y-2")
	g.maybe(3, "onboot", 1, 0)
	g.maybe(8, "protection", 1, 0)
	g.maybe(4, "startup", "order=3", "order=0,up=10,down=20", "up=10", "down=5", "7", "order=1,down=3")
	g.maybe(10, "hookscript", "local:snippets/hook.pl")
	g.maybe(4, "nameserver", "1.1.1.1", "1.1.1.1 fd00::1", "192.168.1.1 192.168.1.2 9.9.9.9", "dns.home.lan 9.9.9.9")
	g.maybe(4, "searchdomain", "home.lan", "example.com")
	g.maybe(15, "template", 1)
	g.maybe(6, "cpulimit", 2, "0.5", "0", 1.5)
	g.maybe(6, "cpuunits", 100, 1024, 2048, 1)
	g.maybe(10, "parent", "before")
}

func anys[T any](list []T) []any {
	out := make([]any, len(list))
	for i := range list {
		out[i] = list[i]
	}
	return out
}

func (g *generator) machine() {
	g.maybe(1, "name", anys(legalNames)...)
	if g.IntN(12) == 0 {
		delete(g.c, "name")
	}
	g.maybe(25, "name", anys(nastyNames)...) // no API takes these; an old file may hold them
	g.c["smbios1"] = "uuid=" + g.uuid()
	g.maybe(5, "smbios1", "uuid="+g.uuid()+",base64=1,manufacturer=QUNNRQ==,serial=MTIz,sku=JHt4fQ==", "base64=1,family=Zg==,uuid="+g.uuid(), "uuid="+g.uuid())
	g.maybe(2, "scsihw", "virtio-scsi-single", "virtio-scsi-pci", "lsi", "megasas", "pvscsi", "lsi53c810")
	g.maybe(2, "ostype", "l26", "other", "win11", "wxp", "solaris", "l24", "w2k8", "win10")
	g.maybe(3, "bios", "ovmf", "seabios")
	g.maybe(3, "machine", "q35", "pc", "pc-q35-9.2+pve1", "pc-i440fx-9.2", "q35,viommu=intel", "pc-q35-8.1", "type=q35", "virt")
	g.maybe(2, "agent", "1", "0", "enabled=1,fstrim_cloned_disks=1", "1,type=isa", "enabled=0,type=isa", "1,freeze-fs-on-backup=0", "type=virtio,enabled=1")
	g.flags()
	g.processor()
	g.memory()
	g.drives()
	g.network()
	g.cloudInit()
	g.devices()
}

func (g *generator) uuid() string {
	return fmt.Sprintf("%08x-0000-4000-8000-%012x", g.Uint32(), g.Uint64N(1<<48))
}

// flags are keys of one value, most of which the provider does not know.
func (g *generator) flags() {
	g.maybe(6, "acpi", 0, 1)
	g.maybe(6, "tablet", 0, 1)
	g.maybe(6, "keyboard", "de", "en-us", "pt-br")
	g.maybe(5, "hotplug", "0", "1", "disk,network,usb", "network,disk,usb,memory,cpu", "usb")
	g.maybe(10, "args", "-device virtio-rng-pci", "-cpu host,+kvm_pv_unhalt", " ", `-smbios "type=1,x=${y}"`)
	for _, key := range []string{"localtime", "freeze", "kvm", "reboot", "tdf", "autostart", "allow-ksm"} {
		g.maybe(12, key, 0, 1)
	}
	g.maybe(15, "vmgenid", g.uuid())
	g.maybe(12, "spice_enhancements", "foldersharing=1", "videostreaming=all")
	g.maybe(12, "parallel0", "/dev/parport0")
	g.maybe(15, "startdate", "now")
	g.maybe(15, "shares", 500, 1000)
	g.maybe(15, "amd-sev", "std", "es,allow-smt=1", "type=snp,kernel-hashes=1", "std,no-debug=1,no-key-sharing=1", "snp,allow-smt=0")
	g.maybe(12, "vmstatestorage", "local")
	g.maybe(12, "migrate_speed", 0, 10)
	g.maybe(12, "unused0", "local:9/vm-9-disk-9.raw")
}

func (g *generator) processor() {
	g.maybe(2, "cores", 1, 2, 4, 16)
	g.maybe(3, "sockets", 1, 2)
	g.maybe(5, "vcpus", 1, 2)
	g.maybe(2, "cpu", "host", "x86-64-v2-AES", "kvm64", "qemu64", "host,flags=+aes;-pcid", "cputype=host,hidden=1", "custom-mine", "host,phys-bits=40",
		"qemu64,flags=+aes", "EPYC-Rome", "host,hv-vendor-id=x", "cputype=qemu64", "EPYC-Turin", "max,reported-model=kvm64")
	g.maybe(4, "numa", 0, 1)
	g.maybe(8, "affinity", "0-3", "0,2,4-6")
	g.maybe(15, "arch", "x86_64", "aarch64")
	if g.IntN(8) == 0 {
		g.c["numa"] = 1
		g.c["numa0"] = pick(g, "cpus=0-1,memory=512,hostnodes=0,policy=bind", "cpus=0,memory=256", "cpus=0;2,hostnodes=0-1;3,memory=1024", "cpus=0-1,hostnodes=0,memory=512,policy=preferred")
		g.maybe(2, "numa1", "cpus=2-3,memory=512,hostnodes=1,policy=interleave")
	}
	if g.IntN(12) == 0 {
		g.c["numa"], g.c["hugepages"] = 1, pick(g, "2", "1024", "any")
		g.maybe(2, "keephugepages", 1, 0)
	}
}

func (g *generator) memory() {
	g.maybe(1, "memory", "2048", "512", "16384", 4096, "128", "32")
	if g.IntN(10) == 0 {
		delete(g.c, "memory")
	}
	g.maybe(3, "balloon", 0, 256, 512, "128")
	g.maybe(12, "ivshmem", "size=32", "size=8,name=shared")
}

func (g *generator) drive(n int, ext bool) string {
	id := strconv.Itoa(g.vmid)
	stores := []string{"local:" + id + "/vm-" + id + "-disk-" + strconv.Itoa(n) + ".qcow2", "local:" + id + "/vm-" + id + "-disk-" + strconv.Itoa(n) + ".raw",
		"nowhere:vm-" + id + "-disk-" + strconv.Itoa(n), "local:9000/base-9000-disk-0.qcow2/" + id + "/vm-" + id + "-disk-0.qcow2"}
	if !ext {
		stores = append(stores, "local-lvm:vm-"+id+"-disk-"+strconv.Itoa(n), "local-lvm:base-9000-disk-0/vm-"+id+"-disk-"+strconv.Itoa(n))
	}
	return stores[g.IntN(len(stores))]
}

var sizes = []string{"size=32G", "size=1G", "size=2252M", "size=512M", "size=1500M", "size=528K", "size=1T", "size=4194304"}

func (g *generator) drives() {
	bus := map[string]int{"scsi": 31, "virtio": 16, "sata": 6, "ide": 4}
	for n := range g.IntN(5) {
		name := pick(g, "scsi", "scsi", "virtio", "sata", "ide")
		key := name + strconv.Itoa(g.IntN(bus[name]))
		opts := []string{"cache=writeback", "discard=on", "backup=0", "replicate=0", "aio=threads", "serial=ABC" + strconv.Itoa(n), "iops_rd=100,iops_rd_max=200",
			"mbps_rd=10,mbps_rd_max=20,mbps_wr=1", "iops_wr=5", "werror=report", "detect_zeroes=0", "backup=1", "discard=ignore"}
		if g.IntN(60) == 0 {
			opts = append(opts, "mbps_wr_max=2.5,mbps_wr=1.5")
		}
		if name == "scsi" || name == "virtio" {
			opts = append(opts, "iothread=1", "ro=1")
		}
		if name == "scsi" {
			opts = append(opts, "queues=4", "wwn=0x5000c50015ea71ab", "product=disk,vendor=ACME", "scsiblock=1")
		}
		if name != "virtio" {
			opts = append(opts, "ssd=1")
		}
		opts = append(opts, sizes...)
		file := g.drive(n, false)
		if g.IntN(12) == 0 {
			file = "/dev/disk/by-id/ata-" + key
		}
		long := g.IntN(20) == 0 && !strings.HasPrefix(file, "/") && !strings.HasPrefix(file, "nowhere:")
		if long || strings.HasPrefix(file, "local-lvm:") { // the provider asks for the format of these
			g.volumes = append(g.volumes, file)
		}
		if long {
			file = "file=" + file
		}
		g.c[key] = g.uniqueSize(g.options(file, opts...))
	}
	g.maybe(4, "ide2", "none,media=cdrom", "local:iso/x.iso,media=cdrom,size=600M", "local:iso/x.iso")
	g.maybe(5, "ide3", "local:iso/x.iso,media=cdrom,size=600M", "none,media=cdrom", "cdrom,media=cdrom", "/srv/x.iso,media=cdrom")
	g.maybe(5, "sata5", "local:iso/y.iso,media=cdrom")
	g.maybe(2, "boot", " ", "order=scsi0;net0", "cdn", "order=", "order=ide2", "c", "order=net0;scsi1;sata2")
	g.maybe(6, "efidisk0", g.drive(20, false)+",efitype=4m,pre-enrolled-keys=1,size=4M", g.drive(20, false)+",size=128K", "local-lvm:vm-"+strconv.Itoa(g.vmid)+"-disk-9,efitype=2m,size=4M")
	if v, ok := g.c["efidisk0"].(string); ok && !strings.HasPrefix(v, "nowhere:") {
		g.volumes = append(g.volumes, strings.SplitN(v, ",", 2)[0])
	}
	g.maybe(6, "tpmstate0", g.drive(21, false)+",size=4M,version=v2.0", g.drive(21, true)+",size=4M", "local-lvm:vm-1-disk-8,size=4M,version=v1.2", "local-lvm:vm-1-disk-8,size=4M,version=v2.0")
}

// uniqueSize keeps the first size of a property string.
func (g *generator) uniqueSize(s string) string {
	var out []string
	seen := map[string]bool{}
	for p := range strings.SplitSeq(s, ",") {
		key, _, _ := strings.Cut(p, "=")
		if (strings.Contains(p, "=") && key != "file") && seen[key] {
			continue
		}
		seen[key] = true
		out = append(out, p)
	}
	return strings.Join(out, ",")
}

func (g *generator) network() {
	n := 0
	for range g.IntN(4) {
		if g.IntN(8) == 0 {
			n++ // a gap
		}
		model := pick(g, "virtio", "virtio", "e1000", "vmxnet3", "rtl8139", "e1000e", "ne2k_pci")
		first := pick(g, model+"="+g.mac(), model+"="+g.mac(), "model="+model+",macaddr="+g.mac())
		if g.IntN(15) > 0 {
			first += ",bridge=" + pick(g, "vmbr0", "vmbr1")
		}
		g.c["net"+strconv.Itoa(n)] = g.options(first, "firewall=1", "link_down=1", "tag="+strconv.Itoa(1+g.IntN(4000)), "mtu="+pick(g, "1", "1400"), "queues=4", "rate="+pick(g, "10", "12.5"), "trunks=10;20")
		n++
	}
	if g.IntN(15) == 0 {
		g.c["net10"] = "virtio=" + g.mac() + ",bridge=vmbr0"
	}
}

func (g *generator) cloudInit() {
	id := strconv.Itoa(g.vmid)
	if g.IntN(4) == 0 {
		delete(g.c, "ide2")
		g.c[pick(g, "ide0", "ide2", "scsi1", "sata1", "ide3", "virtio1")] = pick(g, "local:"+id+"/vm-"+id+"-cloudinit.qcow2,media=cdrom", "local-lvm:vm-"+id+"-cloudinit,media=cdrom,size=4M", "local-lvm:vm-"+id+"-cloudinit,media=cdrom")
	}
	if g.IntN(3) > 0 {
		return
	}
	g.maybe(2, "ciuser", "admin")
	g.maybe(4, "cipassword", "hidden-password")
	g.maybe(3, "sshkeys", url.PathEscape("ssh-ed25519 AAAA user@host\n"), strings.ReplaceAll(url.QueryEscape("ssh-rsa AAAB+/= one\nssh-ed25519 AAAA two\n"), "+", "%20"))
	g.maybe(6, "citype", "nocloud", "configdrive2", "opennebula")
	g.maybe(4, "ciupgrade", 0, 1)
	g.maybe(6, "cicustom", "user=local:snippets/u.yml", "vendor=local:snippets/v.yml,network=local:snippets/n.yml", "meta=local:snippets/m.yml")
	g.maybe(2, "ipconfig0", "ip=dhcp", "ip=10.0.0.5/24,gw=10.0.0.1", "ip6=auto", "ip=10.0.0.6/24,ip6=fd00::6/64,gw6=fd00::1", "gw=10.0.0.1,ip=10.0.0.7/24,ip6=dhcp")
	g.maybe(4, "ipconfig2", "ip=dhcp")
}

func (g *generator) devices() {
	g.maybe(8, "audio0", "device=ich9-intel-hda,driver=spice", "device=AC97", "device=intel-hda,driver=none")
	g.maybe(5, "vga", "std", "qxl,memory=32", "memory=32", "virtio", "serial0", "none", "type=virtio-gl,memory=256", "std,memory=64", "std,clipboard=vnc", "std,memory=16", "qxl2")
	g.maybe(4, "serial0", "socket", "/dev/ttyS0")
	g.maybe(10, "serial2", "socket")
	g.maybe(8, "rng0", "source=/dev/urandom", "source=/dev/random,max_bytes=1024,period=1000", "/dev/urandom,max_bytes=512", "source=/dev/hwrng,max_bytes=0")
	g.maybe(8, "watchdog", "model=i6300esb,action=reset", "i6300esb", "ib700,action=poweroff", "action=debug", "model=ib700")
	g.maybe(8, "usb0", "host=1234:5678", "spice", "host=1-1,usb3=1", "mapping=stick", "spice,usb3=1")
	g.maybe(12, "usb2", "host=2-1")
	g.maybe(12, "usb6", "spice")
	g.maybe(8, "hostpci0", "0000:01:00.0", "host=01:00,pcie=1,x-vga=1", "mapping=gpu,pcie=1,rombar=0", "0000:01:00.0;0000:01:00.1,romfile=x.rom", "01:00.0,mdev=nvidia-63", "01:00,rombar=1,legacy-igd=1")
	g.maybe(15, "hostpci10", "02:00.0")
	g.maybe(10, "virtiofs0", "data", "dirid=data,cache=always,expose-acl=1", "data,direct-io=1,expose-xattr=1", "data,cache=never")
	g.maybe(20, "virtiofs2", "more")
}

func (g *generator) container() {
	id := strconv.Itoa(g.vmid)
	g.maybe(1, "hostname", "ct", "ct", "db.example.com", "1ct", "Con")
	if g.IntN(12) == 0 {
		delete(g.c, "hostname")
	}
	g.maybe(25, "hostname", anys(nastyNames)...)
	if d, ok := g.c["description"].(string); ok {
		g.c["description"] = d + "\n"
	}
	g.maybe(2, "ostype", "debian", "ubuntu", "alpine", "unmanaged", "nixos", "centos")
	g.maybe(2, "arch", "amd64", "arm64", "i386", "armhf", "riscv64")
	g.maybe(2, "unprivileged", 1, 0)
	g.maybe(3, "cores", 1, 2, 8)
	g.maybe(1, "memory", 512, 1024, 4096, 16)
	if g.IntN(10) == 0 {
		delete(g.c, "memory")
	}
	g.maybe(2, "swap", 0, 512, 256)
	g.c["rootfs"] = g.uniqueSize(g.options(pick(g, "local:"+id+"/vm-"+id+"-disk-0.raw", "local-lvm:vm-"+id+"-disk-0", "/srv/root", "volume=local-lvm:vm-"+id+"-disk-0"),
		"size=8G", "size=512M", "acl=1", "quota=1", "replicate=0", "mountoptions=noatime;discard", "ro=1", "acl=0", "shared=1"))
	for _, n := range []int{0, 1, 10} {
		g.maybe(4, "mp"+strconv.Itoa(n), g.uniqueSize(g.options(pick(g, "local-lvm:vm-"+id+"-disk-1", "/mnt/data", "local:"+id+"/vm-"+id+"-disk-1.raw")+",mp=/mnt/"+strconv.Itoa(n),
			"size=8G", "size=512M", "size=1536M", "backup=1", "ro=1", "acl=1", "quota=1", "replicate=0", "shared=1", "mountoptions=noatime", "backup=0")))
	}
	for _, n := range []int{0, 1, 3, 10} {
		if g.IntN(3) > 0 {
			continue
		}
		g.c["net"+strconv.Itoa(n)] = g.options("name=eth"+strconv.Itoa(n)+",bridge=vmbr0,hwaddr="+g.mac(), "firewall=1", "ip="+pick(g, "dhcp", "10.1.0.4/24,gw=10.1.0.1", "manual"),
			"ip6="+pick(g, "auto", "fd00::9/64,gw6=fd00::1", "dhcp"), "tag=12", "mtu=1400", "rate=5", "link_down=1", "type=veth", "trunks=1;2", "host-managed=1")
	}
	g.containerOptions()
}

func (g *generator) containerOptions() {
	g.maybe(3, "features", "nesting=1", "nesting=1,keyctl=1", "fuse=1,mount=nfs;cifs", "mount=ext4;nfs", "nesting=1,mount=ext4", "mknod=1", "nesting=0", "force_rw_sys=1", "nesting=1,force_rw_sys=1")
	g.maybe(6, "console", 1, 0)
	g.maybe(6, "tty", 2, 0, 4)
	g.maybe(6, "cmode", "tty", "shell", "console")
	g.maybe(8, "timezone", "host", "Europe/Berlin")
	g.maybe(10, "debug", 1, 0)
	g.maybe(8, "dev0", "/dev/fuse", "path=/dev/ttyUSB0,uid=1000,gid=1000,mode=0666", "/dev/dri/card0,gid=44,deny-write=1", "/dev/kvm,mode=0660")
	g.maybe(8, "env", "A=1", "A=1\x00B=x y\x00C=${d}", "EMPTY=\x00Z=\"q\"")
	g.maybe(8, "entrypoint", "/sbin/init", "/bin/sh -c \"echo $X\"")
	if g.IntN(8) == 0 {
		g.c["lxc"] = pick(g, []any{[]any{"lxc.idmap", "u 0 100000 65536"}, []any{"lxc.idmap", "g 0 100000 65536"}}, []any{[]any{"lxc.apparmor.profile", "unconfined"}},
			[]any{[]any{"lxc.idmap", "u 0 100000 1000"}, []any{"lxc.cgroup2.devices.allow", "c 10:200 rwm"}})
	}
}
