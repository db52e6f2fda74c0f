package tools

import (
	"context"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/change"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/inventory"
)

func convertToTemplate() Spec {
	return writes(Spec{
		Name: "convert_to_template", Title: "Template", Family: "change", Command: "guest template", Args: []string{"guest"}, Tier: R2,
		Needs:   []Need{needAllocate.orNothing(), needGuests},
		Summary: "Make a stopped guest a template, for good.",
		Examples: []Example{
			{CLI: "guest template 204 --dry-run", Args: map[string]any{"guest": "204", "dry_run": true}, Why: "see what it means"},
		},
	}, func(_ context.Context, _ Deps, in *WriteOne) (change.Request, error) {
		return in.acting(change.Template{}), nil
	})
}

type migrateIn struct {
	Target  string `json:"target" req:"true" example:"pve1" desc:"node"`
	Storage string `json:"storage" example:"local-zfs" desc:"there, for local disks; default: of the same name"`
	Write
}

func migrateGuest() Spec {
	return writes(Spec{
		Name: "migrate_guest", Title: "Migrate", Family: "change", Command: "guest migrate", Args: []string{"guest", "target"}, Tier: R2,
		Needs:   []Need{needMigrate.orNothing(), needStorages, needGuests},
		Summary: "Move guests to another node, running VMs live, containers with a restart; names all that hinders it.",
		Examples: []Example{
			{CLI: "guest migrate 204 pve1 --dry-run", Args: map[string]any{"guest": "204", "target": "pve1", "dry_run": true}, Why: "see whether it can move"},
		},
	}, func(_ context.Context, _ Deps, in *migrateIn) (change.Request, error) {
		return in.acting(change.Migrate{Target: strings.TrimSpace(in.Target), Storage: strings.TrimSpace(in.Storage)}), nil
	})
}

type drainIn struct {
	Cluster string `json:"cluster" multi:"true" desc:"configured name"`
	Node    string `json:"node" req:"true" example:"pve2" help:"the one to empty"`
	Stopped bool   `json:"stopped" desc:"stopped ones too"`
	Planning
}

func drainNode() Spec {
	return writes(Spec{
		Name: "drain_node", Title: "Drain", Family: "change", Command: "node drain", Args: []string{"node"}, Tier: R2,
		Needs:   []Need{needMigrate.orNothing(), needNodes, needStorages, needGuests},
		Summary: "Move a node's running guests to others with room; says which cannot.",
		Examples: []Example{
			{CLI: "node drain pve1 --dry-run", Args: map[string]any{"node": "pve1", "dry_run": true}, Why: "see what would go where"},
		},
	}, func(ctx context.Context, d Deps, in *drainIn) (change.Request, error) {
		n, err := nodeCalled(ctx, d, in.Cluster, in.Node)
		return change.Request{Cluster: n.Cluster, Query: "node:" + n.Name, Action: change.Drain{Node: n.Name, Stopped: in.Stopped}}, err
	})
}

type wakeIn struct {
	Cluster string `json:"cluster" multi:"true" desc:"configured name"`
	Node    string `json:"node" req:"true" example:"pve3" help:"the one that is off"`
	Quick
}

func wakeNode() Spec {
	return writes(Spec{
		Name: "wake_node", Title: "Wake", Family: "change", Command: "node wake", Args: []string{"node"}, Tier: R4,
		Needs:   []Need{needWake.orNothing(), needNodes},
		Summary: "Start a node that is off, by Wake-on-LAN.",
		Examples: []Example{
			{CLI: "node wake pve3 --dry-run", Args: map[string]any{"node": "pve3", "dry_run": true}, Why: "see what is sent"},
		},
	}, func(ctx context.Context, d Deps, in *wakeIn) (change.Request, error) {
		n, err := nodeCalled(ctx, d, in.Cluster, in.Node)
		return change.Request{Cluster: n.Cluster, Direct: change.Wake{Cluster: n.Cluster, Node: n.Name, Online: n.Status == "online"}}, err
	})
}

// nodeCalled is the node of that name. Errors: fault.NotFound with the names that there are, fault.Ambiguous.
func nodeCalled(ctx context.Context, d Deps, cluster, name string) (inventory.Node, error) {
	list, err := d.Inventory.Nodes(ctx, inventory.ReadOptions{Cluster: cluster})
	if err != nil {
		return inventory.Node{}, err
	}
	var found []inventory.Node
	var names []string
	for _, n := range list.Nodes {
		if names = append(names, n.Name); strings.EqualFold(n.Name, strings.TrimSpace(name)) {
			found = append(found, n)
		}
	}
	switch len(found) {
	case 0:
		return inventory.Node{}, fault.New(fault.NotFound, "there is no node %.40q", name).WithHint("there are: %s", strings.Join(names, ", "))
	case 1:
		return found[0], nil
	}
	return inventory.Node{}, fault.New(fault.Ambiguous, "%d clusters have a node %s", len(found), found[0].Name).WithHint("say in which cluster: cluster %s", found[0].Cluster)
}

// clusterMeant is the cluster that is meant: the one that is named, or the only one.
func clusterMeant(ctx context.Context, d Deps, cluster string) (string, error) {
	list, err := d.Inventory.Nodes(ctx, inventory.ReadOptions{Cluster: cluster})
	if err != nil {
		return "", err
	}
	for _, n := range list.Nodes {
		if n.Cluster != list.Nodes[0].Cluster {
			return "", fault.BadField("cluster", "there are several; one plan changes one cluster", n.Cluster)
		}
	}
	if len(list.Nodes) == 0 {
		return "", fault.New(fault.Unreachable, "no node of the cluster is known yet").WithNext("sync_inventory")
	}
	return list.Nodes[0].Cluster, nil
}
