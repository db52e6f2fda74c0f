package inventory

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unique"

	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/internal/redact"
)

// facetsVersion grows when facets hold more: older ones are extracted again at the next read of the configuration.
const facetsVersion = 3

// facets are what lists, queries and the rules of identity need of a guest's configuration, extracted once when it changes.
type facets struct {
	V          int      `json:"v"`
	Sum        string   `json:"sum"`             // sumOf the configuration
	UUID       string   `json:"uuid,omitempty"`  // smbios1 uuid of a VM
	CTime      string   `json:"ctime,omitempty"` // creation time of meta
	Name       string   `json:"name,omitempty"`
	Volumes    []string `json:"vol,omitempty"` // volume ids in use, without CD drives
	Loose      []string `json:"ref,omitempty"` // further volume ids that it refers to: unused disks, CD drives, the state of a hibernated VM
	Nets       []string `json:"net,omitempty"` // bridges and vnets of its interfaces, each with its tag behind a blank if it has one
	Storages   []string `json:"st,omitempty"`
	Size       int64    `json:"size,omitempty"` // bytes of all volumes
	OnBoot     bool     `json:"boot,omitempty"`
	Agent      *bool    `json:"agent,omitempty"` // VMs only
	OS         string   `json:"os,omitempty"`
	Protection bool     `json:"prot,omitempty"`
	Template   bool     `json:"tpl,omitempty"`
	IPs        []string `json:"ip,omitempty"` // static addresses
	Cores      int      `json:"cores,omitempty"`
	Memory     int64    `json:"mem,omitempty"` // MiB
	Note       string   `json:"note,omitempty"`
	Parent     string   `json:"parent,omitempty"` // current snapshot's name: there are snapshots
	Doubt      string   `json:"doubt,omitempty"`  // what is undecided about the guest (doubt.go)
}

// splitConfig takes digest and lock off a configuration and masks what is secret: what is left is its versioned content. Locks
// and digests are not history.
func splitConfig(c pve.Config) (content pve.Config, digest string) {
	content = make(pve.Config, len(c))
	for k, v := range c {
		if k != "digest" && k != "lock" {
			content[k] = v
		}
	}
	// The source redacts too; a secret must not reach the store by one forgotten path.
	redact.Fields(map[string]any(content))
	return content, c.Str("digest")
}

// extractFacets copies what it keeps, so that no piece of a value holds the whole configuration in memory.
func extractFacets(t pve.GuestType, c pve.Config) *facets {
	f := &facets{V: facetsVersion, Sum: sumOf(c), OnBoot: c.Bool("onboot"), OS: intern(c.Str("ostype")), Protection: c.Bool("protection"),
		Template: c.Bool("template"), Note: firstLine(c.Str("description")), Parent: clean.Line(c.Str("parent"), 100)}
	f.Name = c.Str("name")
	if t == pve.LXC {
		f.Name = c.Str("hostname")
	}
	f.Name = clean.Line(f.Name, maxName)
	f.UUID = strings.Clone(property(c.Str("smbios1"), "uuid"))
	f.CTime = strings.Clone(property(c.Str("meta"), "ctime"))
	if t == pve.Qemu {
		f.Agent = pve.Ptr(agentEnabled(c.Str("agent")))
	}
	f.disks(c)
	f.addresses(c)
	f.Cores = coresOf(c)
	f.Memory, _ = strconv.ParseInt(strings.TrimPrefix(c.Str("memory"), "current="), 10, 64)
	return f
}

func (f *facets) disks(c pve.Config) {
	for _, d := range c.Disks() {
		if d.CDROM || strings.HasPrefix(d.Slot, "unused") {
			if d.Storage != "" {
				f.Loose = append(f.Loose, strings.Clone(d.Source))
			}
			continue
		}
		f.Size += d.Size
		if d.Source != "" && d.Source != "none" {
			f.Volumes = append(f.Volumes, strings.Clone(d.Source))
		}
		if d.Storage != "" && !slices.Contains(f.Storages, d.Storage) {
			f.Storages = append(f.Storages, intern(d.Storage))
		}
	}
	slices.Sort(f.Volumes)
	if state := c.Str("vmstate"); state != "" {
		f.Loose = append(f.Loose, strings.Clone(state))
	}
}

func (f *facets) addresses(c pve.Config) {
	for _, n := range c.NICs() {
		if net := intern(strings.TrimSpace(n.Bridge + " " + n.VLAN)); net != "" {
			f.Nets = append(f.Nets, net)
		}
		for _, a := range []string{n.IP, n.IP6} {
			if ip, ok := plainIP(a); ok {
				f.IPs = append(f.IPs, ip)
			}
		}
	}
}

// agentEnabled reads the agent property: "1", "enabled=1,..." (schema: qemu config agent).
func agentEnabled(s string) bool {
	p, err := pve.ParseProperties(s)
	if err != nil {
		return false
	}
	for _, key := range []string{"enabled", ""} {
		if v, ok := p.Get(key); ok {
			return v == "1"
		}
	}
	return false
}

func coresOf(c pve.Config) int {
	cores, ok := c.Int("cores")
	if !ok {
		return 0
	}
	if s, ok := c.Int("sockets"); ok && s > 0 {
		cores *= s
	}
	return int(cores)
}

func property(s, key string) string {
	p, err := pve.ParseProperties(s)
	if err != nil {
		return ""
	}
	v, _ := p.Get(key)
	return v
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return strings.Clone(clean.Line(line, maxName))
}

func parseFacets(s string) *facets {
	if s == "" {
		return nil
	}
	f := new(facets)
	if json.Unmarshal([]byte(s), f) != nil || f.V != facetsVersion {
		return nil
	}
	f.OS = intern(f.OS)
	for _, list := range [][]string{f.Storages, f.Nets} {
		for i := range list {
			list[i] = intern(list[i])
		}
	}
	return f
}

func (f *facets) encode() string {
	if f == nil {
		return ""
	}
	b, err := json.Marshal(f)
	if err != nil {
		return ""
	}
	return string(b)
}

// intern gives one copy of a string that many guests share: nodes, states, tags, pools.
func intern(s string) string {
	if s == "" {
		return ""
	}
	return unique.Make(s).Value()
}

// sumOf is a check sum of a configuration that is blind to how scalars are spelt: 1, "1" and true are one value in different
// versions of Proxmox VE (faults.md F34), and a change of spelling is no change.
func sumOf(c pve.Config) string {
	h := sha256.New()
	for _, k := range c.Keys() {
		v := valueOf(c, k)
		fmt.Fprintf(h, "%s=%d:%s\n", k, len(v), v)
	}
	// 96 bits: enough to tell two versions of one guest apart.
	return hex.EncodeToString(h.Sum(nil)[:12])
}

// valueOf is the whole value of a key that is set, spelt the same in all versions of Proxmox VE: scalars as text, all else as JSON.
func valueOf(c pve.Config, key string) string {
	if v := c.Str(key); v != "" {
		return v
	}
	return string(encodeState(c[key]))
}
