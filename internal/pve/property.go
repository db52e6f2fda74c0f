package pve

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Property is one part of a property string: key=value, or the value of the default key alone (Key "").
type Property struct{ Key, Value string }

// Properties is a parsed property string such as "local:100/vm-100-disk-0.qcow2,size=1G", in order.
type Properties []Property

// ParseProperties splits a property string of Proxmox VE. Values may be quoted with double quotes, inside which commas stand for
// themselves. An unclosed quote is an error; everything else is taken as it is.
func ParseProperties(s string) (Properties, error) {
	var out Properties
	for rest := s; rest != ""; {
		part, tail, err := cutProperty(rest)
		if err != nil {
			return nil, err
		}
		rest = tail
		if part == "" {
			continue
		}
		key, val, found := strings.Cut(part, "=")
		if !found || strings.ContainsAny(key, "\"/:") {
			key, val = "", part
		}
		out = append(out, Property{key, strings.ReplaceAll(strings.TrimSuffix(strings.TrimPrefix(val, `"`), `"`), `\"`, `"`)})
	}
	return out, nil
}

func cutProperty(s string) (part, tail string, err error) {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && quoted:
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == ',' && !quoted:
			return s[:i], s[i+1:], nil
		}
	}
	if quoted {
		return "", "", fmt.Errorf("unclosed quote in property string %.60q", s)
	}
	return s, "", nil
}

// Get returns the value of key; the empty key is the default one.
func (p Properties) Get(key string) (string, bool) {
	i := slices.IndexFunc(p, func(e Property) bool { return e.Key == key })
	if i < 0 {
		return "", false
	}
	return p[i].Value, true
}

// Volume is a volume id storage:name, as in "local:100/vm-100-disk-0.qcow2".
type Volume struct{ Storage, Name string }

// ParseVolume parses a volume id; paths ("/dev/sdb", "/mnt/x") and "none" are no volumes.
func ParseVolume(s string) (Volume, bool) {
	st, name, ok := strings.Cut(s, ":")
	if !ok || name == "" || !validName(st) {
		return Volume{}, false
	}
	return Volume{st, name}, true
}

// String is the volume id.
func (v Volume) String() string { return v.Storage + ":" + v.Name }

// Disk is a disk, volume, CD drive or mount point of a guest.
type Disk struct {
	Slot    string // scsi0, rootfs, mp1, unused0
	Source  string // the volume id or path as configured; "none" for an empty drive
	Storage string // "" for paths and empty drives
	Size    int64  // bytes; 0 = not stated
	CDROM   bool
	Mount   string // mount point of a container volume
	Backup  *bool  // backup= as configured
}

// NIC is a network interface of a guest's configuration.
type NIC struct {
	Slot, Model, MAC, Bridge, VLAN, IP, IP6, Name string
	Firewall                                      bool
}

var (
	diskKey = regexp.MustCompile(`^(scsi|virtio|sata|ide)\d+$|^(efidisk|tpmstate|unused|mp)\d+$|^rootfs$`)
	nicKey  = regexp.MustCompile(`^net\d+$`)
	macForm = regexp.MustCompile(`^([0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}$`)
	sizeFmt = regexp.MustCompile(`^(\d+(?:\.\d+)?)([KMGT]?)$`)
)

// ParseSize reads a disk size such as 32G, 256M or 4194304 into bytes.
func ParseSize(s string) (int64, bool) {
	m := sizeFmt.FindStringSubmatch(s)
	if m == nil {
		return 0, false
	}
	f, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		return 0, false
	}
	f *= map[string]float64{"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}[m[2]]
	if f < 0 || f >= 1<<63 {
		return 0, false
	}
	return int64(f), true
}
