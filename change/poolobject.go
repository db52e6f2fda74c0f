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

// Pool creates a pool, deletes one that is empty, or adds a storage to one or removes it. Guests are put into one by SetPool.
type Pool struct {
	Cluster string
	Verb    string // create, delete, add, remove
	Pool    string
	Comment string // create
	Storage string // add, remove
}

// Name implements Direct.
func (p Pool) Name() string { return "pool." + p.Verb }

// Title implements Direct.
func (p Pool) Title() string {
	switch p.Verb {
	case "add":
		return "put storage " + p.Storage + " into pool " + p.Pool
	case "remove":
		return "take storage " + p.Storage + " out of pool " + p.Pool
	}
	return p.Verb + " pool " + p.Pool
}

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
	case "add", "remove":
		if !storageName().MatchString(p.Storage) {
			return nil, fault.BadField("storage", "it must be the name of a storage", "nas")
		}
		s.Diff = []Diff{{Field: "storage", New: p.Storage}}
		s.Call, s.Undo = p.member(false), []Call{p.member(true)}
		if s.Want.Set = map[string]string{"storage": p.Storage}; p.Verb == "remove" {
			s.Diff, s.Want.Gone = []Diff{{Field: "storage", Old: p.Storage}}, true
			s.Call, s.Undo = s.Undo[0], []Call{s.Call}
		}
	default:
		return nil, fault.BadField("action", "it must be one of create, delete, add, remove", "create")
	}
	return []Step{s}, nil
}

// member adds the storage to the pool, or removes it (schema: PUT /pools).
func (p Pool) member(remove bool) Call {
	c := Call{Method: "PUT", Path: "/pools", Params: []Param{{"poolid", p.Pool}, {"storage", p.Storage}}}
	if remove {
		c.Params = append(c.Params, Param{"delete", "1"})
	}
	return c
}

// poolBack takes back what a step did to a pool: the storage is a member again, or none.
func poolBack(s *Step, r Result) []Step {
	out := undoObject(s, r.Undo)
	for k := range out {
		out[k].Want.Set = s.Want.Set
	}
	return out
}

// poolThere refuses to make a pool that exists, and to delete one that does not or is not empty; a storage has to be no member yet, or to be one.
func poolThere(ctx context.Context, c Cluster, s *Step) error {
	has, members, err := poolOf(ctx, c, s.Target.Object)
	storage := s.Want.Set["storage"]
	switch {
	case err != nil:
		return err
	case storage != "" && !has:
		return fault.New(fault.Stale, "%s does not exist; nothing was sent", s.Target.Label())
	case storage != "" && holdsStorage(members, storage) != s.Want.Gone:
		return fault.New(fault.Stale, "storage %s is %s %s already; nothing was sent", storage, map[bool]string{true: "not in", false: "in"}[s.Want.Gone], s.Target.Label())
	case storage != "":
		return nil
	case has && !s.Want.Gone:
		return fault.New(fault.Stale, "%s exists already; nothing was sent", s.Target.Label())
	case !has && s.Want.Gone:
		return fault.New(fault.Stale, "%s does not exist; nothing was sent", s.Target.Label())
	case has && len(members) > 0:
		return fault.New(fault.Conflict, "%s is not empty: it has %d members; nothing was sent", s.Target.Label(), len(members)).WithHint("take them out first (manage_pool remove)")
	}
	return nil
}

func poolSeen(ctx context.Context, _ *Engine, c Cluster, s *Step, _ store.PlanStep) (seen, error) {
	has, members, err := poolOf(ctx, c, s.Target.Object)
	text := "it exists"
	if storage := s.Want.Set["storage"]; storage != "" {
		has, text = has && holdsStorage(members, storage), "storage "+storage+" is in it"
		if !has {
			text = "storage " + storage + " is not in it"
		}
	} else if !has {
		text = "it does not exist"
	}
	return seen{ok: has != s.Want.Gone, proof: has != s.Want.Gone, gone: !has, target: s.Target, text: text}, err
}

type poolRow struct {
	PoolID  pve.Text     `json:"poolid"`
	Members []poolMember `json:"members"`
}

// poolMember is a guest or a storage.
type poolMember struct {
	Type    pve.Text `json:"type"`
	Storage pve.Text `json:"storage"`
}

func holdsStorage(members []poolMember, name string) bool {
	return slices.ContainsFunc(members, func(m poolMember) bool { return m.Type == "storage" && string(m.Storage) == name })
}

// poolOf looks for a pool, and for its members: GET /pools?poolid= gives both, and 500 for one that does not exist (15/014, 15/016);
// the list tells these apart.
func poolOf(ctx context.Context, c Cluster, name string) (has bool, members []poolMember, err error) {
	raw, err := c.Raw(ctx, "GET", "/pools", nil)
	if err != nil {
		return false, nil, err
	}
	var rows []poolRow
	if err := json.Unmarshal(raw, &rows); err != nil {
		return false, nil, fault.Wrap(fault.BadAnswer, err, "the list of pools cannot be read")
	}
	if !slices.ContainsFunc(rows, func(r poolRow) bool { return string(r.PoolID) == name }) {
		return false, nil, nil
	}
	if raw, err = c.Raw(ctx, "GET", "/pools", proxmox.Params{}.Str("poolid", name)); err != nil {
		return true, nil, err
	}
	rows = nil
	if err := json.Unmarshal(raw, &rows); err != nil || len(rows) != 1 {
		return true, nil, fault.New(fault.BadAnswer, "the members of pool %s cannot be read", cleanLine(name))
	}
	return true, rows[0].Members, nil
}
