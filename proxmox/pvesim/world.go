package pvesim

import (
	"slices"
	"strconv"
	"time"
)

// World is the complete state of a cluster. It is not safe for use by several goroutines: once it belongs to a
// Sim, read and change it only inside Sim.Update.
type World struct {
	// TakenAt is when the state was true: the dump's time, or the time given to a generator.
	TakenAt time.Time
	// Version is the body of GET /version.
	Version Object
	// Principals are the named identities of a recorded world, by name.
	Principals map[string]Principal
	Nodes      []*Node
	Cluster    *Cluster
	// Storages are the entries of GET /storage.
	Storages []Object
	Pools    []*Pool
	Access   *Access
	// StatLag is how often the figures of GET /cluster/resources are made anew: until then a guest is shown as it was, and a
	// new one as unknown (facts 47: up to about 10 s). 0 shows changes at once.
	StatLag time.Duration
	// Pace scales how long tasks take: 0.1 makes them ten times as fast, 0 and 1 leave them as they are.
	Pace float64
	// Servers are addresses outside of the cluster that answer as servers of new storages. Those of storages that the
	// world has answer as well.
	Servers []string
	// DumpFS is the file system of the folders that backups go to, where it is none that keeps all attributes of files:
	// containers are then copied to a temporary folder first (09/081). Empty is an ordinary one.
	DumpFS string
	// Downloads are the URLs that nodes can download, with the size of the file; images of registries are
	// docker://REGISTRY/NAME:TAG.
	Downloads map[string]int64
	// HAManager is whether an HA manager is at work. Without one the states that are wanted of services are noted and
	// nothing more happens, as in the recordings (pve/README.md section 7).
	HAManager bool
	// HADelay is how much later than usual the manager sees what is wanted of a service; negative is never (F26).
	HADelay time.Duration
	// Inside is the behaviour of guests that are made in this world.
	Inside Behaviour

	// recorded is true for worlds that were loaded: what README.md of the recordings says in section 7 holds in them.
	recorded bool

	guests  map[int]*Guest
	order   []int // vmids ascending; nil = to be rebuilt
	clock   func() time.Time
	taskSeq int
	serial  int

	accessVersion int // see accessChanged
	secrets       int // how many secrets of tokens were made

	parts    map[string]int // which part of a cut network a node is in; nil = it is whole
	cutSince time.Time

	events    events
	eventSeq  int
	eventTime time.Time // set while an event runs
	scheduler scheduler
	replicas  map[string]*replicaState
	consoles  map[consoleKey]*console
	flocks    map[string]*job
	waiters   map[string][]*waiter

	ha         haManager
	taskFaults []*taskFaults
	archives   map[string]*archive // what is inside of backups
	strays     map[int]*Firewall   // firewalls of guests that are not there
}

// StatInterval is how often the real daemon sends statistics (facts 47). Loaded worlds and sim serve have it as StatLag.
const StatInterval = 10 * time.Second

// Principal is one identity that a recorded scenario names: kind is password, token or none.
type Principal struct {
	Kind     string `json:"kind"`
	UserID   string `json:"userid"`
	Password string `json:"password"`
	TokenID  string `json:"tokenid"`
	Secret   string `json:"secret"`
}

// Node is one member of the cluster.
type Node struct {
	Name string
	// ID is the cluster's node number, 0 on a standalone node.
	ID int
	IP string
	// Online is whether the node answers; DownSince tells since when it does not (zero: for longer than the 300 s
	// after which its statistics expire).
	Online    bool
	DownSince time.Time
	// StatsSince is when pvestatd stopped sending figures although the node answers (F16); zero = it sends.
	StatsSince time.Time
	// Booted is when the node was started.
	Booted time.Time
	// Info holds bodies of GET /nodes/{node}/X by X: status, version, dns, time, config, hosts, network, services,
	// subscription, certificates, apt_versions, apt_update, disks, pci, usb, cpu_models, machines, replication,
	// netstat.
	Info Object
	// Storage is the status list of GET /nodes/{node}/storage.
	Storage []Object
	// Content is the list of volumes by storage; the key attributes of a volume is the body of its own GET.
	Content  map[string][]Object
	Firewall *Firewall
	// Tasks are newest first.
	Tasks []*Task
	// CPU is the load as a fraction 0..1, Mem the bytes in use, both when the world was taken; never less than its guests use.
	CPU float64
	Mem int64
	// Surge is what it suffers at present beyond its everyday load; only IOWait counts, as the share of time in percent that
	// its processors wait for disks.
	Surge *Surge
	// CertEnds is when its certificate ends; zero is in two years, as it is made.
	CertEnds time.Time

	own    nodeLive // the part of its figures that is not its guests'
	latest *Task    // the task that started or ended last
	runs   map[string]jobRun
	vnets  []Object // the SDN networks that the node has as bridges
}

