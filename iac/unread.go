package iac

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// Unread says what of a cluster was never read, and why, as store.SettingsUnread does. That there is none of it is not known.
type Unread map[string]string

// Has says whether an object of a kind and id would be among it.
func (u Unread) Has(kind store.Kind, id string) bool {
	_, whole := u[string(kind)]
	part, _, _ := strings.Cut(id, "/")
	_, some := u[string(kind)+" "+part]
	return whole || some
}

// Yet says whether some of it was not read for no other reason than that nothing read it so far.
func (u Unread) Yet() bool {
	return slices.Contains(slices.Collect(maps.Values(u)), store.NotReadYet)
}

// Lines tells of it by reason: "firewall, SDN: not read yet".
func (u Unread) Lines() []string {
	areas := map[string][]string{}
	for _, k := range slices.Sorted(maps.Keys(u)) {
		kind, of, _ := strings.Cut(k, " ")
		what := Area(store.Kind(kind))
		switch {
		case store.Kind(kind) == store.KindGuestFirewall && of != "":
			what += " of guests"
		case of != "":
			what += " of " + of
		}
		areas[u[k]] = append(areas[u[k]], what)
	}
	var out []string
	for _, why := range slices.Sorted(maps.Keys(areas)) {
		slices.Sort(areas[why])
		out = append(out, strings.Join(slices.Compact(areas[why]), ", ")+": "+why)
	}
	return out
}

// Area is what people call the part of a cluster that objects of a kind belong to.
func Area(kind store.Kind) string {
	switch kind {
	case store.KindNetwork:
		return "networks"
	case store.KindNodeDNS, store.KindNodeTime, store.KindNodeOptions:
		return "node options"
	case store.KindClusterOptions:
		return "datacenter options"
	case store.KindStorageConfig:
		return "storages"
	case store.KindGroup, store.KindRole, store.KindRealm, store.KindUser, store.KindACL:
		return "access"
	case store.KindNodeFirewall, store.KindGuestFirewall:
		return "firewall"
	}
	switch first, rest, _ := strings.Cut(string(kind), "_"); first {
	case "ha", "sdn":
		return strings.ToUpper(first)
	case "firewall":
		return first
	case "mapping":
		return "mappings"
	default:
		return strings.TrimSpace(first+" "+rest) + "s"
	}
}

// both is what neither of two readings brought.
func (u Unread) both(then Unread) Unread {
	out := Unread{}
	for _, pair := range [][2]Unread{{u, then}, {then, u}} {
		for k, why := range pair[0] {
			if kind, part, _ := strings.Cut(k, " "); pair[1].Has(store.Kind(kind), part) {
				out[k] = why
			}
		}
	}
	return out
}

// nothingRead is of a cluster whose settings no reading has brought.
func nothingRead() Unread {
	out := Unread{}
	for _, k := range store.SettingKinds() {
		out[string(k)] = store.NotReadYet
	}
	return out
}

// unreadOf is what the probe of the settings says. One that cannot be read counts as none.
func unreadOf(probe *store.Object) Unread {
	var state struct {
		At   time.Time `json:"at"`
		Data Unread    `json:"data"`
	}
	if probe == nil || json.Unmarshal(probe.State, &state) != nil || state.At.IsZero() {
		return nothingRead()
	}
	if state.Data == nil {
		return Unread{}
	}
	return state.Data
}

// Things is a number of objects of a kind in words: "2 backup jobs".
func Things(n int, kind store.Kind) string {
	what := strings.ReplaceAll(string(kind), "_", " ")
	switch {
	case kind == store.KindACL:
		what = "ACL entry"
	case strings.HasPrefix(what, "ha ") || strings.HasPrefix(what, "sdn "):
		first, rest, _ := strings.Cut(what, " ")
		what = strings.ToUpper(first) + " " + rest
	}
	switch stem, y := strings.CutSuffix(what, "y"); {
	case n == 1 || strings.HasSuffix(what, "s"):
	case y:
		what = stem + "ies"
	default:
		what += "s"
	}
	return strconv.Itoa(n) + " " + what
}

// Begun notes that no synchronisation of the cluster has come to its end: storages and pools come last.
func (w *World) Begun() {
	w.Unread[string(store.KindStorageConfig)], w.Unread[string(store.KindPool)] = store.NotReadYet, store.NotReadYet
}

// Keep takes over from the cluster as it was exported what was never read since by this store (a new one, on another machine): it is out of
// sight, not gone.
func (w *World) Keep(then *World) {
	if then == nil {
		return
	}
	for _, o := range then.Objects {
		if w.Unread.Has(o.Kind, o.ID) && w.Find(o.Kind, o.ID) == nil && !w.Gone[Key{Kind: o.Kind, ID: o.ID}] {
			o.Known = false
			w.Objects = append(w.Objects, o)
		}
	}
	w.Sort()
	w.Unread = w.Unread.both(then.Unread)
	for i := range w.Guests {
		g := &w.Guests[i]
		old := then.Guest(g.VMID)
		if g.Unread != "" && old != nil && old.Unread == "" && old.Type == g.Type && old.Life == g.Life {
			g.configured(maps.Clone(old.Config))
			g.Unread = ""
		}
	}
}
