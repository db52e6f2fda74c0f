package pve

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/lazy"
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
		if strings.TrimSpace(part) == "" {
			continue
		}
		key, val, found := strings.Cut(part, "=")
		if !found || strings.ContainsAny(key, "\"/:") {
			key, val = "", part
		}
		out = append(out, Property{key, bare(val)})
	}
	return out, nil
}

// bare is a value without the quotes around it.
func bare(val string) string {
	if len(val) < 2 || val[0] != '"' || val[len(val)-1] != '"' {
		return val
	}
	return strings.ReplaceAll(val[1:len(val)-1], `\"`, `"`)
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
	macForm = lazy.Regexp(`^([0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}$`)
	sizeFmt = lazy.Regexp(`^(\d+(?:\.\d+)?)([KMGT]?)$`)
)

// ParseSize reads a disk size such as 32G, 256M or 4194304 into bytes. Whole numbers are exact.
func ParseSize(s string) (int64, bool) {
	m := sizeFmt().FindStringSubmatch(s)
	if m == nil {
		return 0, false
	}
	unit := int64(1) << map[string]int{"": 0, "K": 10, "M": 20, "G": 30, "T": 40}[m[2]]
	if n, err := strconv.ParseInt(m[1], 10, 64); err == nil && n <= math.MaxInt64/unit {
		return n * unit, true
	}
	f, err := strconv.ParseFloat(m[1], 64)
	if err != nil || f*float64(unit) >= 1<<63 {
		return 0, false
	}
	return int64(f * float64(unit)), true
}
