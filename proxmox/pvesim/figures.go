package pvesim

import (
	"slices"
	"strconv"
	"strings"
)

const mib = 1 << 20

// defaultMemory is what a guest without a memory setting has, in MiB (03/047: 536870912 bytes).
const defaultMemory = 512

// cpus is the number of virtual CPUs; a container without a limit has those of its node. A limit is stored as text (07/028) and a number
// here (schema: cpus of lxc/{vmid}/status/current, maxcpu of cluster/resources).
func (g *Guest) cpus(w *World) any {
	if g.Type == typeLXC {
		if v := integer(g.Config["cores"]); v > 0 {
			return v
		}
		if v := number(g.Config["cpulimit"]); v > 0 {
			return v
		}
		return w.nodeCPUs(g.Node)
	}
	cores, sockets := max(1, integer(g.Config["cores"])), max(1, integer(g.Config["sockets"]))
	if v := integer(g.Config["vcpus"]); v > 0 {
		return v
	}
	return cores * sockets
}

func (w *World) nodeCPUs(name string) int64 {
	n := w.Node(name)
	if n == nil {
		return 1
	}
	status, _ := n.Info["status"].(Object)
	info, _ := status["cpuinfo"].(Object)
	return max(1, integer(info["cpus"]))
}

// maxMem is the configured memory in bytes. A VM's setting may be a property string (current=2048).
func (g *Guest) maxMem() int64 {
	v := text(g.Config["memory"])
	if v == "" {
		return defaultMemory * mib
	}
	v, _, _ = strings.Cut(strings.TrimPrefix(v, "current="), ",")
	return integer(v) * mib
}

// swapBytes is the configured swap of a container in bytes. New containers have a setting; without one there is none.
func swapBytes(config Object) int64 { return integer(config["swap"]) * mib }

// maxDisk is the size of the root file system or of the boot disk, 0 without one.
func (g *Guest) maxDisk() int64 {
	if g.Type == typeLXC && g.Live.DiskSize > 0 {
		return g.Live.DiskSize
	}
	if g.Type == typeLXC {
		return driveSize(text(g.Config["rootfs"]))
	}
	for _, key := range bootOrder(text(g.Config["boot"])) {
		if drive := text(g.Config[key]); drive != "" && isDisk(key) && !strings.Contains(drive, "media=cdrom") {
			return driveSize(drive)
		}
	}
	return 0
}

func bootOrder(boot string) []string {
	order, _, _ := strings.Cut(strings.TrimPrefix(boot, "order="), ",")
	return strings.Split(order, ";")
}

// isDisk is whether a configuration key is a drive of a virtual machine.
func isDisk(key string) bool {
	for _, bus := range []string{"scsi", "virtio", "sata", "ide"} {
		if n, ok := strings.CutPrefix(key, bus); ok {
			_, err := strconv.Atoi(n)
			return err == nil
		}
	}
	return false
}

// isVolume is whether a configuration key holds a disk, a mount point or a special drive.
func isVolume(key string) bool {
	if isDisk(key) || key == "rootfs" || key == "efidisk0" || key == "tpmstate0" {
		return true
	}
	n, ok := strings.CutPrefix(key, "mp")
	_, err := strconv.Atoi(n)
	return ok && err == nil
}

// driveOption takes an option of a property string.
func driveOption(drive, name string) string {
	for part := range strings.SplitSeq(drive, ",") {
		if v, ok := strings.CutPrefix(part, name+"="); ok {
			return v
		}
	}
	return ""
}

// driveVolume is the volume of a drive or mount point: the part without a key, or that of its key wherever it stands, as
// containers keep the value that they were given.
func driveVolume(drive string) string {
	for part := range strings.SplitSeq(drive, ",") {
		key, v, named := strings.Cut(part, "=")
		if !named {
			return part
		}
		if key == "file" || key == "volume" {
			return v
		}
	}
	return ""
}

func driveSize(drive string) int64 { return parseSize(driveOption(drive, "size")) }

// parseSize reads 512M, 1.5G, 104858K or bytes.
func parseSize(s string) int64 {
	if s == "" {
		return 0
	}
	if i := strings.IndexByte("KMGT", s[len(s)-1]); i >= 0 {
		return int64(number(s[:len(s)-1]) * float64(int64(1)<<(10*(i+1))))
	}
	return integer(s)
}

// disks gives the keys of the guest's own volumes, without CD drives.
func (g *Guest) disks() []string { return ownVolumes(g.Config) }

// ownVolumes gives the keys of a configuration's volumes in order, without CD drives.
func ownVolumes(config Object) []string {
	var out []string
	for key, v := range config {
		if isVolume(key) && !strings.Contains(text(v), "media=cdrom") {
			out = append(out, key)
		}
	}
	slices.Sort(out)
	return out
}
