package change

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Resident is a guest as it may be the one that this program runs in: Target with identity and addresses of network devices, its
// addresses, and what it stands on.
type Resident struct {
	Target
	Addresses, Volumes, Storages, Bridges []string
}

// Home is where this program runs, as far as one cluster knows it: in a guest, which stands on storages and bridges of its node, or on a
// node itself. The zero Home is elsewhere.
type Home struct {
	Cluster                    string
	VMID                       int // 0: in no guest of this cluster
	Node                       string
	Volumes, Storages, Bridges []string
	Why                        string
}

// In says why a resident is the guest that this program runs in, "" when it is not known to be.
func (h Here) In(r *Resident) string {
	if why := h.Is(r.Target); why != "" {
		return why
	}
	for _, a := range r.Addresses {
		if own(a) && slices.Contains(h.Addresses, a) {
			return "this server runs in it (it has the address " + a + ")"
		}
	}
	return ""
}

// own says that an address belongs to one machine: loopback and link-local ones, and those of a container runtime's own bridge, which many
// machines have alike, tell nothing.
func own(text string) bool {
	a, err := netip.ParseAddr(text)
	return err == nil && a.IsGlobalUnicast() && !netip.PrefixFrom(netip.AddrFrom4([4]byte{172, 17}), 16).Contains(a)
}

// Owned are the addresses that tell a machine from others.
func Owned(addresses []string) []string {
	return slices.DeleteFunc(slices.Clone(addresses), func(a string) bool { return !own(a) })
}

// Touches says why a step on an object could end this server: it is its guest, a volume of that, the storage or bridge that it stands on, its
// node. What is not known to be is "". Steps below R2 touch nothing.
func (o Home) Touches(s *Step, t Target) string {
	if s.Tier < Disruptive || o.Cluster == "" || o.Cluster != t.Cluster {
		return ""
	}
	switch {
	case o.VMID != 0 && t.VMID == o.VMID:
		return o.Why
	case t.Kind == "volume" && slices.Contains(o.Volumes, t.Object):
		return fmt.Sprintf("it belongs to guest %d: %s", o.VMID, o.Why)
	case t.Kind == "storage" && slices.Contains(o.Storages, t.Object):
		return fmt.Sprintf("the disks of guest %d lie on it: %s", o.VMID, o.Why)
	case t.Kind == "node" && t.Object == o.Node, s.Tier >= Host && o.Node != "" && (t.Node == o.Node || at(s.Call.Path, "nodes", o.Node)):
		return fmt.Sprintf("this server runs on node %s", o.Node)
	case s.Tier >= Host:
		return o.beneath(s.Call.Path)
	}
	return ""
}

// beneath looks whether a request about the cluster names what the guest stands on, whatever kind of object it is filed under.
func (o Home) beneath(path string) string {
	segments := strings.Split(path, "/")
	for _, name := range o.Storages {
		if at(path, "storage", name) {
			return fmt.Sprintf("the disks of guest %d lie on storage %s: %s", o.VMID, name, o.Why)
		}
	}
	for _, name := range o.Bridges {
		if slices.Contains(segments, name) {
			return fmt.Sprintf("guest %d is connected by %s: %s", o.VMID, name, o.Why)
		}
	}
	return ""
}

// named is the object in a sentence: guest 104 web, volume local:iso/a.iso.
func (t Target) named() string {
	if t.Object != "" {
		return t.Label()
	}
	return "guest " + t.Label()
}

// at says that a path begins with a collection and a name in it.
func at(path, collection, name string) bool {
	rest, ok := strings.CutPrefix(path, "/"+collection+"/"+name)
	return ok && (rest == "" || rest[0] == '/')
}
