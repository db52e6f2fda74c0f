package pve

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Config is a guest's (or node's, storage's) configuration as the API sent it: nothing is dropped, numbers keep their spelling
// (json.Number). Use the accessors: the same key is a number here and a string there (facts: pve-api.md 26).
type Config map[string]any

// DecodeConfig decodes a JSON object without loss.
func DecodeConfig(raw []byte) (Config, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var c Config
	if err := dec.Decode(&c); err != nil {
		return nil, fmt.Errorf("decode configuration: %w", err)
	}
	if c == nil {
		return nil, fmt.Errorf("decode configuration: expected an object, found null")
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("decode configuration: more text follows the object")
	}
	return c, nil
}

// Str returns the value of key as text, "" when absent or not a scalar.
func (c Config) Str(key string) string {
	switch v := c[key].(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		return map[bool]string{true: "1", false: "0"}[v]
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return ""
}

// Has says whether key is present.
func (c Config) Has(key string) bool { _, ok := c[key]; return ok }

// Int returns the value of key as an integer and whether it is one.
func (c Config) Int(key string) (int64, bool) {
	n, err := strconv.ParseInt(strings.TrimSpace(c.Str(key)), 10, 64)
	return n, err == nil
}

// Bool says whether key is set to a true value.
func (c Config) Bool(key string) bool {
	var b Bool
	return b.UnmarshalJSON([]byte(`"`+c.Str(key)+`"`)) == nil && bool(b)
}

// Keys returns the keys in order, numbered keys by number (net2 before net10).
func (c Config) Keys() []string {
	keys := slices.Collect(maps.Keys(c))
	slices.SortFunc(keys, CompareKeys)
	return keys
}

// CompareKeys orders configuration keys by name, then by trailing number; only equal keys compare as equal (net1 and net01 do not).
func CompareKeys(a, b string) int {
	an, ai := splitIndex(a)
	bn, bi := splitIndex(b)
	return cmp.Or(strings.Compare(an, bn), cmp.Compare(ai, bi), strings.Compare(a, b))
}

func splitIndex(k string) (string, int) {
	i := len(k)
	for i > 0 && k[i-1] >= '0' && k[i-1] <= '9' {
		i--
	}
	n, err := strconv.Atoi(k[i:])
	if err != nil {
		return k, -1
	}
	return k[:i], n
}

// Canonical is the one byte form of a configuration: keys sorted, numbers as sent, no HTML escaping.
func (c Config) Canonical() []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(map[string]any(c)); err != nil {
		// Only values that JSON cannot hold can fail, and every Config came out of JSON.
		return []byte("{}")
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// Hash is the content hash of canonical bytes: SHA-256 in hexadecimal.
func Hash(canonical []byte) string {
	sum := sha256.Sum256(canonical)
	return hex.EncodeToString(sum[:])
}

// slots are the keys that a test picks, in order. A full sync runs it twice per guest: picking before sorting keeps it cheap.
func (c Config) slots(is func(key string) bool) []string {
	var keys []string
	for k := range c {
		if is(k) {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, CompareKeys)
	return keys
}

func isDiskSlot(key string) bool {
	switch name, n := splitIndex(key); name {
	case "scsi", "virtio", "sata", "ide", "efidisk", "tpmstate", "unused", "mp":
		return n >= 0
	case "rootfs":
		return n < 0
	}
	return false
}

func isNICSlot(key string) bool {
	name, n := splitIndex(key)
	return name == "net" && n >= 0
}

// Disks lists the disks, volumes and drives of a guest's configuration by slot: each slot that is configured has its entry, one
// that cannot be parsed with its text as Source.
func (c Config) Disks() []Disk {
	var out []Disk
	for _, key := range c.slots(isDiskSlot) {
		out = append(out, parseDisk(key, c.Str(key)))
	}
	return out
}

func parseDisk(slot, value string) Disk {
	d := Disk{Slot: slot}
	p, err := ParseProperties(value)
	if err != nil {
		d.Source = value
		return d
	}
	for _, key := range []string{"", "file", "volume"} {
		if src, ok := p.Get(key); ok {
			d.Source = src
			break
		}
	}
	if v, ok := ParseVolume(d.Source); ok {
		d.Storage = v.Storage
	}
	if s, ok := p.Get("size"); ok {
		d.Size, _ = ParseSize(s)
	}
	media, _ := p.Get("media")
	d.CDROM = media == "cdrom"
	d.Mount, _ = p.Get("mp")
	if slot == "rootfs" {
		d.Mount = "/"
	}
	if b, ok := p.Get("backup"); ok {
		d.Backup = Ptr(b == "1")
	}
	return d
}

// NICs lists the network interfaces of a guest's configuration by slot: "virtio=MAC,bridge=..." of a VM as well as
// "name=eth0,hwaddr=MAC,..." of a container. Static addresses of VMs come from ipconfigN. One that cannot be parsed has its slot alone.
func (c Config) NICs() []NIC {
	var out []NIC
	for _, key := range c.slots(isNICSlot) {
		p, err := ParseProperties(c.Str(key))
		if err != nil {
			out = append(out, NIC{Slot: key})
			continue
		}
		out = append(out, c.nic(key, p))
	}
	return out
}

func (c Config) nic(slot string, p Properties) NIC {
	get := func(k string) string { v, _ := p.Get(k); return v }
	n := NIC{Slot: slot, Model: get("model"), MAC: get("hwaddr"), Bridge: get("bridge"), VLAN: get("tag"),
		IP: get("ip"), IP6: get("ip6"), Name: get("name"), Firewall: get("firewall") == "1"}
	if n.MAC == "" {
		n.MAC = get("macaddr")
	}
	if n.Model == "" { // a model without an address: "virtio,bridge=vmbr0"
		n.Model = get("")
	}
	for _, e := range p {
		if macForm().MatchString(e.Value) && e.Key != "hwaddr" && e.Key != "macaddr" {
			n.Model, n.MAC = e.Key, e.Value
		}
	}
	if ipc, err := ParseProperties(c.Str("ipconfig" + strings.TrimPrefix(slot, "net"))); err == nil && n.IP == "" {
		n.IP, _ = ipc.Get("ip")
		n.IP6, _ = ipc.Get("ip6")
	}
	return n
}
