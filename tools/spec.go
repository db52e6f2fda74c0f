package tools

import (
	"context"
	"encoding/json"
	"reflect"
	"sync"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/change"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/globs"
	"github.com/proxmox-mcp/proxmox-mcp/internal/sealed"
	"github.com/proxmox-mcp/proxmox-mcp/inventory"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// Tier is how much a tool can disturb; the annotations of the MCP door and the policy of writes derive from it alone.
type Tier = change.Tier

// The tiers of DESIGN §2.
const (
	R0 = change.Read
	R1 = change.Reversible
	R2 = change.Disruptive
	R3 = change.Destructive
	R4 = change.Host
)

// Act is one value of a tool's input "action", with its tier.
type Act struct {
	Name string
	Tier Tier
}

// Changes is what the tools ask of package change.
type Changes interface {
	Propose(ctx context.Context, r change.Request) (change.Proposal, error)
	Batch(tool string, who change.Caller) *change.Batch
	Apply(ctx context.Context, id string, who change.Caller, o change.ApplyOptions) (change.Plan, error)
	Undo(ctx context.Context, id string, who change.Caller) (change.Proposal, error)
	Cancel(ctx context.Context, id string, who change.Caller) (change.Plan, error)
	Submit(ctx context.Context, id string, who change.Caller) (change.Plan, error)
	Plan(ctx context.Context, id string, who change.Caller) (change.Plan, error)
	Judge(ctx context.Context, id string, who change.Caller) (change.Plan, change.Verdict, error)
	Plans(ctx context.Context, f store.PlanFilter, who change.Caller) ([]store.Plan, error)
	Operations(ctx context.Context, q change.OperationQuery) (change.Operations, error)
	Proven(ctx context.Context, cluster string) (map[string]time.Time, error)
}

// Inventory is what the tools ask of package inventory.
type Inventory interface {
	Overview(ctx context.Context, o inventory.ReadOptions) (inventory.Overview, error)
	FindGuests(ctx context.Context, q inventory.GuestQuery) (inventory.GuestPage, error)
	Guest(ctx context.Context, ref inventory.GuestRef) (inventory.GuestDetail, error)
	Nodes(ctx context.Context, o inventory.ReadOptions) (inventory.NodeList, error)
	NodeDetail(ctx context.Context, name string, o inventory.ReadOptions) (inventory.NodeDetail, error)
	Storages(ctx context.Context, q inventory.StorageQuery) (inventory.StoragePage, error)
	Volumes(ctx context.Context, q inventory.VolumeQuery) (inventory.VolumePage, error)
	Backups(ctx context.Context, q inventory.BackupQuery) (inventory.BackupPage, error)
	BackupFiles(ctx context.Context, q inventory.BackupFilesQuery) (inventory.BackupFiles, error)
	Networks(ctx context.Context, q inventory.NetworkQuery) (inventory.NetworkPage, error)
	Task(ctx context.Context, q inventory.TaskQuery) (inventory.TaskDetail, error)
	Changes(ctx context.Context, q inventory.ChangeQuery) (inventory.ChangePage, error)
	Diagnose(ctx context.Context, ref inventory.GuestRef) (inventory.Diagnosis, error)
	AgentInfo(ctx context.Context, q inventory.AgentQuery) (inventory.AgentInfo, error)
	Metrics(ctx context.Context, q inventory.MetricQuery) (inventory.MetricSet, error)
	Tasks(ctx context.Context, q inventory.TaskListQuery) (inventory.TaskPage, error)
	Log(ctx context.Context, q inventory.LogQuery) (inventory.NodeLog, error)
	Recovery(ctx context.Context, q inventory.RecoveryQuery) (inventory.Recovery, error)
	ObjectHistory(ctx context.Context, q inventory.HistoryQuery) (inventory.ObjectHistory, error)
	Health(ctx context.Context, q inventory.HealthQuery) (inventory.Health, error)
	Access(ctx context.Context, o inventory.ReadOptions) (inventory.AccessList, error)
	AskAddresses(ctx context.Context, cluster, guest string) ([]string, error)
	PlaceFor(ctx context.Context, q inventory.PlaceQuery) (inventory.Place, error)
	Clusters(ctx context.Context, o inventory.ReadOptions) (inventory.ClusterList, error)
	Names(ctx context.Context, cluster string) (inventory.Names, error)
	Saving
	SyncWithin(ctx context.Context, q inventory.SyncRequest, limit time.Duration) ([]inventory.SyncOutcome, error)
}

// Deps is what a handler may use. Now and Zone are injected, so that answers are the same bytes in tests.
type Deps struct {
	Inventory Inventory
	Changes   Changes
	Code      Code
	Who       change.Caller // who asks; plans belong to it
	// Agreed is the plan that the client's user was asked about, with the answer; "" when nobody was.
	Agreed   string
	Accepted bool
	// State seals what a client carries between a question to its user and the answer; doors that ask have one.
	State *sealed.Box
	// Taken are vmids that earlier calls of the same plan_batch chose: they are not free any more.
	Taken []int
	// Level is the highest tier that the caller may use now; nil: only reading.
	Level func(ctx context.Context) (Tier, error)
	// Granted are the grants in force where some hold for parts of a cluster alone, as people say them; nil: none are told.
	Granted func(ctx context.Context, cluster string) ([]string, error)
	// Exec says that the configuration lets programs be run in guests.
	Exec bool
	// Several says that more than one cluster is configured: rows then name theirs.
	Several bool
	// Program is how the owner starts this program in a shell, with the flags that name its configuration and store; "" = proxmox-mcp.
	Program string
	// ShowFiles are the files in backups whose contents the configuration lets be shown.
	ShowFiles []globs.Rule
	SSHKeys   []string // public keys of who may log in to new guests, unless a call names others
	Now       func() time.Time
	Zone      *time.Location
	// Progress, if set, hears of long work: how far it is, of how much (0 = unknown), and a few words.
	Progress func(done, total float64, text string)
}

// Caller tells the table what the door's deployment looks like; it decides which inputs are shown.
type Caller struct {
	MultiCluster bool // the input "cluster" exists only where several clusters are configured
	Level        Tier // tools and actions above it are not shown
	Exec         bool // the configuration lets programs be run in guests
}

// Example is a call that works in the demo world: documentation, help texts and tests use it.
type Example struct {
	CLI  string         // arguments after the program's name
	Args map[string]any // the same as tool input
	Why  string
}

// Spec is one tool.
type Spec struct {
	Name     string // verb_noun, the MCP name
	Title    string
	Family   string
	Command  string   // noun verb, the CLI form
	Args     []string // inputs that the CLI takes as positional arguments, in order
	Tier     Tier     // the lowest of its actions
	Option   bool     // it is listed only where the owner turned it on: running programs in guests
	Acts     []Act    // values of the input "action", in order; nil where there is none
	Summary  string   // what a model reads: when to use it, what it answers
	Examples []Example
	Needs    []Need       // rights that its calls take; without one it fails or its answer is partial
	Handle   reflect.Type // output type of the structured result, nil where text alone is the answer

	in, out reflect.Type
	fields  func() []field // those of in, read once
	run     func(ctx context.Context, d Deps, in any) (Answer, error)
	// request is what the tool asks of the engine; nil where it is no writing tool that can be a part of a plan.
	request func(ctx context.Context, d Deps, in any) (change.Request, error)
}

// Answer is the result of a tool: a value that is encoded as JSON as it is, and its view for people and models.
type Answer interface {
	View(d Deps) View
}

// Structured is implemented by answers whose handle, state and counts programs read on: the value goes out as structured content
// beside the text. It must not repeat what only people read.
type Structured interface {
	Handle() any
}

// define makes a Spec out of a typed handler.
func define[In any, Out Answer](s Spec, run func(ctx context.Context, d Deps, in *In) (Out, error)) Spec {
	s.in, s.out = reflect.TypeFor[In](), reflect.TypeFor[Out]()
	s.fields = sync.OnceValue(func() []field { return fieldsOf(s.in) })
	s.run = func(ctx context.Context, d Deps, in any) (Answer, error) {
		typed, ok := in.(*In)
		if !ok {
			return nil, fault.New(fault.Internal, "input of %s has the wrong type", s.Name)
		}
		return run(ctx, d, typed)
	}
	return s
}

// Result is what Call returns: the answer and the format that the caller asked for.
type Result struct {
	Answer Answer
	JSON   bool
}

// Call decodes, checks and runs one call. raw is a JSON object, nil or empty for no arguments. Errors are *fault.Error.
func (s Spec) Call(ctx context.Context, d Deps, raw json.RawMessage) (Result, error) {
	in := reflect.New(s.in)
	if err := decodeInput(raw, s.fields(), in.Elem()); err != nil {
		return Result{}, fault.Of(err)
	}
	answer, err := s.run(ctx, d, in.Interface())
	if err != nil {
		return Result{}, fault.Of(err)
	}
	f, ok := reflect.TypeAssert[interface{ wantsJSON() bool }](in)
	return Result{Answer: answer, JSON: ok && f.wantsJSON()}, nil
}

// Common are the inputs that every reading tool has.
type Common struct {
	Cluster string `json:"cluster" multi:"true" desc:"configured name"`
	Fresh   bool   `json:"fresh" desc:"ask Proxmox now" help:"ask Proxmox now, not the store"`
	Format  string `json:"format" enum:"text,json"`
}

func (c *Common) wantsJSON() bool { return c.Format == "json" }

func (c *Common) read() inventory.ReadOptions {
	return inventory.ReadOptions{Cluster: c.Cluster, Fresh: c.Fresh}
}

// Envelope goes with every answer: when it was observed, how old that is, and what is missing.
type Envelope struct {
	AsOf     string              `json:"as_of"`
	AgeS     int                 `json:"age_s"`
	Warnings []inventory.Warning `json:"warnings,omitempty"`
}

func envelope(d Deps, m inventory.Meta) Envelope {
	return Envelope{AsOf: stamp(d, m.AsOf), AgeS: int(m.Age / time.Second), Warnings: m.Warnings}
}
