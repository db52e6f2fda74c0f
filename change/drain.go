package change

import (
	"cmp"
	"slices"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// Drain empties a node: its running guests move to other nodes, the smallest first, each to the one with most room. What cannot move, or has
// room nowhere, is left out with the reason.
type Drain struct {
	Node    string
	Stopped bool // move those that do not run too
}

var _ Together = Drain{}

// Name implements Action.
func (d Drain) Name() string { return "node.drain" }

// Title implements Action.
func (d Drain) Title() string { return "drain node " + d.Node }

// Needs implements Action.
func (d Drain) Needs() Needs { return Migrate{}.Needs() }

// Steps implements Action: a node of one guest.
func (d Drain) Steps(l *Live) ([]Step, error) {
	steps, skipped, err := d.Join([]*Live{l})
	if err == nil && len(skipped) > 0 {
		err = fault.New(fault.Conflict, "%s: %s", skipped[0].Guest, skipped[0].Reason)
	}
	return steps, err
}

// Join implements Together.
func (d Drain) Join(lives []*Live) (steps []Step, skipped []Skip, err error) {
	lives = slices.Clone(lives)
	slices.SortStableFunc(lives, func(a, b *Live) int { return cmp.Compare(memoryOf(a.Config), memoryOf(b.Config)) })
	room := map[string]int64{}
	for _, n := range lives[0].Places.Nodes {
		if left := n.left(); n.Online && n.Name != d.Node && left != nil {
			room[n.Name] = *left
		}
	}
	if len(room) == 0 {
		return nil, nil, fault.New(fault.Conflict, "no other node is online whose memory is known: there is nowhere to go").WithHint("another node has to be started first")
	}
	var still []Skip
	for _, l := range lives {
		s, why := d.move(l, room)
		switch {
		case why == "":
			steps = append(steps, s...)
		case l.Target.Status == "stopped":
			still = append(still, Skip{l.Label(), why})
		default:
			skipped = append(skipped, Skip{l.Label(), why})
		}
	}
	return steps, append(skipped, still...), nil
}

// Cautions implements cautious: what is emptied is mostly to be switched off.
func (d Drain) Cautions(kept []*Live) []string {
	if len(kept) == 0 {
		return nil
	}
	if risk := kept[0].Places.without(d.Node); risk != "" {
		return []string{risk}
	}
	return nil
}

// move finds a node for a guest, that with most room first, and takes the room.
func (d Drain) move(l *Live, room map[string]int64) (steps []Step, why string) {
	running := l.Target.Status != "stopped"
	switch {
	case l.Target.Template:
		return nil, "it is a template: it stays"
	case !running && !d.Stopped:
		return nil, "it does not run: it stays (stopped true moves it too)"
	case l.Lock != "":
		return nil, "it is locked (" + l.Lock + ")"
	}
	var against []string // all that hinders it, node by node, as migrate_guest says it
	for _, node := range roomiest(room) {
		m, to := Migrate{Target: node}, l.Places.node(node)
		if to == nil {
			continue
		}
		why := m.hindrances(l, to)
		if tight := crowded(node, pve.Ptr(room[node]), l); tight != "" {
			why = append(why, tight)
		}
		if len(why) == 0 {
			if running {
				room[node] -= memoryOf(l.Config)
			}
			return []Step{m.step(l)}, ""
		}
		against = append(against, "to "+node+": "+strings.Join(why, "; "))
	}
	return nil, strings.Join(against, "; ")
}

func roomiest(room map[string]int64) []string {
	var out []string
	for n := range room {
		out = append(out, n)
	}
	slices.SortFunc(out, func(a, b string) int { return cmp.Or(cmp.Compare(room[b], room[a]), cmp.Compare(a, b)) })
	return out
}
