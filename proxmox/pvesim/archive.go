package pvesim

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// archive is what is inside of a backup: the guest's configuration at that time, and which volumes were saved.
type archive struct {
	kind   string
	vmid   int
	config Object
	disks  []archivedDisk
	// firewall is nil where the guest had no file of one.
	firewall *Firewall
	// files are what can be looked into, on a backup server; slow is whether the next look takes too long.
	files map[string]string
	slow  bool
	// gap is whether a blank line ends the configuration, as it does where the file had more sections (09/004).
	gap bool
}

// archivedDisk is one volume in a backup.
type archivedDisk struct {
	key, storage, format string
	size                 int64
}

// notArchived are the keys of a guest's configuration that no backup has.
var notArchived = []string{"parent", "lock", "vmstate", "digest", "snaptime", "runningmachine", "runningcpu", "running-nets-host-mtu"}

// pack makes the archive of a guest as it is now. keep says which of its volumes are saved.
func (w *World) pack(n *Node, g *Guest, keep func(key string) bool) *archive {
	a := &archive{kind: g.Type, vmid: g.VMID, config: without(g.Config, notArchived...), gap: len(g.Snapshots)+len(g.Pending)+len(g.Deleted) > 0}
	if f := g.Firewall; f != nil && !f.empty() {
		a.firewall = f.copied()
	}
	for _, key := range g.disks() {
		drive := text(g.Config[key])
		store, _, ok := strings.Cut(driveVolume(drive), ":")
		if !ok || !keep(key) {
			continue
		}
		d := archivedDisk{key: key, storage: store, format: "raw", size: driveSize(drive)}
		if v := n.volume(driveVolume(drive)); v != nil {
			d.format, d.size = text(v["format"]), integer(v["size"])
		}
		a.disks = append(a.disks, d)
	}
	return a
}

// archiveKey tells backups of the same name on the local storages of two nodes apart.
func (w *World) archiveKey(n *Node, volid string) string {
	store, _, _ := strings.Cut(volid, ":")
	return w.storageNodes(n, store)[0].Name + " " + volid
}

func (w *World) archiveOf(n *Node, volid string) *archive { return w.archives[w.archiveKey(n, volid)] }

func (w *World) keepArchive(n *Node, volid string, a *archive) {
	if w.archives == nil {
		w.archives = map[string]*archive{}
	}
	w.archives[w.archiveKey(n, volid)] = a
}

// knowArchives gives the backups that a world came with their contents. A dump does not tell them: they are taken to
// hold the guest's present configuration, and those of guests that are gone hold nothing that can be restored.
func (w *World) knowArchives() {
	for _, n := range w.Nodes {
		for _, rows := range n.Content {
			for _, v := range rows {
				volid := text(v["volid"])
				g := w.Guest(int(integer(v["vmid"])))
				if v["content"] != contentBackup || g == nil || w.archiveOf(n, volid) != nil || backupKind(volid) != g.Type {
					continue
				}
				w.keepArchive(n, volid, w.pack(n, g, g.savedVolume))
			}
		}
	}
}

// contentBackup is the content of backups in volume lists.
const contentBackup = "backup"

// backupKind is the kind of guest that a backup is of, by its name; empty for a name that is none of a backup.
func backupKind(volid string) string {
	_, name, _ := strings.Cut(volid, ":")
	parts := strings.Split(strings.TrimPrefix(name, "backup/"), "-")
	if len(parts) < 4 || parts[0] != "vzdump" || parts[1] != typeQEMU && parts[1] != typeLXC {
		return ""
	}
	return parts[1]
}

// savedVolume is whether a backup of the guest holds the volume: disks of a VM unless backup=0, of a container its root
// and the mount points with backup=1 that are volumes.
func (g *Guest) savedVolume(key string) bool {
	drive := text(g.Config[key])
	switch {
	case g.Type == typeQEMU:
		return driveOption(drive, "backup") != "0" && !strings.Contains(driveVolume(drive), "cloudinit")
	case key == "rootfs":
		return true
	}
	return driveOption(drive, "backup") == "1" && !strings.HasPrefix(drive, "/")
}

