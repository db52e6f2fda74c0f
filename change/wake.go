package change

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// Wake sends a node that is off the packet that starts it, from another node. Online is what the inventory saw last.
type Wake struct {
	Cluster, Node string
	Online        bool
}

// Name implements Direct.
func (w Wake) Name() string { return "node.wake" }

// Title implements Direct.
func (w Wake) Title() string { return "wake node " + w.Node }

// bootPatience is how long a node may take until it is in the cluster: firmware of servers alone takes minutes.
const bootPatience = 5 * time.Minute

// Steps implements Direct. It is a matter of the host (security.md 4): what hangs on the node's power starts with it.
func (w Wake) Steps(*Found) ([]Step, error) {
	if !plainName().MatchString(w.Node) {
		return nil, fault.BadField("node", "the name of a node", "pve3")
	}
	s := Step{Action: w.Name(), Tier: Host, Target: Target{Kind: "node", Cluster: w.Cluster, Node: w.Node, Object: w.Node}, Patience: bootPatience,
		Call: Call{Method: "POST", Path: "/nodes/" + w.Node + "/wakeonlan"}, Want: Want{Status: "online"}, Diff: []Diff{{"status", "offline", "online"}},
		NoUndo: "a node that was started is not switched off again by an undo"}
	if w.Online {
		s.Noop, s.Diff = "it is online already", nil
	}
	return []Step{s}, nil
}

// nodeSeen looks whether a node is a member of the cluster that answers.
func nodeSeen(ctx context.Context, _ *Engine, c Cluster, s *Step, _ store.PlanStep) (seen, error) {
	members, err := c.ClusterStatus(ctx)
	if err != nil {
		return seen{}, err
	}
	k := slices.IndexFunc(members, func(m pve.ClusterMember) bool {
		return m.Type == "node" && strings.EqualFold(string(m.Name), s.Target.Object)
	})
	on := k >= 0 && members[k].Online != nil && bool(*members[k].Online)
	is := map[bool]string{true: "online", false: "not online"}[on]
	return seen{ok: on, proof: on, target: s.Target, text: "it is " + is}, nil
}
