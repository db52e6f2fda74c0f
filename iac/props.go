package iac

import (
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// formats are the keys of guests' configurations that hold a property string (by name without number), each with the name of its default
// part: what stands without a name in front, as host in "host,flags=+aes" (schema: formats of qemu and lxc config).
var formats = map[string]string{
	"agent": "enabled", "audio": "", "boot": "legacy", "cicustom": "", "cpu": "cputype", "efidisk": "file", "hostpci": "host", "ide": "file", "sata": "file",
	"scsi": "file", "virtio": "file", "ipconfig": "", "ivshmem": "", "memory": "current", "net": "model", "numa": "", "rng": "source", "smbios": "",
	"spice_enhancements": "", "startup": "order", "tpmstate": "file", "usb": "host", "vga": "type", "virtiofs": "dirid", "watchdog": "model",
	"amd-sev": "type", "intel-tdx": "type", "meta": "", "features": "", "mp": "volume", "rootfs": "volume", "dev": "path", "unused": "file",
}

// Props is a property string, its parts in order. Of an absent key it has none.
type Props struct {
	pve.Properties
	def string
	// Text is the whole value as configured.
	Text string
	// Err says why it cannot be parsed.
	Err error
}

// Props parses a key's property string.
func (g *Guest) Props(key string) Props { return ParseProps(key, g.Config.Str(key)) }

// ParseProps parses the value of a key; the key says what its default part is called.
func ParseProps(key, value string) Props {
	list, err := pve.ParseProperties(value)
	return Props{list, formats[baseName(key)], value, err}
}

// IsProps says whether a key holds a property string.
func IsProps(key string) bool { _, ok := formats[baseName(key)]; return ok }

// baseName is a key without its number.
func baseName(key string) string { return strings.TrimRight(key, "0123456789") }

// Get gives a part by name, the default one by its name or without one: cputype=host and host are the same.
func (p Props) Get(name string) (string, bool) {
	if v, ok := p.Properties.Get(name); ok {
		return v, true
	}
	if name == p.def {
		return p.Properties.Get("")
	}
	return "", false
}

// Str is Get without a word on absence.
func (p Props) Str(name string) string { v, _ := p.Get(name); return v }

// Bool says whether a part is set to a true value.
func (p Props) Bool(name string) bool {
	switch strings.ToLower(p.Str(name)) {
	case "1", "on", "yes", "true":
		return true
	}
	return false
}

// Parts are all parts under their names, the default one under its own.
func (p Props) Parts() []pve.Property {
	out := make([]pve.Property, len(p.Properties))
	for i, e := range p.Properties {
		if e.Key == "" {
			e.Key = p.def
		}
		out[i] = e
	}
	return out
}

// PartOf is a part of a property string, its first for ""; "" where there is none.
func PartOf(value, key string) string {
	props, err := pve.ParseProperties(value)
	if err != nil {
		return ""
	}
	for i, p := range props {
		if p.Key == key || key == "" && i == 0 {
			return p.Value
		}
	}
	return ""
}
