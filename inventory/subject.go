package inventory

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// kindWords are the words by which answers call a kind; one before an id says which of several things of that id is meant.
var kindWords = map[string]store.Kind{"guest": store.KindGuest, "node": store.KindNode, "storage": store.KindStorageConfig,
	"pool": store.KindPool, "cluster": store.KindCluster}

// historic are the kinds beside guests whose past is kept and that the projection knows; that of settings is in the store (isSetting).
var historic = []store.Kind{store.KindNode, store.KindStorageConfig, store.KindPool, store.KindCluster}

// isSetting says whether a kind is one of the settings, which are called by their kind: "backup_job nightly", "network pve1/vmbr0".
func isSetting(kind store.Kind) bool {
	return kind == store.KindFirewallRules || kind == store.KindNodeFirewall || kind == store.KindGuestFirewall ||
		slices.ContainsFunc(settings, func(s setting) bool { return s.kind == kind })
}

// kindOf is the kind that a word stands for, "" for none.
func kindOf(word string) store.Kind {
	if k := kindWords[word]; k != "" {
		return k
	}
	if k := store.Kind(word); isSetting(k) {
		return k
	}
	return ""
}

// subjects are the objects that a text names, gone ones too: a guest by vmid or name, a node, storage, pool or cluster object by its
// id, or "storage local". A kind alone is one Ref per cluster without an id, which means all of that kind. Errors: fault.Ambiguous for a name of several guests, fault.NotFound with what is near.
func (i *Inventory) subjects(ctx context.Context, st Store, scope []*cluster, text string) ([]store.Ref, error) {
	text = strings.TrimSpace(text)
	kind, id := store.Kind(""), text
	if word, rest, ok := strings.Cut(text, " "); ok && kindOf(word) != "" {
		kind, id = kindOf(word), strings.TrimSpace(rest)
	}
	var refs []store.Ref
	if kind == "" || kind == store.KindGuest {
		var err error
		if refs, err = i.guestRefs(scope, id); err != nil {
			return nil, err
		}
	}
	v := i.proj.view.Load()
	for _, c := range scope {
		refs = append(refs, v.clusters[c.name].refs(kind, id)...)
	}
	if len(refs) == 0 {
		var err error
		if refs, err = storedRefs(ctx, st, scope, kind, id); err != nil {
			return nil, err
		}
	}
	if k := kindOf(text); len(refs) == 0 && k != "" && k != store.KindGuest {
		for _, c := range scope {
			refs = append(refs, store.Ref{Cluster: c.name, Kind: k})
		}
	}
	if len(refs) == 0 {
		return nil, i.unknownSubject(v, scope, text, kind)
	}
	return refs, nil
}

// unknownSubject says how what has a past is called.
func (i *Inventory) unknownSubject(v *view, scope []*cluster, text string, kind store.Kind) error {
	e := i.unknown(v, scope, text, "object", v.objectNames(scope))
	_, number := vmidOf(text)
	switch {
	case number || e.Retryable || strings.HasPrefix(e.Hint, "did you mean") || kind == store.KindGuest || kindOf(text) == store.KindGuest:
	case kind != "":
		word, _, _ := strings.Cut(text, " ")
		e = e.WithHint("get_history {\"object\": \"%s\"} lists each that is recorded", word).WithNext("get_history")
	default:
		e = e.WithHint("a guest is named by vmid or name, everything else by its id or as KIND ID; the kinds are %s", strings.Join(kindNames(), ", ")).WithNext("")
	}
	return e
}

// kindNames are the words before ids, in the order of the alphabet.
func kindNames() []string {
	out := append(sortedNames(kindWords), string(store.KindFirewallRules), string(store.KindNodeFirewall), string(store.KindGuestFirewall))
	for _, s := range settings {
		out = append(out, string(s.kind))
	}
	slices.Sort(out)
	return out
}

// guestRefs are the guests that a text names: the one that exists, else those that are gone.
func (i *Inventory) guestRefs(scope []*cluster, text string) ([]store.Ref, error) {
	r, err := i.resolve(scope, text)
	if err == nil {
		return []store.Ref{{Cluster: r.g.Cluster, Kind: store.KindGuest, ID: strconv.Itoa(r.g.VMID)}}, nil
	}
	if fault.CodeOf(err) == fault.Ambiguous {
		return nil, err
	}
	var refs []store.Ref
	for _, c := range scope {
		if r := lastOf(i.proj.cluster(c.name), text); r != nil {
			refs = append(refs, store.Ref{Cluster: c.name, Kind: store.KindGuest, ID: strconv.Itoa(r.g.VMID)})
		}
	}
	return refs, nil
}

// refs are the objects of an id that exist in a cluster, beside guests.
func (c *clusterView) refs(kind store.Kind, id string) []store.Ref {
	var out []store.Ref
	for _, k := range historic {
		if _, ok := c.objectsOf(k)[id]; ok && (kind == "" || kind == k) {
			out = append(out, store.Ref{Cluster: c.name, Kind: k, ID: id})
		}
	}
	return out
}

// storedRefs asks the store for objects of an id that the view does not keep: those that are gone, and settings. What belongs to a node is
// found by its name there, too.
func storedRefs(ctx context.Context, st Store, scope []*cluster, kind store.Kind, id string) ([]store.Ref, error) {
	var out []store.Ref
	for _, c := range scope {
		objects, err := st.Objects(ctx, c.name, 0)
		if err != nil {
			return nil, err
		}
		for k := range objects {
			o := &objects[k]
			fits := o.ID == id || o.Kind == store.KindNetwork && strings.HasSuffix(o.ID, "/"+id)
			if fits && (slices.Contains(historic, o.Kind) || isSetting(o.Kind)) && (kind == "" || kind == o.Kind) {
				out = append(out, o.Ref)
			}
		}
	}
	return out, nil
}

// objectNames are the names and ids of all that has a past.
func (v *view) objectNames(scope []*cluster) []string {
	var out []string
	for _, c := range scope {
		for _, k := range historic {
			out = append(out, sortedNames(v.clusters[c.name].objectsOf(k))...)
		}
	}
	return out
}

// oneSubject is the single object of those that a text names; where these are several, the error lists how to say which.
func oneSubject(refs []store.Ref, text string) (store.Ref, error) {
	if len(refs) == 1 {
		return refs[0], nil
	}
	var names, in []string
	for _, r := range refs {
		in = append(in, r.Cluster)
		word := strings.TrimSuffix(string(r.Kind), "_config")
		names = append(names, fmt.Sprintf("%s %s of cluster %s", word, clean.Line(r.ID, maxName), r.Cluster))
	}
	e := fault.New(fault.Ambiguous, "%q names %d objects: %s", clean.Line(text, maxName), len(refs), shortList(names, 8))
	if len(distinct(in)) == len(refs) {
		return store.Ref{}, whichCluster(e, in)
	}
	return store.Ref{}, e.WithHint("put the kind before the id (storage local), use the vmid of a guest, and say in which cluster")
}

// likeName says that a name is the one that is asked for, or begins with it where that ends in *. Nothing asked for is any name.
func likeName(name, asked string) bool {
	if prefix, some := strings.CutSuffix(asked, "*"); some {
		return strings.HasPrefix(name, prefix)
	}
	return asked == "" || name == asked
}
