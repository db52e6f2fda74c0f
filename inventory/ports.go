package inventory

import (
	"context"
	"encoding/json"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// Source is what the inventory asks of one Proxmox VE cluster; proxmox.Client is it (through an adapter in app). Every call has
// its own deadline, is limited per node and returns *fault.Error kinds: NodeSilent for one silent node, Forbidden with the
// missing privilege, Unreachable when no endpoint answers. Odd rows come back beside the good ones and never hide them.
type Source interface {
	Version(ctx context.Context) (pve.Version, error)
	ClusterStatus(ctx context.Context) ([]pve.ClusterMember, error)
	Resources(ctx context.Context) (rows []pve.Resource, odd []error, err error)
	StorageDefs(ctx context.Context) ([]pve.StorageDef, error)
	Pools(ctx context.Context) ([]pve.PoolRow, error)
	ClusterTasks(ctx context.Context) ([]pve.TaskRow, error)
	NotBackedUp(ctx context.Context) ([]pve.NotBackedUp, error)
	Permissions(ctx context.Context) (map[string]map[string]bool, error)

	NodeStatus(ctx context.Context, node string) (pve.NodeStatus, error)
	NodeTasks(ctx context.Context, node string, f TaskListFilter) ([]pve.TaskRow, error)

	// GuestConfig is the default GET config (pending merged), redacted; it includes digest and lock.
	GuestConfig(ctx context.Context, node string, t pve.GuestType, vmid int) (pve.Config, error)
	GuestStatus(ctx context.Context, node string, t pve.GuestType, vmid int) (pve.GuestStatus, error)
	Snapshots(ctx context.Context, node string, t pve.GuestType, vmid int) ([]pve.Snapshot, error)
	GuestAddresses(ctx context.Context, node string, t pve.GuestType, vmid int) ([]pve.Interface, error)

	// AgentRead asks a VM's agent a command that only reads, and gives the bare result; AgentState names why an agent did not answer:
	// not_configured, not_running, guest_off, denied, slow, or "".
	AgentRead(ctx context.Context, node string, vmid int, command string) (json.RawMessage, error)
	AgentState(err error) string

	// User is a user's entry with its tokens; Forbidden without Sys.Audit on the user's groups.
	User(ctx context.Context, userid string) (pve.User, error)
	// Identity is the token id or user that is logged in, ReadOnly whether nothing but GET is sent, and Grant the shell line that gives
	// the identity a privilege on a path, separated being whether it is a token with separated privileges (nil = unknown).
	Identity() string
	// NodeKeys are the fingerprints of the nodes' certificates, by node; Endpoints the addresses and which one is in use.
	NodeKeys(ctx context.Context) (map[string]string, error)
	Endpoints() []Endpoint
	ReadOnly() bool
	Grant(priv, path string, separated *bool) string

	TaskStatus(ctx context.Context, upid string) (pve.TaskStatus, error)
	TaskLog(ctx context.Context, upid string, start, limit int) (lines []string, total int, err error)

	// Samples is the history of an object: timeframe hour, day, week, month or year; cf "" for means or MAX. Without any it is empty.
	Samples(ctx context.Context, of pve.Sampled, timeframe, cf string) (pve.Series, error)
	// LiveMetrics are the values of a node and its guests since a time, every 10 s.
	LiveMetrics(ctx context.Context, node string, since time.Time) ([]pve.MetricPoint, error)
	// What the store does not keep is asked when a question needs it (asked.go). StorageContent and NodeDisks may block on a dead storage or disk.
	BackupJobs(ctx context.Context) ([]pve.Config, error)
	StorageContent(ctx context.Context, node, storage, content string) ([]pve.VolumeRow, error) // content "" = all kinds
	SnapshotConfig(ctx context.Context, node string, t pve.GuestType, vmid int, snapshot string) (pve.Config, error)
	NodeDisks(ctx context.Context, node string) ([]pve.DiskRow, error)
	ZFSPools(ctx context.Context, node string) ([]pve.ZFSRow, error)
	ThinPools(ctx context.Context, node string) ([]pve.ThinPoolRow, error)
	NodeServices(ctx context.Context, node string) ([]pve.ServiceRow, error)
	NodeUpdates(ctx context.Context, node string) ([]pve.UpdateRow, error)
	NodeCertificates(ctx context.Context, node string) ([]pve.CertificateRow, error)
	NodeTime(ctx context.Context, node string) (pve.NodeTime, error)
	NodeNetwork(ctx context.Context, node string) (pve.NodeNetwork, error)
	SDNZones(ctx context.Context) ([]pve.ZoneRow, error)
	SDNVnets(ctx context.Context) ([]pve.VnetRow, error)
	// DiskList is NodeDisks without their health: no disk is asked for it, so none wakes. DiskSMART asks one disk, which wakes it.
	DiskList(ctx context.Context, node string) ([]pve.DiskRow, error)
	DiskSMART(ctx context.Context, node, disk string) (pve.SMART, error)
	ReplicationJobs(ctx context.Context) ([]pve.ReplicationJob, error) // without their state
	NodeReplication(ctx context.Context, node string) ([]pve.ReplicationJob, error)
	HAStatus(ctx context.Context) ([]pve.HAEntry, error)

	// NextID is a vmid that is free now. Appliances are the container templates that Proxmox offers on a node.
	NextID(ctx context.Context) (int, error)
	Appliances(ctx context.Context, node string) ([]pve.Appliance, error)
	// ArchiveConfig is the configuration that a backup holds, redacted; Forbidden without the rights to restore it.
	ArchiveConfig(ctx context.Context, node, volid string) (pve.Config, error)
	// BackupFiles is a folder of a backup on a backup server, path "/" its archives; BackupFile the bytes of a file in it, at most 16 MiB.
	BackupFiles(ctx context.Context, node, storage, volid, path string) ([]pve.BackupFileRow, error)
	BackupFile(ctx context.Context, node, storage, volid, path string) ([]byte, error)

	// NodeJournal gives lines of a node's journal, oldest first: those of a span of time, or the last ones (last > 0, no times).
	NodeJournal(ctx context.Context, node string, since, until time.Time, last int) ([]string, error)

	// Read is a GET of a path below /api2/json, for lists that are stored as they come (settings_kinds.go).
	Read(ctx context.Context, path string) (json.RawMessage, error)

	// Calls is the number of requests that were sent so far, retries included.
	Calls() int64
}

// TaskListFilter narrows a node's task list.
type TaskListFilter struct {
	VMID   int
	Limit  int
	Since  time.Time
	Errors bool
}

// Store is what the inventory asks of the state store; store.DB is it.
type Store interface {
	// Generation grows with every committed batch of any process.
	Generation(ctx context.Context) (int64, error)
	// RecentGeneration is Generation some milliseconds ago at most, with all that this process committed: cheap enough to ask on every read.
	RecentGeneration(ctx context.Context) (int64, error)
	AcquireLease(ctx context.Context, name, owner string, ttl time.Duration) (store.Lease, bool, error)
	RenewLease(ctx context.Context, l store.Lease, ttl time.Duration) (store.Lease, error)
	ReleaseLease(ctx context.Context, l store.Lease) error

	BeginSync(ctx context.Context, l store.Lease, s store.Sync) (int64, error)
	ApplyBatch(ctx context.Context, l store.Lease, b store.Batch) (store.Applied, error)
	FinishSync(ctx context.Context, l store.Lease, s store.Sync) error
	LastSync(ctx context.Context, cluster string) (last store.Sync, ok bool, err error) // newest finished one

	Guests(ctx context.Context, f store.GuestFilter) ([]store.Guest, error)
	Objects(ctx context.Context, cluster string, afterGen int64) ([]store.Object, error)
	Content(ctx context.Context, hash string) (json.RawMessage, error)
	Tasks(ctx context.Context, f store.TaskFilter) ([]store.Task, error)
	CountTasks(ctx context.Context, f store.TaskFilter) (int, error) // whatever the filter's offset and limit
	Changes(ctx context.Context, f store.HistoryFilter) ([]store.Change, error)
	Revisions(ctx context.Context, f store.HistoryFilter) ([]store.Revision, error)
	Versions(ctx context.Context, ref store.Ref) ([]store.Version, error) // all lives, oldest first
	Intents(ctx context.Context, cluster string) ([]store.Intent, error)
	SetIntent(ctx context.Context, i store.Intent) error
	ClearIntent(ctx context.Context, ref store.Ref) (bool, error)
	TaskByHandle(ctx context.Context, handle string) (store.Task, bool, error)

	Steps(ctx context.Context, f store.StepFilter) ([]store.PlanStep, error)
	PlanByID(ctx context.Context, id string) (store.Plan, bool, error)
}
