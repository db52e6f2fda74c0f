package inventory

import (
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// Warning is something that an answer does not know or could not read: a silent node, a missing privilege, a stale part.
// An answer without warnings was observed completely.
type Warning struct {
	Code string `json:"code"` // node_silent, forbidden, stale, loading, partial, unreachable, odd_data, scope, unknown_name
	Text string `json:"text"` // one sentence; says since when and what is shown instead
}

// Meta goes with every answer: when its oldest part was observed, how old that is now, and what is missing.
type Meta struct {
	AsOf     time.Time
	Age      time.Duration
	Warnings []Warning
}

// ReadOptions go with every read. Fresh waits for a new observation (bounded by the caller's deadline) where the default answers
// from the store when that is younger than the freshness limit.
type ReadOptions struct {
	Cluster string // configured name; "" = the only one, or all where the read can span clusters
	Fresh   bool
}

// Severity ranks findings.
type Severity string

// The severities, worst first.
const (
	Critical Severity = "critical"
	Warn     Severity = "warning"
	Info     Severity = "info"
)

// Finding is a health finding: what is wrong, on what, with the evidence that was read and its age.
type Finding struct {
	Severity Severity
	Code     string // node_offline, quorum_lost, quorum_at_risk, storage_full, task_failed, no_backup, onboot_stopped, stats_stale, ...
	Cluster  string
	Object   string    // "node pve3", "guest 104 web", "storage pve1/local"
	Title    string    // a short clause: "offline for 3h"
	Evidence string    // the values that were read
	Since    time.Time // when it began, as far as that was observed; zero = unknown
	Noticed  bool      // Since is when it was first seen: it may have begun long before
	Hint     string    // what to do, a short clause
	Score    int       // rank within the severity, higher first
	Count    int       // how many findings a group stands for, 0 = itself
	On       Subject   // what intents are said of
}

// Subject is the object that a finding is on, and the node that it lives on. ID is a vmid, a node's name, node/storage (the name alone for
// a shared one) or "cluster".
type Subject struct {
	Kind store.Kind
	ID   string
	Node string
}

// GuestCounts counts guests by state; templates are counted apart, never as stopped.
type GuestCounts struct {
	Total, Running, Stopped, Paused, Suspended, Unknown, Templates, VMs, CTs int
}

// Unseen says that nothing is known now of the state of any of these guests: none of them is known to run, nor to be off.
func (c GuestCounts) Unseen() bool {
	return c.Unknown > 0 && c.Running+c.Stopped+c.Paused+c.Suspended == 0
}

// Node is a node as last observed. Pointers are nil when Proxmox VE did not say.
type Node struct {
	Cluster string
	Name    string
	Status  string    // online, offline, unknown
	Since   time.Time // when it was last seen online, for those that are not; zero = never
	IP      string
	CPU     *float64 // fraction 0..1
	MaxCPU  *float64
	Mem     *int64
	MaxMem  *int64
	Disk    *int64 // root file system
	MaxDisk *int64
	Swap    *int64
	MaxSwap *int64
	Uptime  *int64 // seconds
	Load    []string
	Version string // Proxmox VE version
	Kernel  string
	CPUType string
	Guests  GuestCounts
	SeenAt  time.Time
}

// Storage is one storage; a shared one appears once, with all its nodes (faults.md F43).
type Storage struct {
	Cluster string
	Name    string
	Nodes   []string
	Type    string
	Content string
	Shared  bool
	Status  string // available, unknown, disabled, ...
	Used    *int64
	Total   *int64
	SeenAt  time.Time
}

// ClusterOverview is one cluster at a glance.
type ClusterOverview struct {
	Name         string // configured name
	ClusterName  string // Proxmox VE's own, "" on a standalone node
	Standalone   bool
	Quorate      *bool // nil on a standalone node or while unknown
	Version      string
	Nodes        []Node
	Guests       GuestCounts
	Storages     []Storage
	TasksKnown   bool // the task list was read; without it the two counts below mean nothing
	OwnTasks     bool // only the tasks of this login are visible (Sys.Audit on / is missing)
	RunningTasks int
	FailedTasks  int // last 24 h
	Meta         Meta
}

// Overview is all clusters with the problems of all, ranked; Checked and Skipped are those of Health. Unchecked names the checks that
// say nothing of now, on some node or at all, and that check_health would ask for.
type Overview struct {
	Meta
	Clusters []ClusterOverview
	Problems []Finding
	Silenced map[string]int
	Checked  []string
	Skipped  []string

	Unchecked []string
}

// Guest is a guest in lists. State is running, stopped, paused, suspended, template or unknown.
type Guest struct {
	Cluster      string
	VMID         int
	Name         string
	Type         pve.GuestType
	Node         string
	State        string
	Template     bool
	Lock         string
	Tags         []string
	Pool         string
	HA           string
	CPU          *float64
	MaxCPU       *float64
	Mem          *int64
	MaxMem       *int64
	Disk         *int64
	MaxDisk      *int64
	Uptime       *int64
	OnBoot       *bool // nil while the configuration was not read
	OS           string
	Agent        *bool
	IPs          []string // last observed or configured, without loopback and link-local
	UnknownSince time.Time
	Life         int
}

// GuestQuery asks for a page of guests.
type GuestQuery struct {
	Query  string // the query grammar; "" = all
	Limit  int    // rows of a page; 0 = the default of 50
	Cursor string // from the page before
	ReadOptions
}

// GuestPage is a page of guests. Counts are over all that match, not over the page.
type GuestPage struct {
	Meta
	Counts     GuestCounts
	Rows       []Guest
	NextCursor string
}

// Address is an address that a guest has.
type Address struct {
	Interface string
	IP        string // without prefix length
	Source    string // agent, container, config
}

// Snapshot is a snapshot of a guest; the pseudo entry "current" is left out.
type Snapshot struct {
	Name        string
	Description string
	Parent      string
	At          time.Time
	VMState     bool
}

// GuestDetail is everything about one guest.
type GuestDetail struct {
	Meta
	Guest
	Config         pve.Config // pending merged, redacted, with digest and lock; nil while never read
	ConfigAt       time.Time
	Description    string
	Disks          []pve.Disk
	NICs           []pve.NIC
	Addresses      []Address
	AddressesAt    time.Time
	AddressNote    string // why there are none: "agent not configured", "guest stopped", "not asked"
	Snapshots      []Snapshot
	SnapshotsAt    time.Time
	Tasks          []Task // newest first
	AllowedActions []string
	FirstSeen      time.Time
	Intent         string // what a person means it to be, "" = nobody said
}

// Task is a Proxmox VE task. Handle is its short name (t-...), taken wherever a UPID is.
type Task struct {
	Cluster  string
	UPID     string
	Handle   string
	Type     string
	Object   string // what it works on: a vmid mostly, may be ""
	Node     string
	User     string
	State    string // running, ok, warning, failed, unknown
	Exit     string // Proxmox VE's own words, "" while running
	Start    time.Time
	End      time.Time
	Progress *float64 // 0..1 from the log, nil when the log does not say
	Log      []string // the tail
	LogTotal int      // lines in all; 0 = the log was not read
}

// TaskQuery asks for one task. Wait bounds how long to wait for its end; OnProgress, if set, hears of each poll.
type TaskQuery struct {
	ID         string // UPID or handle
	Wait       time.Duration
	LogLines   int // tail to return; 0 = none
	OnProgress func(Task)
	ReadOptions
}

// TaskDetail is a task with the freshness of the answer.
type TaskDetail struct {
	Meta
	Task
}

// NodeList is all nodes.
type NodeList struct {
	Meta
	Nodes []Node
}

// Health is the findings, ranked, worst first. Checked names the checks that ran, Skipped those that could not, with the reason.
type Health struct {
	Meta
	Findings []Finding
	Silenced map[string]int // findings that intents silence, by code
	Checks   int            // how many checks there are; one may be both in Checked and, for some nodes, in Skipped
	Checked  []string
	Skipped  []string
}

// Progress is reported while a sync runs.
type Progress struct {
	Cluster string
	Phase   string // resources, configs, snapshots, tasks, store
	Done    int
	Total   int
}

// KindCount counts what a full sync did with objects that are no guests.
type KindCount struct {
	Kind      string `json:"kind"`
	Created   int    `json:"created"`
	Updated   int    `json:"updated"`
	Gone      int    `json:"gone"`
	Unchanged int    `json:"unchanged"`
}

// SyncReport says what a sync did. Calls counts requests sent to Proxmox VE.
type SyncReport struct {
	Cluster   string        `json:"cluster"`
	Mode      string        `json:"mode"`
	Calls     int           `json:"calls"`
	Guests    int           `json:"guests"`
	Nodes     int           `json:"nodes"`
	Snapshots int           `json:"guests_with_snapshots"`
	Created   int           `json:"created"`
	Updated   int           `json:"updated"`
	Gone      int           `json:"gone"`
	Unchanged int           `json:"unchanged"`
	Unknown   int           `json:"unknown"`
	Conflicts int           `json:"conflicts"` // guests that are listed on several nodes
	Others    []KindCount   `json:"others,omitempty"`
	Complete  bool          `json:"complete"`
	Swept     int           `json:"swept,omitempty"` // configurations read by the sweep, counted apart from the tick
	Elapsed   time.Duration `json:"elapsed_ns"`
	Warnings  []Warning     `json:"warnings,omitempty"`
}
