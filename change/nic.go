package change

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/lazy"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// NIC adds, changes or removes a network card, or pulls its cable. Nil fields stay as they are; its address stays with every change.
type NIC struct {
	Verb     string // add, change, remove
	Slot     string // net1; add: the next free one when empty; else the only one
	Bridge   string
	VLAN     *int // 0 = none
	Model    string
	Firewall *bool
	Rate     *float64 // MB/s, 0 = no limit
	Down     *bool    // the link is down
	IP       string   // of a container: dhcp or an address with its prefix length
	Gateway  string
}

// Name implements Action.
func (n NIC) Name() string { return "nic." + n.Verb }

// Title implements Action.
func (n NIC) Title() string { return strings.TrimSpace(n.Verb + " network card " + n.Slot) }

// Needs implements Action.
func (n NIC) Needs() Needs { return Needs{Savable: true, Bridges: n.Bridge != ""} }

// cards is how many network cards a guest can have (schema: net[n]).
const cards = 32

var (
	bridgeForm  = lazy.Regexp(`^[A-Za-z][A-Za-z0-9_.-]{0,14}$`)
	addressForm = lazy.Regexp(`^(dhcp|manual|[0-9a-fA-F.:]+/[0-9]{1,3})$`)
)

// Steps implements Action.
func (n NIC) Steps(l *Live) ([]Step, error) {
	if err := cmp.Or(n.check(l), l.hasBridge("bridge", n.Bridge)); err != nil {
		return nil, err
	}
	slot, err := n.slot(l)
	if err != nil {
		return nil, err
	}
	c := Configure{Delete: []string{slot}}
	if n.Verb != "remove" {
		c = Configure{Set: map[string]string{slot: n.value(l, slot)}}
	}
	steps, err := c.Steps(l)
	for k := range steps {
		steps[k].Action = n.Name()
		if n.Verb == "change" && steps[k].Noop == "" {
			steps[k].Diff = propertyDiff(slot, l.Config.Str(slot), c.Set[slot])
		}
	}
	return steps, err
}

// propertyDiff names the parts of a property string that change: a card's whole text is too long to be compared by eye.
func propertyDiff(field, from, to string) []Diff {
	was, errA := pve.ParseProperties(from)
	now, errB := pve.ParseProperties(to)
	if errA != nil || errB != nil {
		return []Diff{{field, cleanLine(from), cleanLine(to)}}
	}
	var out []Diff
	for _, p := range now {
		if old, _ := was.Get(p.Key); old != p.Value {
			out = append(out, Diff{strings.TrimSpace(field + " " + p.Key), cleanLine(old), cleanLine(p.Value)})
		}
	}
	for _, p := range was {
		if _, still := now.Get(p.Key); !still {
			out = append(out, Diff{Field: strings.TrimSpace(field + " " + p.Key), Old: cleanLine(p.Value)})
		}
	}
	return out
}

func (n NIC) check(l *Live) error {
	switch {
	case !slices.Contains([]string{"add", "change", "remove"}, n.Verb):
		return fault.BadField("action", "it must be one of add, change, remove", "add")
	case n.Verb == "add" && n.Bridge == "":
		return fault.BadField("bridge", "what it is connected to", "vmbr0").WithNext("list_networks")
	case n.Bridge != "" && !bridgeForm().MatchString(n.Bridge):
		return fault.BadField("bridge", "the name of a bridge or virtual network", "vmbr0").WithNext("list_networks")
	case n.VLAN != nil && (*n.VLAN < 0 || *n.VLAN > 4094):
		return fault.BadField("vlan", "1 to 4094, 0 for none", "20")
	case l.Type == pve.LXC && n.Model != "":
		return fault.BadField("model", "a container's card has no model", "leave it away")
	case l.Type == pve.Qemu && n.IP+n.Gateway != "":
		return fault.BadField("ip", "a VM's address is set inside it, or by cloud-init (update_guest, set ipconfig0)", "leave it away")
	case n.IP != "" && !addressForm().MatchString(n.IP):
		return fault.BadField("ip", "dhcp, or an address with its prefix length", "192.0.2.10/24")
	case n.Gateway != "" && !addressForm().MatchString(n.Gateway+"/1"):
		return fault.BadField("gateway", "an address", "192.0.2.1")
	}
	return nil
}

