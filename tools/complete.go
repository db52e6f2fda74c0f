package tools

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/near"
	"github.com/proxmox-mcp/proxmox-mcp/inventory"
)

// Completed says what an argument is completed with.
type Completed string

// The kinds of arguments. A guest is completed by its name, or by its vmid where that is what was begun or another guest has the name, too;
// a vmid by the vmid alone, whichever of the two was typed.
const (
	ByCluster Completed = "cluster"
	ByGuest   Completed = "guest"
	ByVMID    Completed = "vmid"
	ByNode    Completed = "node"
	ByStorage Completed = "storage"
	ByTag     Completed = "tag"
	ByPool    Completed = "pool"
	ByTask    Completed = "task" // a UPID, newest first
	ByCode    Completed = "code" // the path of a generated file, up to the next slash
)

// Known says that there is such a kind for the argument of a prompt.
func (c Completed) Known() bool {
	return slices.Contains([]Completed{ByCluster, ByGuest, ByVMID, ByNode, ByStorage, ByTag, ByPool, ByTask}, c)
}

// Completer completes arguments within what a caller may reach.
type Completer struct {
	Deps     func(ctx context.Context) (Deps, error)
	Clusters func(ctx context.Context) []string // those that the caller may reach, by their configured names
}

// Values lists what an argument may be, best first and each once. cluster "" means all that the caller reaches. What cannot be read has no
// values: somebody is typing, and an error would be in the way.
func (c Completer) Values(ctx context.Context, kind Completed, typed, cluster string) []string {
	reach := c.Clusters(ctx)
	switch {
	case kind == ByCluster:
		return near.Complete(typed, reach)
	case cluster != "" && !slices.Contains(reach, cluster):
		return nil
	case cluster != "":
		reach = []string{cluster}
	}
	d, err := c.Deps(ctx)
	if err != nil {
		return nil
	}
	var out []string
	for _, name := range reach {
		if list, err := Complete(ctx, d, kind, typed, name); err == nil {
			out = append(out, list...)
		}
	}
	return unique(out)
}

// Complete lists what an argument may be, best first, from what is known already. cluster narrows it; "" means all.
func Complete(ctx context.Context, d Deps, kind Completed, typed, cluster string) ([]string, error) {
	if kind == ByCode {
		return codeLike(ctx, d, typed, cluster)
	}
	n, err := d.Inventory.Names(ctx, cluster)
	if err != nil {
		return nil, err
	}
	switch kind {
	case ByCluster:
		return near.Complete(typed, n.Clusters), nil
	case ByNode:
		return near.Complete(typed, n.Nodes), nil
	case ByStorage:
		return near.Complete(typed, n.Storages), nil
	case ByTag:
		return near.Complete(typed, n.Tags), nil
	case ByPool:
		return near.Complete(typed, n.Pools), nil
	case ByTask:
		return slices.DeleteFunc(n.Tasks, func(upid string) bool { return !strings.HasPrefix(upid, typed) }), nil
	case ByGuest, ByVMID:
		return guestsLike(n.Guests, kind, strings.TrimSpace(typed)), nil
	}
	return nil, nil
}

// codeLike goes on from a path as a shell does: to the next slash.
func codeLike(ctx context.Context, d Deps, typed, cluster string) ([]string, error) {
	if d.Code == nil {
		return nil, nil
	}
	_, files, err := d.Code.Files(ctx, cluster)
	var out []string
	for _, f := range files {
		rest, ok := strings.CutPrefix(f.Path, typed)
		if !ok {
			continue
		}
		if at := strings.IndexByte(rest, '/'); at >= 0 {
			rest = rest[:at+1]
		}
		out = append(out, typed+rest)
	}
	return unique(out), err
}

func guestsLike(guests []inventory.GuestName, kind Completed, typed string) []string {
	byName, ids := map[string][]string{}, make([]string, 0, len(guests))
	var names []string
	for _, g := range guests {
		id := strconv.Itoa(g.VMID)
		ids = append(ids, id)
		if g.Name != "" && byName[g.Name] == nil {
			names = append(names, g.Name)
		}
		byName[g.Name] = append(byName[g.Name], id)
	}
	if _, err := strconv.Atoi(typed); err == nil || typed == "" && kind == ByVMID {
		return near.Complete(typed, unique(ids))
	}
	var out []string
	for _, name := range near.Complete(typed, names) {
		if kind == ByGuest && len(byName[name]) == 1 {
			out = append(out, name)
		} else {
			out = append(out, byName[name]...)
		}
	}
	if kind == ByGuest && typed == "" {
		out = append(out, byName[""]...) // those whose name is unknown
	}
	return unique(out)
}

// unique keeps the first of equal ones: two clusters may have the same vmid.
func unique(list []string) []string {
	seen := map[string]bool{}
	return slices.DeleteFunc(list, func(s string) bool {
		was := seen[s]
		seen[s] = true
		return was
	})
}
