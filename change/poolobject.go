package change

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// Pool creates a pool, or deletes one that is empty. Guests are put into one by SetPool.
type Pool struct {
	Cluster string
	Verb    string // create, delete
	Pool    string
	Comment string // create
}

// Name implements Direct.
func (p Pool) Name() string { return "pool." + p.Verb }

// Title implements Direct.
func (p Pool) Title() string { return p.Verb + " pool " + p.Pool }

// Steps implements Direct. A pool that is deleted is named in the query: its name may hold slashes (15/023, 15/024).
func (p Pool) Steps(*Found) ([]Step, error) {
	if len(p.Pool) > 40 || !poolName().MatchString(p.Pool) {
		return nil, fault.BadField("pool", "it must be the name of a pool", "lab")
	}
	made := Call{Method: "POST", Path: "/pools", Params: []Param{{"poolid", p.Pool}}}
	if p.Comment != "" {
		made.Params = append(made.Params, Param{"comment", p.Comment})
	}
	gone := Call{Method: "DELETE", Path: "/pools", Params: []Param{{"poolid", p.Pool}}}
	s := Step{Action: p.Name(), Tier: Reversible, Target: Target{Kind: "pool", Cluster: p.Cluster, Object: p.Pool, Pool: p.Pool}}
	switch p.Verb {
	case "create":
		s.Call, s.Undo, s.Diff = made, []Call{gone}, []Diff{{Field: "pool", New: p.Pool}}
	case "delete":
		s.Call, s.Want.Gone, s.Tier, s.Diff = gone, true, Disruptive, []Diff{{Field: "pool", Old: p.Pool}}
		s.NoUndo = "its comment and the access rules on it go with it: create it again"
	default:
		return nil, fault.BadField("action", "it must be one of create, delete", "create")
	}
	return []Step{s}, nil
}

// poolThere refuses to make a pool that exists, and to delete one that does not or is not empty.
func poolThere(ctx context.Context, c Cluster, s *Step) error {
	has, members, err := poolOf(ctx, c, s.Target.Object)
	switch {
	case err != nil:
		return err
	case has && !s.Want.Gone:
		return fault.New(fault.Stale, "%s exists already; nothing was sent", s.Target.Label())
	case !has && s.Want.Gone:
		return fault.New(fault.Stale, "%s does not exist; nothing was sent", s.Target.Label())
	case has && members > 0:
		return fault.New(fault.Conflict, "%s is not empty: it has %d members; nothing was sent", s.Target.Label(), members).WithHint("take them out first (manage_pool remove)")
	}
	return nil
}

func poolSeen(ctx context.Context, _ *Engine, c Cluster, s *Step, _ store.PlanStep) (seen, error) {
	has, _, err := poolOf(ctx, c, s.Target.Object)
	text := "it exists"
	if !has {
		text = "it does not exist"
	}
	return seen{ok: has != s.Want.Gone, proof: has != s.Want.Gone, gone: !has, target: s.Target, text: text}, err
}

type poolRow struct {
	PoolID  pve.Text          `json:"poolid"`
	Members []json.RawMessage `json:"members"`
}

// poolOf looks for a pool, and how many members it has: GET /pools?poolid= gives both, and 500 for one that does not exist (15/014, 15/016);
// the list tells these apart.
func poolOf(ctx context.Context, c Cluster, name string) (has bool, members int, err error) {
	raw, err := c.Raw(ctx, "GET", "/pools", nil)
	if err != nil {
		return false, 0, err
	}
	var rows []poolRow
	if err := json.Unmarshal(raw, &rows); err != nil {
		return false, 0, fault.Wrap(fault.BadAnswer, err, "the list of pools cannot be read")
	}
	if !slices.ContainsFunc(rows, func(r poolRow) bool { return string(r.PoolID) == name }) {
		return false, 0, nil
	}
	if raw, err = c.Raw(ctx, "GET", "/pools", proxmox.Params{}.Str("poolid", name)); err != nil {
		return true, 0, err
	}
	rows = nil
	if err := json.Unmarshal(raw, &rows); err != nil || len(rows) != 1 {
		return true, 0, fault.New(fault.BadAnswer, "the members of pool %s cannot be read", cleanLine(name))
	}
	return true, len(rows[0].Members), nil
}
