package change

import (
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/lazy"
)

// SetPool makes a guest a member of a pool, and of no other; "" takes it out of its pool. Which pool it is in is what the inventory saw last.
// From, with Pool "", leaves those alone that are in another pool.
type SetPool struct{ Pool, From string }

// Name implements Action.
func (p SetPool) Name() string { return "guest.pool" }

// Title implements Action.
func (p SetPool) Title() string {
	if p.Pool == "" {
		return "take out of its pool"
	}
	return "put into pool " + p.Pool
}

// Needs implements Action.
func (p SetPool) Needs() Needs { return Needs{} }

// poolName is a pool's id: names of at most 40 characters, nested with slashes (schema: pve-poolid; 15/023).
var poolName = lazy.Regexp(`^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*){0,2}$`)

// Steps implements Action.
func (p SetPool) Steps(l *Live) ([]Step, error) {
	if p.Pool != "" && (len(p.Pool) > 40 || !poolName().MatchString(p.Pool)) {
		return nil, fault.BadField("pool", "it must be the name of a pool", "lab")
	}
	to, from := p.Pool, l.Target.Pool
	s := Step{Action: p.Name(), Tier: Reversible, Target: l.Target, Diff: []Diff{{"pool", from, to}}}
	s.Want.Pool = &to
	if to == "" && p.From != "" && from != p.From && from != "" {
		s.Noop, s.Diff = "it is in pool "+from+", not in "+p.From, nil
		s.Call = Call{Method: "PUT", Path: "/pools"}
		return []Step{s}, nil
	}
	if to == from {
		s.Noop, s.Diff = "it is there already", nil
		if to == "" {
			s.Noop = "it is in no pool"
		}
		s.Call = Call{Method: "PUT", Path: "/pools"}
		return []Step{s}, nil
	}
	s.Call, s.Undo = poolCall(l, from, to), []Call{poolCall(l, to, from)}
	return []Step{s}, nil
}

// poolCall moves a guest from one pool to another; a member of another pool moves only where that is allowed in the request (15/011).
func poolCall(l *Live, from, to string) Call {
	if to == "" {
		return Call{Method: "PUT", Path: "/pools", Params: []Param{{"poolid", from}, {"vms", l.ID()}, {"delete", "1"}}}
	}
	c := Call{Method: "PUT", Path: "/pools", Params: []Param{{"poolid", to}, {"vms", l.ID()}}}
	if from != "" {
		c.Params = append(c.Params, Param{"allow-move", "1"})
	}
	return c
}
