package iac

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/internal/redact"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// Guest is a virtual machine or container. Config is all that Proxmox VE answered to GET config but digest and lock, with secrets masked;
// absent is never a default.
type Guest struct {
	VMID     int           `json:"vmid"`
	Life     int           `json:"life"` // 1 for the first guest under this vmid
	Type     pve.GuestType `json:"type"` // qemu, lxc
	Node     string        `json:"node"`
	Name     string        `json:"name,omitempty"` // as configured, "" without one
	Status   string        `json:"status"`         // running, stopped, paused, suspended, unknown
	Pool     string        `json:"pool,omitempty"`
	Tags     []string      `json:"tags,omitempty"` // sorted
	Template bool          `json:"template,omitempty"`
	Lock     string        `json:"lock,omitempty"`
	HA       string        `json:"ha,omitempty"` // state of its HA resource, "" without one
	Config   pve.Config    `json:"config"`
	// Unread says why Config is empty; "" when it was read.
	Unread string `json:"unread,omitempty"`
	// Base is the vmid of the template that this linked clone's disks build on, 0 for all others.
	Base      int       `json:"base,omitempty"`
	Addresses []Address `json:"addresses,omitempty"` // last observed, best first
}

// Address is an address that a guest was seen with (Source agent or container) or is configured with (config).
type Address struct {
	Interface string `json:"interface"`
	IP        string `json:"ip"` // without prefix length
	Source    string `json:"source"`
}

// NewGuest makes a guest of a row and its configuration, raw JSON as Proxmox VE answers it ("" = never read).
func NewGuest(row *store.Guest, raw json.RawMessage) (Guest, error) {
	g := Guest{VMID: row.VMID, Life: max(row.Life, 1), Type: pve.GuestType(row.Type), Node: row.Node, Name: row.Name, Status: row.Status, Pool: row.Pool,
		Template: row.Template, Lock: row.Lock, HA: row.HAState, Config: pve.Config{}}
	if row.Addresses != "" {
		// Addresses of another version that cannot be read count as never observed.
		_ = json.Unmarshal([]byte(row.Addresses), &g.Addresses)
	}
	if len(raw) == 0 {
		g.Unread = "its configuration was never read"
		return g, nil
	}
	c, err := pve.DecodeConfig(raw)
	if err == nil {
		g.configured(c)
	}
	return g, err
}

// NewDraft makes a guest that does not exist yet out of its configuration.
func NewDraft(row *store.Guest, c pve.Config) Guest {
	g := Guest{VMID: row.VMID, Life: max(row.Life, 1), Type: pve.GuestType(row.Type), Node: row.Node, Status: row.Status, Pool: row.Pool}
	g.configured(c)
	return g
}

// configured takes over a configuration, and what follows from it.
func (g *Guest) configured(c pve.Config) {
	g.Config = c
	delete(g.Config, "digest")
	delete(g.Config, "lock")
	g.Tags = pve.SplitTags(g.Config.Str("tags"))
	slices.Sort(g.Tags)
	g.Tags = slices.Compact(g.Tags)
	g.Template = g.Config.Bool("template")
	g.Base = baseOf(g.Config, g.VMID)
	// Lists call a guest without a name after its number.
	g.Name = g.Config.Str(map[pve.GuestType]string{pve.Qemu: "name", pve.LXC: "hostname"}[g.Type])
}

// ID is the vmid as text.
func (g *Guest) ID() string { return strconv.Itoa(g.VMID) }

// Key is the guest's key for a target.
func (g *Guest) Key(target string) Key {
	return Key{Target: target, Kind: store.KindGuest, ID: g.ID(), Life: g.Life}
}

// Masked lists the keys whose stored value has a secret masked: what is written of them is not what the guest has.
func (g *Guest) Masked() []string {
	var out []string
	for _, k := range g.Config.Keys() {
		if strings.Contains(g.Config.Str(k), redact.Mask) {
			out = append(out, k)
		}
	}
	return out
}

// Pairs gives a key whose value is a list of pairs, as lxc of a container: the raw lines of its configuration file.
func (g *Guest) Pairs(key string) [][2]string {
	list, _ := g.Config[key].([]any)
	out := make([][2]string, 0, len(list))
	for _, e := range list {
		if pair, ok := e.([]any); ok && len(pair) == 2 {
			name, _ := pair[0].(string)
			value, _ := pair[1].(string)
			out = append(out, [2]string{name, value})
		}
	}
	return out
}

// Series lists the keys name0, name1 ... in the order of their numbers (net2 before net10).
func (g *Guest) Series(name string) []string {
	var out []string
	for k := range g.Config {
		if rest, ok := strings.CutPrefix(k, name); ok && Index(k) >= 0 && len(rest) > 0 && strings.TrimLeft(rest, "0123456789") == "" {
			out = append(out, k)
		}
	}
	slices.SortFunc(out, pve.CompareKeys)
	return out
}

// Index is the number at the end of a key, -1 when there is none.
func Index(key string) int {
	at := len(key)
	for at > 0 && key[at-1] >= '0' && key[at-1] <= '9' {
		at--
	}
	n, err := strconv.Atoi(key[at:])
	if err != nil {
		return -1
	}
	return n
}

// baseOf finds the template whose disks those of a guest build on: base-733-disk-0 in the id of a volume (rule B10).
func baseOf(c pve.Config, own int) int {
	for _, d := range c.Disks() {
		for part := range strings.SplitSeq(d.Source, "/") {
			part = part[strings.LastIndexByte(part, ':')+1:]
			rest, ok := strings.CutPrefix(part, "base-")
			number, _, found := strings.Cut(rest, "-")
			if n, err := strconv.Atoi(number); ok && found && err == nil && n != own {
				return n
			}
		}
	}
	return 0
}
