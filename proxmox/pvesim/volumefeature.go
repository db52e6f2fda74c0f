package pvesim

import (
	"path"
	"strings"
	"sync"
)

// The features of volumes that decide about snapshots, clones and templates (GET feature shows snapshot, clone, copy).
const (
	featureSnapshot = "snapshot"
	featureClone    = "clone"
	featureCopy     = "copy"
	featureTemplate = "template"
)

// States of a volume that a storage tells apart: the volume itself, a template's base volume, a snapshot of it.
const (
	stateCurrent = "current"
	stateBase    = "base"
	stateSnap    = "snap"
)

// anyFormat stands for storages that do not tell formats apart.
const anyFormat = "*"

// storageFeatures say by storage type what can be done with a volume: "feature state" -> formats. Types that are not
// listed keep files, as dir does (04/126, 07/097, 08/063; facts 45).
var storageFeatures = sync.OnceValue(func() map[string]map[string]string {
	return map[string]map[string]string{
		"dir": {
			"snapshot current": "qcow2", "snapshot snap": "qcow2", "clone base": "qcow2 raw vmdk", "template current": "qcow2 raw vmdk subvol",
			"copy base": "qcow2 raw vmdk", "copy current": "qcow2 raw vmdk", "copy snap": "qcow2",
		},
		"btrfs": {
			"snapshot current": "qcow2 raw subvol", "snapshot snap": "qcow2 raw subvol", "clone base": "qcow2 raw subvol vmdk",
			"clone current": "raw", "clone snap": "raw", "template current": "qcow2 raw vmdk subvol",
			"copy base": "qcow2 raw subvol vmdk", "copy current": "qcow2 raw subvol vmdk", "copy snap": "qcow2 raw subvol",
		},
		"zfspool": {
			"snapshot current": anyFormat, "snapshot snap": anyFormat, "clone base": anyFormat, "template current": anyFormat,
			"copy base": anyFormat, "copy current": anyFormat,
		},
		"lvmthin": {
			"snapshot current": anyFormat, "clone base": anyFormat, "clone snap": anyFormat, "template current": anyFormat,
			"copy base": anyFormat, "copy current": anyFormat, "copy snap": anyFormat,
		},
		"rbd": {
			"snapshot current": anyFormat, "snapshot snap": anyFormat, "clone base": anyFormat, "clone snap": anyFormat,
			"template current": anyFormat, "copy base": anyFormat, "copy current": anyFormat, "copy snap": anyFormat,
		},
		"lvm": {
			"snapshot current": "qcow2", "snapshot snap": "qcow2", "template current": "qcow2", "clone base": "qcow2",
			"copy base": anyFormat, "copy current": anyFormat, "copy snap": "qcow2",
		},
		"iscsi":       {"copy current": anyFormat},
		"iscsidirect": {"copy current": anyFormat},
	}
})

func featuresOf(kind string) map[string]string {
	if kind == "zfs" {
		kind = "zfspool"
	}
	if t, ok := storageFeatures()[kind]; ok {
		return t
	}
	return storageFeatures()["dir"]
}

// volumeFeature is whether a volume, or its state in a snapshot, can do something for a guest of a kind. Containers
// can only use raw and subvol, while files are cloned as qcow2 (08/133).
func (w *World) volumeFeature(guest, feature, volid, snap string) bool {
	store, name, ok := strings.Cut(volid, ":")
	def := w.Storage(store)
	if !ok || def == nil {
		return false
	}
	kind := text(def["type"])
	if guest == typeLXC && feature == featureClone && onFiles(kind) && kind != "btrfs" {
		return false
	}
	state := stateCurrent
	switch {
	case snap != "":
		state = stateSnap
	case isBase(name):
		state = stateBase
	}
	formats := featuresOf(kind)[feature+" "+state]
	return formats == anyFormat || contains(strings.Fields(formats), volumeFormat(kind, name))
}

// isBase is whether a volume's name is that of a template's base volume.
func isBase(name string) bool {
	last := path.Base(name)
	return strings.HasPrefix(last, "base-") || strings.HasPrefix(last, "basevol-")
}

// volumeFormat reads the format from a volume's name. Without a suffix it is raw, or subvol by the name's beginning.
func volumeFormat(kind, name string) string {
	last := path.Base(name)
	if ext := path.Ext(last); ext != "" && (onFiles(kind) || kind == "lvm") {
		return ext[1:]
	}
	if strings.HasPrefix(last, "subvol-") || strings.HasPrefix(last, "basevol-") {
		return "subvol"
	}
	return "raw"
}

// feature tells whether all disks of a configuration can do something; one without disks can do everything (02 world,
// VM 105).
func (w *World) feature(guest, feature string, config Object, snap string) bool {
	for _, key := range ownVolumes(config) {
		if !w.volumeFeature(guest, feature, driveVolume(text(config[key])), snap) {
			return false
		}
	}
	return true
}

// guestFeature answers GET feature; snapname asks about the guest as a snapshot holds it.
func guestFeature(c *call, g *Guest) (any, error) {
	config, snap := g.Config, c.param("snapname")
	if snap != "" {
		s := g.snapshot(snap)
		if s == nil {
			return nil, noSnapshot(snap)
		}
		config = s.Config
	}
	f := fields{{"hasFeature", bit(c.w.feature(g.Type, c.param("feature"), config, snap))}}
	if g.Type == typeQEMU {
		f.add("nodes", c.w.nodesFor(g, config))
	}
	return f, nil
}

// nodesFor are the nodes on which all drives of a configuration can be used.
func (w *World) nodesFor(g *Guest, config Object) []string {
	list := []string{}
	for _, n := range w.Nodes {
		if w.reachesDrives(n, g, config) {
			list = append(list, n.Name)
		}
	}
	return list
}

func (w *World) reachesDrives(n *Node, g *Guest, config Object) bool {
	for key, v := range config {
		store, _, ok := strings.Cut(driveVolume(text(v)), ":")
		if !isVolume(key) || !ok {
			continue
		}
		def := w.Storage(store)
		limit := splitList(text(def["nodes"]))
		switch {
		case def == nil || truth(def["disable"]), len(limit) > 0 && !contains(limit, n.Name),
			len(limit) == 0 && !sharedStorage(def) && n.Name != g.Node:
			return false
		}
	}
	return true
}

// sharedStorage is whether a definition is that of a storage that all nodes share: some types always are.
func sharedStorage(def Object) bool {
	return truth(def["shared"]) || contains([]string{"nfs", "cifs", "cephfs", "rbd", "glusterfs", "iscsi", "iscsidirect", "pbs", "zfs", "esxi"}, text(def["type"]))
}
