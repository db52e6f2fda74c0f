package store

import (
	"encoding/json"
	"time"
)

// Kind is the kind of a stored object (DESIGN: everything Proxmox VE holds is an object cluster/kind/id).
type Kind string

// The kinds that the inventory collects. Guest ids are the vmid, node and pool ids their names, storage ids "node/storage" for what
// a node sees and "storage" for the definition, the cluster's own id is "cluster".
const (
	KindGuest         Kind = "guest"
	KindNode          Kind = "node"
	KindStorage       Kind = "storage"        // usage as one node sees it, id node/storage (observed only)
	KindStorageConfig Kind = "storage_config" // definition, id storage (versioned)
	KindPool          Kind = "pool"
	KindCluster       Kind = "cluster"
	KindProbe         Kind = "probe" // what a health check asked for, id node/topic or topic (observed only)
)

// The settings of a cluster beside those, each with its versions; where nothing else is said the id is the name that Proxmox VE gives it.
const (
	KindNetwork         Kind = "network"      // network device of a node, id node/name
	KindNodeDNS         Kind = "node_dns"     // id node
	KindNodeTime        Kind = "node_time"    // id node
	KindNodeOptions     Kind = "node_options" // id node
	KindBackupJob       Kind = "backup_job"
	KindReplicationJob  Kind = "replication_job"
	KindHAResource      Kind = "ha_resource"
	KindHAGroup         Kind = "ha_group"
	KindHARule          Kind = "ha_rule"
	KindSDNZone         Kind = "sdn_zone"
	KindSDNVNet         Kind = "sdn_vnet"
	KindSDNController   Kind = "sdn_controller"
	KindClusterOptions  Kind = "cluster_options" // id cluster
	KindMappingPCI      Kind = "mapping_pci"
	KindMappingUSB      Kind = "mapping_usb"
	KindMappingDir      Kind = "mapping_dir"
	KindMetricServer    Kind = "metric_server"
	KindFirewallOptions Kind = "firewall_options" // of the cluster, id cluster
	KindFirewallRules   Kind = "firewall_rules"   // of the cluster, id cluster
	KindFirewallAlias   Kind = "firewall_alias"
	KindFirewallIPSet   Kind = "firewall_ipset"
	KindFirewallGroup   Kind = "firewall_group"
	KindNodeFirewall    Kind = "node_firewall"  // options and rules, id node
	KindGuestFirewall   Kind = "guest_firewall" // options, rules, sets and aliases, id vmid
	KindGroup           Kind = "group"
	KindRole            Kind = "role"
	KindRealm           Kind = "realm"
	KindUser            Kind = "user"
	KindACL             Kind = "acl" // id path?who?role
)

// SettingKinds are those that are read apart from guests, storages and pools, in the order above.
func SettingKinds() []Kind {
	return []Kind{KindNetwork, KindNodeDNS, KindNodeTime, KindNodeOptions, KindBackupJob, KindReplicationJob, KindHAResource, KindHAGroup, KindHARule,
		KindSDNZone, KindSDNVNet, KindSDNController, KindClusterOptions, KindMappingPCI, KindMappingUSB, KindMappingDir, KindMetricServer,
		KindFirewallOptions, KindFirewallRules, KindFirewallAlias, KindFirewallIPSet, KindFirewallGroup, KindNodeFirewall, KindGuestFirewall,
		KindGroup, KindRole, KindRealm, KindUser, KindACL}
}

// SettingsProbe is the id of the probe that says when they were last read, and in its data (SettingsUnread) what of them never was.
const SettingsProbe = "settings"

// SettingsUnread says what was never read, and why: a kind, or a kind and, after a blank, the node or guest whose part it is ("network pve3").
type SettingsUnread map[string]string

// NotReadYet is the reason where nothing stands against reading it.
const NotReadYet = "not read yet"

// Ref names one object of one cluster.
type Ref struct {
	Cluster string
	Kind    Kind
	ID      string
}