// Cluster is what belongs to no node.
type Cluster struct {
	// Name is empty on a node that is in no cluster.
	Name    string
	Quorate bool
	// Options is the body of GET /cluster/options without its computed keys.
	Options Object
	// Lists are collections by the names that world.json uses: backup_jobs, replication, metrics_servers,
	// ha_resources, ha_rules, sdn_zones, sdn_vnets, sdn_subnets, sdn_ips, sdn_controllers, sdn_ipams, sdn_dns, mapping_dir, mapping_pci,
	// mapping_usb, notification_targets, notification_matchers, notification_endpoints, acme_plugins.
	Lists map[string][]Object
	// Applied is the SDN configuration that runs, by the same names as Lists: sdn_zones, sdn_vnets, sdn_subnets,
	// sdn_controllers, sdn_fabrics and sdn_fabric_nodes.
	Applied map[string][]Object
	// Resources are rows of GET /cluster/resources that follow from no other state: running SDN zones.
	Resources []Object
	Firewall  *Firewall
	// VNetFirewalls are those of SDN's virtual networks, by name; a network need not have one.
	VNetFirewalls map[string]*Firewall
	// Log is the cluster log, newest first.
	Log []LogEntry

	sdnLock string // the token of who holds the SDN configuration
}

// LogEntry is one line of GET /cluster/log.
type LogEntry struct {
	Node, Tag, User, Msg string
	PID, Pri             int
	Time                 time.Time
	uid                  int
}

// Firewall is the rule set of the cluster, a node, a guest or a virtual network. What answers add to its objects (pos,
// digest, ipversion, errors) need not be there and counts for nothing when it is.
type Firewall struct {
	Options Object
	Rules   []Object
	Aliases []Object
	// Macros are the names and descriptions that the cluster knows; empty is those of Proxmox VE.
	Macros []Object
	// Groups and Sets carry their list under the keys rules and members.
	Groups []Object
	Sets   []Object
	// Log is what the firewall of a node has logged, oldest first.
	Log []FirewallLine
}

// FirewallLine is one packet in the log of a node's firewall.
type FirewallLine struct {
	Time time.Time
	// VMID is the guest whose packet it was, 0 for the node's own.
	VMID int
	// Level is that of syslog, Chain where the packet came by (tap100i0-IN), Text what became of it.
	Level       int
	Chain, Text string
}

// Pool is a resource pool. Its guests are those whose Guest.Pool names it.
type Pool struct {
	ID, Comment string
	// Storages are the ids of its storages.
	Storages []string
	// Missing are members that are no guests: the vmid of a guest yet to come (15/018).
	Missing []int
}

// Guest gives a guest, nil when there is none.
func (w *World) Guest(vmid int) *Guest { return w.guests[vmid] }

// Guests gives all guests by ascending vmid. The slice is the caller's, the guests are the world's.
func (w *World) Guests() []*Guest {
	w.sortGuests()
	list := make([]*Guest, 0, len(w.order))
	for _, id := range w.order {
		list = append(list, w.guests[id])
	}
	return list
}

func (w *World) sortGuests() {
	if w.order != nil {
		return
	}
	w.order = make([]int, 0, len(w.guests))
	for id := range w.guests {
		w.order = append(w.order, id)
	}
	slices.Sort(w.order)
}

// Node gives a node by name, nil when there is none.
func (w *World) Node(name string) *Node {
	for _, n := range w.Nodes {
		if n.Name == name {
			return n
		}
	}
	return nil
}

// Pool gives a pool by id, nil when there is none.
func (w *World) Pool(id string) *Pool {
	for _, p := range w.Pools {
		if p.ID == id {
			return p
		}
	}
	return nil
}

// Storage gives the definition of a storage, nil when there is none.
func (w *World) Storage(id string) Object {
	for _, s := range w.Storages {
		if s["storage"] == id {
			return s
		}
	}
	return nil
}

// Now is the world's time: the clock of the Sim that it belongs to, or TakenAt.
func (w *World) Now() time.Time {
	if !w.eventTime.IsZero() {
		return w.eventTime
	}
	if w.clock == nil {
		return w.TakenAt
	}
	return w.clock()
}

// haResource gives the HA entry of a guest by its service id ("vm:100"), nil when HA does not manage it.
func (w *World) haResource(g *Guest) Object {
	if len(w.Cluster.Lists["ha_resources"]) == 0 {
		return nil
	}
	sid := "vm:" + strconv.Itoa(g.VMID)
	if g.Type == "lxc" {
		sid = "ct:" + strconv.Itoa(g.VMID)
	}
	for _, r := range w.Cluster.Lists["ha_resources"] {
		if r["sid"] == sid {
			return r
		}
	}
	return nil
}
