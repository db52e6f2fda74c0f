package tools

import (
	"context"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/change"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

type tagsIn struct {
	Action  string   `json:"action" req:"true" enum:"add,remove,set" example:"add"`
	Tags    []string `json:"tags" example:"web"`
	Cluster string   `json:"cluster" multi:"true" desc:"configured name"`
	Guest   string   `json:"guest" example:"104" help:"vmid or name"`
	Query   string   `json:"query" example:"tag:web" desc:"or as find_guests"`
	Quick
}

func manageTags() Spec {
	return writes(Spec{
		Name: "manage_tags", Title: "Tags", Family: "change", Command: "guest tags", Args: []string{"guest", "action", "tags"}, Tier: R1,
		Acts:    []Act{{"add", R1}, {"remove", R1}, {"set", R1}},
		Needs:   []Need{needOptions.orNothing(), needGuests},
		Summary: "Add, remove or replace tags of guests.",
		Examples: []Example{
			{CLI: "guest tags 208 add web", Args: map[string]any{"guest": "208", "action": "add", "tags": []string{"web"}}, Why: "one tag more"},
		},
	}, func(_ context.Context, _ Deps, in *tagsIn) (change.Request, error) {
		r := on(in.Cluster, in.Guest, change.Tags{Verb: in.Action, Tags: in.Tags})
		r.Query = strings.TrimSpace(in.Query)
		return r, nil
	})
}

type poolIn struct {
	Action  string `json:"action" req:"true" enum:"create,delete,add,remove" example:"add"`
	Pool    string `json:"pool" req:"true" example:"lab" help:"its name"`
	Comment string `json:"comment" help:"what a new pool is for"`
	Cluster string `json:"cluster" multi:"true" desc:"configured name"`
	Guest   string `json:"guest" example:"104" help:"vmid or name"`
	Query   string `json:"query" example:"tag:web" desc:"or as find_guests"`
	Storage string `json:"storage" example:"nas" help:"a storage, in place of guests"`
	Quick
}

func managePool() Spec {
	return writes(Spec{
		Name: "manage_pool", Title: "Pools", Family: "change", Command: "pool manage", Args: []string{"pool", "action", "guest"}, Tier: R1,
		Acts:    []Act{{"create", R1}, {"delete", R2}, {"add", R1}, {"remove", R1}},
		Needs:   []Need{needPoolMembers.orNothing(), needPools},
		Summary: "Create or delete (empty) a pool, add or remove guests or a storage.",
		Examples: []Example{
			{CLI: "pool manage lab add 207 --dry-run", Args: map[string]any{"pool": "lab", "action": "add", "guest": "207", "dry_run": true}, Why: "plan to put a guest into it"},
			{CLI: "pool manage team create --dry-run", Args: map[string]any{"pool": "team", "action": "create", "dry_run": true}, Why: "plan a new pool"},
			{CLI: "pool manage lab add --storage nas-backup --dry-run", Args: map[string]any{"pool": "lab", "action": "add", "storage": "nas-backup", "dry_run": true}, Why: "plan to put a storage into it"},
		},
	}, func(ctx context.Context, d Deps, in *poolIn) (change.Request, error) {
		guests := strings.TrimSpace(in.Guest + in.Query)
		if in.Storage != "" && (guests != "" || in.Action == "create" || in.Action == "delete") {
			return change.Request{}, fault.BadField("storage", "to add or remove a storage nothing else is named", "nas")
		}
		if in.Storage == "" && (in.Action == "add" || in.Action == "remove") {
			r := on(in.Cluster, in.Guest, change.SetPool{Pool: in.Pool})
			if in.Action == "remove" {
				r.Action = change.SetPool{From: in.Pool}
			}
			r.Query = strings.TrimSpace(in.Query)
			return r, nil
		}
		if guests != "" {
			return change.Request{}, fault.BadField("guest", "to "+in.Action+" a pool no guest is named", "leave it away")
		}
		cluster, err := clusterMeant(ctx, d, in.Cluster)
		return change.Request{Cluster: cluster, Direct: change.Pool{Cluster: cluster, Verb: in.Action, Pool: in.Pool, Comment: in.Comment, Storage: in.Storage}}, err
	})
}
