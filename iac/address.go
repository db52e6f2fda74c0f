package iac

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// Want asks for the address of one object. Scope is what stands before the name (a resource type and a dot); names are unique within it.
// Name is a Name; Suffix tells objects of one name apart and stays with the object: the vmid of a guest.
type Want struct {
	Key    Key
	Scope  string
	Name   string
	Suffix string
}

// Assign gives each object its address. One that has an address keeps it, whatever its name is now. Newcomers of one name all get their
// suffix; a newcomer whose name is taken, even by an object that is gone, alone gets it. Added are the new ones, in the order of wants.
func Assign(cluster string, known map[Key]string, wants []Want) (all map[Key]string, added []store.Address) {
	all = make(map[Key]string, len(wants))
	taken := map[string]bool{}
	for k, a := range known {
		taken[k.Target+" "+a] = true
	}
	called := map[string]int{} // how many objects are called so, those that have an address too
	for _, w := range wants {
		called[w.plain()]++
		if a, ok := known[w.Key]; ok {
			all[w.Key] = a
		}
	}
	// Names that are given without a suffix come first, so that no suffixed one takes what another object is called.
	wants = slices.Clone(wants)
	lonely := func(w Want) bool { return called[w.plain()] == 1 && !taken[w.plain()] }
	slices.SortStableFunc(wants, func(a, b Want) int { return boolRank(lonely(a)) - boolRank(lonely(b)) })
	for _, w := range wants {
		if _, ok := all[w.Key]; ok {
			continue
		}
		address := w.free(called[w.plain()] > 1, taken)
		all[w.Key], taken[w.Key.Target+" "+address] = address, true
		added = append(added, store.Address{Ref: store.Ref{Cluster: cluster, Kind: w.Key.Kind, ID: w.Key.ID}, Life: w.Key.Life, Target: w.Key.Target,
			Address: address})
	}
	return all, added
}

func boolRank(first bool) int {
	if first {
		return 0
	}
	return 1
}

// plain is the wanted address without a suffix, under its target.
func (w *Want) plain() string { return w.Key.Target + " " + w.Scope + w.Name }

// free is the first address that nothing else has: the name, with its suffix, with a number behind that.
func (w *Want) free(shared bool, taken map[string]bool) string {
	if !shared && !taken[w.plain()] {
		return w.Scope + w.Name
	}
	address := w.Scope + w.Name + "_" + w.Suffix
	for n := 2; taken[w.Key.Target+" "+address]; n++ {
		address = fmt.Sprintf("%s%s_%s_%d", w.Scope, w.Name, w.Suffix, n)
	}
	return address
}

// Left are the addresses of a target that have to be given up in code: those that the folder holds, or, where that is not known, those of
// gone objects; without the ones that are written now.
func (w *World) Left(target string, written map[Key]string) []string {
	left := maps.Clone(w.Options.Held)
	if left == nil {
		left = map[string]bool{}
		for k, a := range w.Known {
			if k.Target == target && w.Gone[k.object()] {
				left[a] = true
			}
		}
	}
	for _, a := range written {
		delete(left, a)
	}
	return slices.Sorted(maps.Keys(left))
}

// object is the key of the object itself: without target and without what tells its resources apart (ID#what).
func (k Key) object() Key {
	id, _, _ := strings.Cut(k.ID, "#")
	return Key{Kind: k.Kind, ID: id, Life: k.Life}
}
