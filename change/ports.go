package change

import (
	"context"
	"encoding/json"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// Cluster is what the engine asks of one Proxmox VE cluster; proxmox.Client is it. Reads are live; Raw sends a write once and answers
// fault.UnknownOutcome when it is not known whether it arrived.
type Cluster interface {
	GuestConfig(ctx context.Context, node string, t pve.GuestType, vmid int) (pve.Config, error)
	GuestStatus(ctx context.Context, node string, t pve.GuestType, vmid int) (pve.GuestStatus, error)
	Snapshots(ctx context.Context, node string, t pve.GuestType, vmid int) ([]pve.Snapshot, error)
	ClusterStatus(ctx context.Context) ([]pve.ClusterMember, error)
	NodeTasks(ctx context.Context, node string, f proxmox.NodeTaskFilter) ([]pve.TaskRow, error)
	WaitTask(ctx context.Context, upid string, onProgress func(proxmox.TaskProgress)) (proxmox.TaskResult, error)
	Raw(ctx context.Context, method, path string, params proxmox.Params) (json.RawMessage, error)
	Upload(ctx context.Context, path string, params proxmox.Params, f proxmox.File) (json.RawMessage, error)
	Identity() string
}

// Store is what the engine asks of the state store; store.DB is it.
type Store interface {
	AcquireLease(ctx context.Context, name, owner string, ttl time.Duration) (store.Lease, bool, error)
	RenewLease(ctx context.Context, l store.Lease, ttl time.Duration) (store.Lease, error)
	ReleaseLease(ctx context.Context, l store.Lease) error

	SavePlan(ctx context.Context, p store.Plan, steps []store.PlanStep, a store.AuditEntry) (store.Plan, error)
	PlanByID(ctx context.Context, id string) (store.Plan, bool, error)
	Plans(ctx context.Context, f store.PlanFilter) ([]store.Plan, error)
	MovePlan(ctx context.Context, m store.PlanMove, a ...store.AuditEntry) (store.Plan, error)
	Steps(ctx context.Context, f store.StepFilter) ([]store.PlanStep, error)
	CountSteps(ctx context.Context, f store.StepFilter) (int, error)
	SaveStep(ctx context.Context, l store.Lease, s store.PlanStep, a ...store.AuditEntry) error
	AppendAudit(ctx context.Context, a store.AuditEntry) (store.AuditRow, error)
	Audit(ctx context.Context, f store.AuditFilter) ([]store.AuditRow, error)
}

// Found is a guest as the inventory knows it: what tells where to look, and what only the inventory knows.
type Found struct {
	Target
	Life         int      // the inventory's count of lives
	LinkedClones []string // labels of guests whose disks are based on this one's
}

// Guests is what the engine asks of the inventory.
type Guests interface {
	// FindOne resolves a vmid or a name; fault.NotFound and fault.Ambiguous as get_guest gives them.
	FindOne(ctx context.Context, cluster, text string) (Found, error)
	// FindAll gives the guests that a query of find_guests selects, by vmid.
	FindAll(ctx context.Context, cluster, query string) ([]Found, error)
	// Unsure gives the guests of which it is not known whether such a query means them, because their state is not known.
	Unsure(ctx context.Context, cluster, query string) []Skip
	// Stored is a guest as the store has it, without asking Proxmox VE: nil where it is not known, gone where it is known not to exist any more.
	Stored(ctx context.Context, cluster string, vmid int) (f *Found, gone bool)
	// LastBackup looks for the newest backup of a guest: nil and true where there is none, false where it cannot be known.
	LastBackup(ctx context.Context, cluster string, vmid int) (at *time.Time, known bool)
	// Places are a cluster's nodes and storages.
	Places(ctx context.Context, cluster string) (Places, error)
	// Bridges are the bridges and virtual networks of a node; nil where not all of them could be read.
	Bridges(ctx context.Context, cluster, node string) []string
	// Resync reads a guest again after it was changed; 0: something else was, such as a volume.
	Resync(ctx context.Context, cluster string, vmid int)
}

// Policy decides about plans. It is asked when a plan is made, on the state that was read then, and again for each step on live state.
type Policy interface {
	// Judge decides about a whole plan. Targets are live; the plan's own are those of its making: a rule must pass on both.
	Judge(ctx context.Context, p *Body, who Caller, live []Target) (Verdict, error)
	// Level is the highest tier that a caller can reach at all, in whatever scope: what is listed depends on it.
	Level(ctx context.Context, who Caller) (Tier, error)
	// SnapshotFirst says that the owner wants a snapshot before what disturbs a guest, where one helps.
	SnapshotFirst() bool
}

// Caller is who asks, and through which door. Elicits says that its client declared that it can ask its user.
type Caller struct {
	Principal string
	Door      string
	Elicits   bool
}

// Decision is what policy says about a plan.
type Decision string

// The decisions.
const (
	RunNow   Decision = "run"      // without asking
	Ask      Decision = "ask"      // the client's user, by elicitation; without it as Confirm
	Confirm  Decision = "confirm"  // the plan is answered, a second call applies it
	Operator Decision = "operator" // an operator approves it on a terminal or page
	Deny     Decision = "deny"
)

// Verdict is a decision with its reasons, in words for the one who asked. Hint says how the owner would allow what is denied.
type Verdict struct {
	Decision Decision `json:"decision"`
	Reasons  []string `json:"reasons,omitempty"`
	Hint     string   `json:"hint,omitempty"`
}

// Secrets resolves references when a request is sent, and only then.
type Secrets interface {
	// Has says whether a secret was set under a name.
	Has(ctx context.Context, name string) (bool, error)
	Resolve(ctx context.Context, name string) (string, error)
}
