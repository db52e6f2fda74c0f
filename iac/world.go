package iac

import (
	"cmp"
	"encoding/json"
	"slices"

	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// World is one cluster as it was last seen, from the store alone. Guests are in the order of their vmids, Objects by kind and id. It is
// read only: emitters run side by side.
type World struct {
	Cluster  string   `json:"cluster"` // this program's name of the cluster
	Identity Identity `json:"identity"`
	Guests   []Guest  `json:"guests"`
	// Objects are all others: nodes, storages, pools and what else the store keeps.
	Objects []Object `json:"objects"`
	// Unread is what was never read: of such things none are among Objects, whether there are any or not.
	Unread Unread `json:"unread,omitempty"`
	// Known are the addresses that were given before, those of gone objects too.
	Known map[Key]string `json:"-"`
	// Gone are the keys of objects that were seen and are surely gone; one that is only out of sight is not among them.
	Gone    map[Key]bool `json:"-"`
	Options Options      `json:"-"`
	// Then is the cluster as the folder was written of it, nil when there is none.
	Then *World `json:"-"`
}

// Identity is what the cluster says of itself; empty fields were never read.
type Identity struct {
	Name       string `json:"name,omitempty"` // of the cluster in Proxmox VE, "" for a standalone node
	Standalone bool   `json:"standalone,omitempty"`
	Version    string `json:"version,omitempty"` // of Proxmox VE
}

// Options narrow or widen what is written.
type Options struct {
	// Only are the vmids to write; nil = all guests.
	Only map[int]bool
	// With are parts that are written only when asked for: access, firewall.
	With map[string]bool
	// Held are addresses that the target folder holds by now: what leaves it must be given up in code, never merely dropped, as a
	// dropped block plans a destruction. nil = not known: those of gone objects.
	Held map[string]bool
}

// Key names an object over renames and moves: its kind and id, for guests also their life.
type Key struct {
	Target string // what the code is for: terraform, ansible
	Kind   store.Kind
	ID     string
	Life   int
}

// Compare orders keys by target, kind, id (numbers by value) and life.
func (k Key) Compare(o Key) int {
	return cmp.Or(cmp.Compare(k.Target, o.Target), cmp.Compare(k.Kind, o.Kind), pve.CompareKeys(k.ID, o.ID), cmp.Compare(k.Life, o.Life))
}

// Object is a stored object that is no guest, as Proxmox VE last showed it.
type Object struct {
	Kind store.Kind      `json:"kind"`
	ID   string          `json:"id"`
	Raw  json.RawMessage `json:"raw"` // secrets masked
	// Known is false when nothing shows that it still is as stored: its node is silent or a right is missing.
	Known bool `json:"known"`
}

// Config is the object's raw form with accessors; empty where it is no JSON object.
func (o *Object) Config() pve.Config {
	c, err := pve.DecodeConfig(o.Raw)
	if err != nil {
		return pve.Config{}
	}
	return c
}

// Of gives the objects of a kind by id.
func (w *World) Of(kind store.Kind) []Object {
	from, _ := slices.BinarySearchFunc(w.Objects, kind, func(o Object, k store.Kind) int { return cmp.Compare(o.Kind, k) })
	to := from
	for to < len(w.Objects) && w.Objects[to].Kind == kind {
		to++
	}
	return w.Objects[from:to:to]
}

// Find gives one object, nil when there is none.
func (w *World) Find(kind store.Kind, id string) *Object {
	all := w.Of(kind)
	i := slices.IndexFunc(all, func(o Object) bool { return o.ID == id })
	if i < 0 {
		return nil
	}
	return &all[i]
}

// Guest gives the guest of a vmid, nil when there is none.
func (w *World) Guest(vmid int) *Guest {
	i, ok := slices.BinarySearchFunc(w.Guests, vmid, func(g Guest, id int) int { return cmp.Compare(g.VMID, id) })
	if !ok {
		return nil
	}
	return &w.Guests[i]
}

// Selected are the guests that are to be written.
func (w *World) Selected() []*Guest {
	out := make([]*Guest, 0, len(w.Guests))
	for i := range w.Guests {
		if g := &w.Guests[i]; w.Options.Only == nil || w.Options.Only[g.VMID] {
			out = append(out, g)
		}
	}
	return out
}

// Sort brings guests and objects into their order; worlds that were not loaded need it once.
func (w *World) Sort() {
	slices.SortFunc(w.Guests, func(a, b Guest) int { return cmp.Compare(a.VMID, b.VMID) })
	slices.SortFunc(w.Objects, func(a, b Object) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), pve.CompareKeys(a.ID, b.ID)) })
}

// Key is the object's key for a target.
func (o *Object) Key(target string) Key { return Key{Target: target, Kind: o.Kind, ID: o.ID} }