// Guest is the projection of a guest that lists and searches work on. Pointers are nil and strings empty where Proxmox VE did not
// say: absent is never 0. Sizes are bytes, CPU the fraction 0..1 of the whole guest, Uptime seconds. Last known name, template
// flag and limits survive a silent node (faults.md F15); Status then is "unknown" and UnknownSince says since when.
type Guest struct {
	Cluster  string
	VMID     int
	Life     int    // 1 for the first guest seen under this vmid, +1 for each new life
	Type     string // qemu or lxc
	Node     string
	Name     string
	Status   string // running, stopped, paused, suspended, unknown
	Lock     string
	Tags     string
	Pool     string
	HAState  string
	Template bool

	CPU     *float64
	MaxCPU  *float64
	Mem     *int64
	MaxMem  *int64
	Disk    *int64
	MaxDisk *int64
	Uptime  *int64
	NetIn   *int64
	NetOut  *int64

	ConfigHash  string    // content hash of the current configuration, "" while never read
	Digest      string    // Proxmox VE's digest of the configuration file
	ConfigAt    time.Time // when the configuration was last read
	Facets      string    // JSON: what lists and queries need of the configuration (see inventory), "" while never read
	Addresses   string    // JSON: last observed addresses, "" while never asked
	AddressesAt time.Time
	Snapshots   string // JSON: snapshot list, "" while never read
	SnapshotsAt time.Time

	FirstSeen     time.Time
	LastSeen      time.Time // last time Proxmox VE reported a true status
	UnknownSince  time.Time // zero while known
	UnknownReason string
	GoneAt        time.Time // zero while it exists
	Gen           int64     // store generation that last changed this row
}

// Object is any other object: its observed state and, for versioned kinds, the hash of its current content.
type Object struct {
	Ref
	Life         int
	Hash         string // content hash of the current version, "" for kinds that are only observed
	State        json.RawMessage
	FirstSeen    time.Time
	LastSeen     time.Time
	UnknownSince time.Time
	GoneAt       time.Time
	Gen          int64
}

// Version is one version of an object's content. It became known at SeenAt; the change happened after NotBefore (the last time
// the older content was verified), so history can say "between T1 and T2". NotBefore is zero for the first version.
type Version struct {
	Ref
	Life      int
	Seq       int
	Hash      string
	SeenAt    time.Time
	NotBefore time.Time
	SyncID    int64
}

// Change is something that happened to an object: appeared, gone, changed (a new version), moved, renamed, status, pool, life.
type Change struct {
	ID int64
	Ref
	Life      int
	What      string
	Field     string
	Old       string
	New       string
	At        time.Time
	NotBefore time.Time
	SyncID    int64
}

// Task is a Proxmox VE task as it was last seen. End is zero and Exit empty while it runs.
type Task struct {
	Cluster string
	UPID    string
	Node    string
	Type    string
	ID      string // object that the task works on, a vmid mostly
	User    string
	Start   time.Time
	End     time.Time
	Exit    string // OK, WARNINGS: n, or the error text
	Gen     int64
}

// Sync is one synchronisation run, finished or not.
type Sync struct {
	ID        int64
	Cluster   string
	Mode      string // full, tick
	Started   time.Time
	Finished  time.Time // zero while running or when it was cut off
	Complete  bool      // every part answered
	Calls     int
	Created   int
	Updated   int
	Gone      int
	Unchanged int
	Unknown   int
	Warnings  []string
}

// Content is a versioned content to record for an object: canonical redacted JSON and its hash, pve.Hash(JSON).
type Content struct {
	Ref
	Life      int
	Hash      string
	JSON      []byte
	NotBefore time.Time
}

// Batch is what one step of a sync writes, in one transaction fenced by the lease. Guests and Objects are whole rows that replace
// what is stored (the caller sends only rows that changed); Contents become versions when their hash differs from the stored
// one; Changes are appended. SyncID of Contents and Changes is set from Sync.
type Batch struct {
	Cluster  string
	At       time.Time
	SyncID   int64
	Guests   []Guest
	Objects  []Object
	Contents []Content
	Changes  []Change
	Tasks    []Task
}

// Applied says what a batch did.
type Applied struct {
	Generation  int64
	NewVersions int
}

// Lease is the right to run one sync of one cluster. Epoch grows with each holder: a batch of an older epoch is refused.
type Lease struct {
	Name    string
	Owner   string
	Epoch   int64
	Expires time.Time
}

// GuestFilter selects guests to read: those of a cluster that changed after a generation.
type GuestFilter struct {
	Cluster  string // "" = all
	AfterGen int64
	WithGone bool
}

// TaskFilter selects tasks, newest first.
type TaskFilter struct {
	Cluster string
	ID      string    // object id, "" = any
	Node    string    // "" = any
	Type    string    // "" = any; a beginning where it ends in *
	User    string    // user@realm or user; their tokens too. "" = any
	State   string    // running, ok, warning, failed, unknown (ended, nobody saw how); "" = any
	Since   time.Time // started at or after; zero = any
	Until   time.Time // started before; zero = any
	Offset  int
	Limit   int // 0 = 50
}

// HistoryFilter selects what happened to objects or what versions became known, newest first, in [Since, Until).
type HistoryFilter struct {
	Cluster string    // "" = all
	Kind    Kind      // "" = any
	ID      string    // object id, "" = any
	Field   string    // of changes alone: the field that changed, "" = any
	Since   time.Time // zero = any
	Until   time.Time // zero = no end
	Limit   int       // 0 = 1000
}