// text renders the configuration as GET extractconfig shows it: the file's current section and, for a VM, which drive is
// which device of the archive (09/003, 09/004).
func (a *archive) text() string {
	var b strings.Builder
	writeSection(&b, a.config)
	if a.kind == typeQEMU {
		if a.gap {
			b.WriteString("\n")
		}
		for _, d := range a.disks {
			fmt.Fprintf(&b, "#qmdump#map:%s:drive-%s:%s:%s:\n", d.key, d.key, d.storage, d.format)
		}
	}
	return b.String()
}

// firewallFile is the text of the archived firewall, empty when there is none.
func (a *archive) firewallFile() string {
	if a.firewall == nil {
		return ""
	}
	return a.firewall.file()
}

// restoreFirewall gives the guest the archived firewall. Without one it keeps what its vmid has.
func (a *archive) restoreFirewall(g *Guest) {
	if a.firewall != nil {
		g.Firewall = a.firewall.copied()
	}
}

// backupFile is the file that is to be made.
type backupFile struct {
	storage, volid, path, format string
	made                         time.Time
}

// suffixes are what a compression adds to a file's name.
var suffixes = map[string]string{"": "", "0": "", "1": ".lzo", "lzo": ".lzo", "gzip": ".gz", "zstd": ".zst"}

// backupName is where a backup of a guest that begins now goes.
func (w *World) backupName(n *Node, storage string, g *Guest, compress string) backupFile {
	base := "vma"
	if g.Type == typeLXC {
		base = "tar"
	}
	f := backupFile{storage: storage, format: base + suffixes[compress], made: w.Now()}
	name := fmt.Sprintf("vzdump-%s-%d-%s.%s", g.Type, g.VMID, n.local(f.made).Format("2006_01_02-15_04_05"), f.format)
	f.volid = storage + ":backup/" + name
	f.path = text(w.Storage(storage)["path"]) + "/dump/" + name
	return f
}

// local is a time as the node's clock shows it.
func (n *Node) local(at time.Time) time.Time {
	zone, _ := n.Info["time"].(Object)
	if loc, err := time.LoadLocation(text(zone["timezone"])); err == nil {
		return at.In(loc)
	}
	return at.UTC()
}

// storeBackup puts a finished backup into the storage's list.
func (w *World) storeBackup(n *Node, f backupFile, a *archive, size int64, more Object) {
	row := Object{"volid": f.volid, "content": contentBackup, "format": f.format, "size": size, "vmid": a.vmid, "subtype": a.kind, "ctime": f.made.Unix()}
	maps.Copy(row, more)
	for _, m := range w.storageNodes(n, f.storage) {
		m.Content[f.storage] = append(slices.Clone(m.Content[f.storage]), row)
	}
	w.keepArchive(n, f.volid, a)
}

// What the archive of a VM has beside configuration and data: a header, and an entry per disk (09/017, 09/123).
const (
	vmaHeader = 127
	vmaDevice = 64
)

// bytes is the archive's size before compression.
func (a *archive) bytes(data int64) int64 {
	if a.kind == typeLXC {
		return data
	}
	return vmaHeader + int64(len(a.text())+len(a.firewallFile())) + int64(len(a.disks))*vmaDevice + data
}

// shrink is what a compression leaves: of the text at a VM's archive's beginning so much and a permille (09/012, 09/046 and
// the backups in the recorded worlds), of data a permille (a container's of 2088960 bytes had 1082173 by zstd, 09/071).
var shrink = sync.OnceValue(func() map[string]struct{ base, text, data int64 } {
	return map[string]struct{ base, text, data int64 }{
		"zstd": {0, 787, 518}, "gzip": {55, 640, 550}, "lzo": {40, 900, 650}, "1": {40, 900, 650},
	}
})

// compressed is the size of the archive's file.
func (a *archive) compressed(how string, data int64) int64 {
	s, ok := shrink()[how]
	if !ok {
		return a.bytes(data)
	}
	if a.kind == typeLXC {
		return data * s.data / 1000
	}
	return s.base + (a.bytes(data)-data)*s.text/1000 + data*s.data/1000
}

// unpacked is how many bytes come out of a container's archive, which pads them.
func unpacked(file string, size int64) int64 {
	for how, suffix := range suffixes {
		if suffix != "" && strings.HasSuffix(file, suffix) && shrink()[how].data > 0 {
			size = size * 1000 / shrink()[how].data
		}
	}
	return (size + tarRecord/2) / tarRecord * tarRecord
}
