package inventory

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/reach"
)

// Merge makes a configured cluster another name of one that is configured before it: its guests are not listed, it is not synced, and
// whoever names it means the other one. What the store has of it stays there unseen. The caller has made sure that both are one; fresh
// says that this was not known to an earlier process: then one answer tells it. fault.Invalid unless both are configured in that order.
func (i *Inventory) Merge(name, into string, fresh bool) error {
	at := func(n string) int { return slices.IndexFunc(i.clusters, func(c *cluster) bool { return c.name == n }) }
	if k, j := at(name), at(into); j < 0 || k <= j || i.aliasOf(into) != "" {
		return fault.New(fault.Invalid, "cluster %q cannot be merged into %q", name, into)
	}
	i.setAlias(name, into)
	if fresh {
		text := fmt.Sprintf("%s is the same cluster as %s, proved by its nodes' certificates: its guests show once, under %s", name, into, into)
		i.news.Store(&Warning{"merged", text})
	}
	return nil
}

// Split takes a merge back: the two were found to differ.
func (i *Inventory) Split(name string) { i.setAlias(name, "") }

// Merged are the configured clusters that are other names of one, with its name.
func (i *Inventory) Merged() map[string]string {
	if m := i.aliases.Load(); m != nil {
		return maps.Clone(*m)
	}
	return map[string]string{}
}

func (i *Inventory) setAlias(name, into string) {
	next := i.Merged()
	if next[name] == into {
		return
	}
	if next[name] = into; into == "" {
		delete(next, name)
	}
	i.aliases.Store(&next)
	i.proj.reshow()
}

// aliasOf is the cluster that a configured name stands for, "" when for itself.
func (i *Inventory) aliasOf(name string) string {
	if m := i.aliases.Load(); m != nil {
		return (*m)[name]
	}
	return ""
}

// active are the configured clusters but those that are other names of one.
func (i *Inventory) active() []*cluster {
	if m := i.aliases.Load(); m == nil || len(*m) == 0 {
		return i.clusters
	}
	return slices.DeleteFunc(slices.Clone(i.clusters), func(c *cluster) bool { return i.aliasOf(c.name) != "" })
}

// alsoGivenAs are the other names of a cluster that the caller may know of, in the order of the configuration.
func (i *Inventory) alsoGivenAs(ctx context.Context, name string) []string {
	var out []string
	for _, c := range i.clusters {
		if i.aliasOf(c.name) == name && reach.Cluster(ctx, c.name) {
			out = append(out, c.name)
		}
	}
	return out
}

// reshow makes the view anew after a merge or a split.
func (p *projection) reshow() {
	p.loading.Lock()
	defer p.loading.Unlock()
	old := p.view.Load()
	p.show(old.clusters, old.gen)
}
