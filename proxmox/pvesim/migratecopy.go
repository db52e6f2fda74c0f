package pvesim

import (
	"fmt"
	"path"
	"strings"
	"time"
)

// movingVolume is a volume of a guest on a storage that is not shared.
type movingVolume struct {
	volid, from, store string // the volume, its storage, the storage of the target
	key                string // the drive, "" for volumes of snapshots
	ref                string // what needs it: attached, unused, snapshot, pending, generated, config
	format             string
	size               int64
	online             bool // QEMU itself copies it while it runs
	replicated         bool
	made               string // its name on the target, once it is being made
	there              bool   // it is there as a whole
}

// moving describes a local volume.
func (m *migration) moving(volid string) *movingVolume {
	store, name, _ := strings.Cut(volid, ":")
	v := &movingVolume{volid: volid, from: store, store: m.stores.of(store), format: volumeFormat(text(m.w.Storage(store)["type"]), name)}
	if row := m.from.volume(volid); row != nil {
		v.size, v.format = virtualSize(row), text(row["format"])
	}
	v.replicated = len(m.w.replicationsOf(m.vmid)) > 0 && m.w.Storage(store)["type"] == "zfspool"
	return v
}

// movable are the storage types whose volumes go to other nodes.
var movableTypes = []string{"dir", "btrfs", "zfspool", "lvmthin", "lvm"}

// stream is the form in which a storage type sends and takes volumes (pve-storage, volume_export_formats).
func stream(kind, format string) string {
	switch {
	case kind == "zfspool":
		return "zfs"
	case kind == "btrfs" && (format == "subvol" || format == "raw"):
		return "btrfs"
	case strings.HasPrefix(kind, "lvm"):
		return "raw+size"
	case format == "subvol":
		return "tar+size"
	}
	return format + "+size"
}

// takes is whether a storage type takes a stream.
func takes(kind, format string) bool {
	switch kind {
	case "zfspool":
		return format == "zfs"
	case "lvm", "lvmthin":
		return format == "raw+size"
	case "btrfs":
		return format != "zfs"
	}
	return format != "zfs" && format != "btrfs"
}

// copyOffline copies the volumes that QEMU does not copy itself, one after the other.
func (m *migration) copyOffline(i int, then step) error {
	for i < len(m.volumes) && m.volumes[i].online {
		i++
	}
	if i == len(m.volumes) {
		return then()
	}
	v := m.volumes[i]
	if v.replicated {
		m.takeReplica(v)
		return m.copyOffline(i+1, then)
	}
	if err := m.receive(v); err != nil {
		return m.failed(fmt.Sprintf("storage migration for '%s' to storage '%s' failed - %s", v.volid, v.store, taskText(err)))
	}
	began := m.w.Now()
	return m.j.after(m.movingTime(v.size), func() error {
		if _, err := m.source(); err != nil {
			return m.failed(fmt.Sprintf("storage migration for '%s' to storage '%s' failed - %s", v.volid, v.store, m.brokenPipe(v)))
		}
		m.received(v, m.w.Now().Sub(began))
		return m.copyOffline(i+1, then)
	})
}

// takeReplica makes the copy that replication keeps on the target the volume; the old one becomes the copy.
func (m *migration) takeReplica(v *movingVolume) {
	v.made, v.there = v.volid, true
	if m.to.volume(v.volid) == nil {
		m.w.listVolume(m.to, v.volid, m.from.volume(v.volid))
	}
	m.log("volume '%s' is '%s' on the target", v.volid, v.made)
}

// receive makes the volume on the target, under its own name where that is free.
func (m *migration) receive(v *movingVolume) error {
	kind, target := text(m.w.Storage(v.from)["type"]), text(m.w.Storage(v.store)["type"])
	if !takes(target, stream(kind, v.format)) {
		return fail("cannot migrate from storage type '%s' to '%s'", kind, target)
	}
	row := m.from.volume(v.volid)
	if row == nil {
		return fail("volume '%s' does not exist", v.volid)
	}
	spec := volumeSpec{vmid: m.vmid, kind: text(row["content"]), format: v.format, name: volumeName(v.volid), size: v.size}
	if kind != target {
		spec.name = strings.TrimSuffix(spec.name, path.Ext(spec.name))
		if onFiles(target) {
			spec.name += "." + v.format
		}
	}
	if m.to.volume(volumeIDFor(target, v.store, spec)) != nil {
		spec.name = ""
	}
	say := m.log
	if v.format == "subvol" || target == "zfspool" {
		say = func(string, ...any) {}
	}
	var err error
	if v.format == "subvol" && onFiles(target) {
		spec.size = 0
	}
	v.made, err = m.w.allocateImage(m.to, v.store, spec, say)
	if err == nil {
		m.w.changeVolume(m.to, v.made, Object{"used": row["used"], "size": row["size"], "notes": row["notes"]})
	}
	return err
}

// received is what the tools say of a copy.
func (m *migration) received(v *movingVolume, took time.Duration) {
	v.there = true
	if stream(text(m.w.Storage(v.from)["type"]), v.format) == "zfs" {
		name := strings.TrimPrefix(poolPath("zfspool", Object{"pool": m.w.Storage(v.from)["pool"]}, "subvol-"+volumeName(v.volid)), "/")
		name = strings.Replace(name, "subvol-", "", 1) + "@__migration__"
		m.log("full send of %s estimated size is %s", name, zfsSize(v.size))
		m.log("total estimated size is %s", zfsSize(v.size))
		m.log("TIME        SENT   SNAPSHOT %s", name)
	} else {
		blocks, seconds := v.size>>16, max(took.Seconds(), 0.01)
		m.log("%d+0 records in", blocks)
		m.log("%d+0 records out", blocks)
		m.log("%d bytes (%.1f GB, %.1f GiB) copied, %.2f s, %.0f MB/s", v.size, float64(v.size)/1e9, float64(v.size)/gib, seconds, float64(v.size)/1e6/seconds)
	}
	m.log("successfully imported '%s'", v.made)
	m.log("volume '%s' is '%s' on the target", v.volid, v.made)
}

// zfsSize writes bytes as zfs send does: 1.00G.
func zfsSize(n int64) string {
	s := humanSize(n)
	number, unit, _ := strings.Cut(s, " ")
	return number + strings.TrimSuffix(unit, "iB")
}

// brokenPipe is how the copying fails when the target is gone.
func (m *migration) brokenPipe(v *movingVolume) string {
	format := stream(text(m.w.Storage(v.from)["type"]), v.format)
	return fmt.Sprintf("command 'set -o pipefail && pvesm export %s %s - -with-snapshots 0 | %s' failed: exit code 255", v.volid, format,
		m.ssh(fmt.Sprintf("-- pvesm import %s %s - -with-snapshots 0 -allow-rename 1", v.made, format)))
}
