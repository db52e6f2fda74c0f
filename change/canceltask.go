package change

import (
	"slices"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox"
)

// CancelTask ends a running task (DELETE of its UPID): the task ends as if it was interrupted, and what it had done so far stands.
type CancelTask struct {
	Cluster string
	UPID    string
	Handle  string
}

// Name implements Direct.
func (c CancelTask) Name() string { return "task.cancel" }

// Title implements Direct.
func (c CancelTask) Title() string { return "cancel task " + c.Handle }

// Steps implements Direct.
func (c CancelTask) Steps(concerned *Found) ([]Step, error) {
	u, err := pve.ParseUPID(c.UPID)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "%s is no task", c.Handle)
	}
	path, err := proxmox.Path("nodes", u.Node, "tasks", c.UPID)
	if err != nil {
		return nil, err
	}
	t := Target{Kind: "task", Cluster: c.Cluster, Node: u.Node, Name: u.Type + " " + u.ID}
	if concerned != nil {
		t.VMID, t.Pool, t.Tags = concerned.VMID, concerned.Pool, slices.Clone(concerned.Tags)
	}
	return []Step{{Action: c.Name(), Tier: Disruptive, Target: t, Call: Call{Method: "DELETE", Path: path}, Want: Want{Ended: c.UPID},
		Diff: []Diff{{"task " + c.Handle, "running", "stopped"}}, NoUndo: "a task that was ended cannot go on"}}, nil
}