// slot is the card that is meant.
func (n NIC) slot(l *Live) (string, error) {
	list := l.Config.NICs()
	var names []string
	for _, x := range list {
		names = append(names, x.Slot)
	}
	switch {
	case n.Verb == "add" && n.Slot == "":
		if slot := firstFree(l.Config, "net", cards); slot != "" {
			return slot, nil
		}
		return "", fault.New(fault.Conflict, "%s has as many network cards as it can", l.Label())
	case n.Verb == "add" && l.Config.Has(n.Slot):
		return "", fault.New(fault.Conflict, "%s of %s exists already", n.Slot, l.Label()).WithHint("change it, or leave card away to use a free place")
	case n.Verb == "add":
		if k, err := strconv.Atoi(strings.TrimPrefix(n.Slot, "net")); err != nil || k < 0 || k >= cards || "net"+strconv.Itoa(k) != n.Slot {
			return "", fault.BadField("card", "net0 to net31", "net1")
		}
		return n.Slot, nil
	case n.Slot == "" && len(list) == 1:
		return list[0].Slot, nil
	case !slices.Contains(names, n.Slot):
		return "", fault.BadField("card", fmt.Sprintf("which one of %s", l.Label()), strings.Join(names, ", "))
	}
	return n.Slot, nil
}

// value is the property string of the card: what it was, with what is changed.
func (n NIC) value(l *Live, slot string) string {
	parts, err := pve.ParseProperties(l.Config.Str(slot))
	if err != nil || len(parts) == 0 {
		parts = pve.Properties{{Key: "", Value: "virtio"}}
		if l.Type == pve.LXC {
			parts = pve.Properties{{Key: "name", Value: "eth" + strings.TrimPrefix(slot, "net")}}
		}
	}
	if n.Model != "" {
		parts = remodelled(parts, n.Model)
	}
	if n.Bridge != "" {
		parts = put(parts, "bridge", n.Bridge)
	}
	if n.VLAN != nil {
		parts = put(parts, "tag", some(*n.VLAN > 0, strconv.Itoa(*n.VLAN)))
	}
	if n.Firewall != nil {
		parts = put(parts, "firewall", some(*n.Firewall, "1"))
	}
	if n.Rate != nil {
		parts = put(parts, "rate", some(*n.Rate > 0, strconv.FormatFloat(*n.Rate, 'f', -1, 64)))
	}
	if n.Down != nil {
		parts = put(parts, "link_down", some(*n.Down, "1"))
	}
	if n.IP != "" {
		key := "ip"
		if strings.Contains(n.IP, ":") {
			key = "ip6"
		}
		parts = put(parts, key, n.IP)
	}
	if n.Gateway != "" {
		key := "gw"
		if strings.Contains(n.Gateway, ":") {
			key = "gw6"
		}
		parts = put(parts, key, n.Gateway)
	}
	return written(parts)
}

func some(is bool, value string) string {
	if is {
		return value
	}
	return ""
}

// remodelled is a card of another model with the same address: virtio=BC:24:... or model=virtio,macaddr=...
func remodelled(parts pve.Properties, model string) pve.Properties {
	out := slices.Clone(parts)
	for k, p := range out {
		switch {
		case p.Key == "":
			out[k].Value = model
			return out
		case p.Key == "model":
			out[k].Value = model
			return out
		case strings.Count(p.Value, ":") == 5 && p.Key != "macaddr" && p.Key != "hwaddr":
			out[k].Key = model
			return out
		}
	}
	return append(pve.Properties{{Value: model}}, out...)
}

// put sets a property in its place, or at the end; "" takes it away.
func put(parts pve.Properties, key, value string) pve.Properties {
	k := slices.IndexFunc(parts, func(p pve.Property) bool { return p.Key == key })
	switch {
	case value == "":
		return slices.DeleteFunc(slices.Clone(parts), func(p pve.Property) bool { return p.Key == key })
	case k < 0:
		return append(slices.Clone(parts), pve.Property{Key: key, Value: value})
	}
	out := slices.Clone(parts)
	out[k].Value = value
	return out
}

// written is a property string; lists within one have no commas here, so nothing is quoted.
func written(parts pve.Properties) string {
	var out []string
	for _, p := range parts {
		if p.Key == "" {
			out = append(out, p.Value)
			continue
		}
		out = append(out, p.Key+"="+p.Value)
	}
	return strings.Join(out, ",")
}
