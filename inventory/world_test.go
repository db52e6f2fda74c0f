package inventory

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// world is a small Proxmox VE in memory, answering as Source. Its fields are changed by tests between syncs, under mu.
type world struct {
	mu           sync.Mutex
	guests       map[int]*worldGuest
	nodes        map[string]*worldNode
	tasks        []pve.TaskRow
	pools        []pve.PoolRow
	perms        map[string]map[string]bool
	noJob        []int
	single       bool // a standalone node: no cluster row
	quorum       bool
	down         error // every call fails with it
	odd          []error
	agent        map[string]string // what every agent answers, by command
	extra        []pve.Resource    // rows added to cluster/resources
	hidden       func(vmid int) bool
	rowless      map[int]bool // exist but are not listed
	logs         map[string][]string
	journalAsked [3]any
	unlisted     map[string]bool // tasks that fell out of cluster/tasks
	samples      func(of pve.Sampled, timeframe, cf string) pve.Series
	points       []pve.MetricPoint
	host         host

	hosts    map[string]*host // by node, where nodes differ
	repl     []pve.ReplicationJob
	ha       []pve.HAEntry
	clock    func() time.Time
	pressure map[string]float64 // values of pve1's samples
	awoke    []string           // spinning disks that were asked for their health

	lists map[string]string // what Read answers, by path
	key   string            // begins the fingerprints of its nodes
	delay time.Duration
	used  map[string]int64 // memory of nodes, where it differs
	defs  []pve.StorageDef // beside local-zfs
	calls atomic.Int64
	by    sync.Map // call name: *atomic.Int64
	fail  func(call, node string, vmid int) error

	flying, most sync.Map // node: *atomic.Int64 in flight now, at most
}

type worldGuest struct {
	vmid     int
	typ      pve.GuestType
	node     string
	name     string // what the resource row says
	status   string
	qmp      string
	lock     string
	tags     string
	pool     string
	template bool
	ha       string
	cpu      float64
	mem      int64
	maxmem   int64  // 0 = 1 GiB
	lagging  string // what the row still says of its status; "" = the truth
	expired  bool   // statistics expired: unknown, without name and template (F15, F16)
	config   pve.Config
	snaps    []pve.Snapshot
	ips      []pve.Interface
}

type worldNode struct {
	name   string
	online bool
	silent bool
	stale  bool
}

var _ Source = (*world)(nil)

func newWorld(nodes, guests int) *world {
	w := &world{guests: map[int]*worldGuest{}, nodes: map[string]*worldNode{}, quorum: true, logs: map[string][]string{},
		perms: map[string]map[string]bool{"/": {"VM.Audit": true, "Datastore.Audit": true, "Sys.Audit": true, "Pool.Audit": true}}}
	for k := range nodes {
		n := fmt.Sprintf("pve%d", k+1)
		w.nodes[n] = &worldNode{name: n, online: true}
	}
	for k := range guests {
		w.add(100+k, fmt.Sprintf("pve%d", k%nodes+1))
	}
	return w
}

// set changes the world while syncs may run.
func (w *world) set(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
}

func (w *world) add(vmid int, node string) *worldGuest {
	g := &worldGuest{vmid: vmid, typ: pve.Qemu, node: node, name: fmt.Sprintf("vm%d", vmid), status: "running", cpu: 0.1, mem: 1 << 29}
	g.config = pve.Config{"name": g.name, "memory": "1024", "cores": "2", "onboot": "1", "digest": fmt.Sprintf("%040d", vmid), "ostype": "l26",
		"scsi0": fmt.Sprintf("local-zfs:vm-%d-disk-0,size=32G", vmid), "net0": "virtio=BC:24:11:00:00:01,bridge=vmbr0",
		"smbios1": fmt.Sprintf("uuid=00000000-0000-0000-0000-%012d", vmid), "meta": "creation-qemu=9.0.2,ctime=1700000000"}
	if vmid%4 == 3 {
		g.typ = pve.LXC
		g.config = pve.Config{"hostname": g.name, "memory": "512", "cores": "1", "digest": fmt.Sprintf("%040d", vmid), "ostype": "debian",
			"rootfs": fmt.Sprintf("local-zfs:subvol-%d-disk-0,size=8G", vmid),
			"net0":   fmt.Sprintf("name=eth0,bridge=vmbr0,hwaddr=BC:24:11:00:00:02,ip=10.0.%d.%d/24", vmid/250, vmid%250)}
	}
	w.guests[vmid] = g
	return g
}

func (w *world) enter(ctx context.Context, call, node string, vmid int) (func(), error) {
	w.calls.Add(1)
	n, _ := w.by.LoadOrStore(call, new(atomic.Int64))
	n.(*atomic.Int64).Add(1)
	if node != "" {
		f, _ := w.flying.LoadOrStore(node, new(atomic.Int64))
		m, _ := w.most.LoadOrStore(node, new(atomic.Int64))
		if now := f.(*atomic.Int64).Add(1); now > m.(*atomic.Int64).Load() {
			m.(*atomic.Int64).Store(now)
		}
		defer f.(*atomic.Int64).Add(-1)
	}
	if w.delay > 0 {
		if err := sleep(ctx, w.delay); err != nil {
			return func() {}, err
		}
	}
	w.mu.Lock()
	if err := w.refusal(call, node, vmid); err != nil {
		w.mu.Unlock()
		return func() {}, err
	}
	return w.mu.Unlock, nil
}

func (w *world) refusal(call, node string, vmid int) error {
	if w.down != nil {
		return w.down
	}
	if w.fail != nil {
		if err := w.fail(call, node, vmid); err != nil {
			return err
		}
	}
	if n := w.nodes[node]; node != "" && (n == nil || !n.online || n.silent) {
		return fault.New(fault.NodeSilent, "node %s does not answer", node)
	}
	if g := w.guests[vmid]; vmid != 0 && call != "tasks" {
		if w.hidden != nil && w.hidden(vmid) {
			return fault.New(fault.Forbidden, "Permission check failed (/vms/%d, VM.Audit)", vmid)
		}
		if g == nil || g.node != node {
			return fault.New(fault.NotFound, "Configuration file 'nodes/%s/qemu-server/%d.conf' does not exist", node, vmid)
		}
	}
	return nil
}

func (w *world) count(call string) int {
	n, ok := w.by.Load(call)
	if !ok {
		return 0
	}
	return int(n.(*atomic.Int64).Load())
}

func (w *world) maxFlight() int64 {
	var most int64
	w.most.Range(func(_, v any) bool { most = max(most, v.(*atomic.Int64).Load()); return true })
	return most
}

func (w *world) Calls() int64 { return w.calls.Load() }

func (w *world) Version(ctx context.Context) (pve.Version, error) {
	done, err := w.enter(ctx, "version", "", 0)
	if err != nil {
		return pve.Version{}, err
	}
	defer done()
	return pve.Version{Version: "9.2.11", Release: "9.2"}, nil
}

func (w *world) ClusterStatus(ctx context.Context) ([]pve.ClusterMember, error) {
	done, err := w.enter(ctx, "status", "", 0)
	if err != nil {
		return nil, err
	}
	defer done()
	var out []pve.ClusterMember
	if !w.single {
		out = append(out, pve.ClusterMember{Type: "cluster", Name: "lab", Quorate: pve.Ptr(pve.Bool(w.quorum)), Nodes: pve.Ptr(pve.Int(len(w.nodes)))})
	}
	for _, id := range sortedNames(w.nodes) {
		out = append(out, pve.ClusterMember{Type: "node", Name: pve.Text(id), Online: pve.Ptr(pve.Bool(w.nodes[id].online)), IP: "10.0.0.1"})
	}
	return out, nil
}

func (w *world) Resources(ctx context.Context) ([]pve.Resource, []error, error) {
	done, err := w.enter(ctx, "resources", "", 0)
	if err != nil {
		return nil, nil, err
	}
	defer done()
	out := slices.Clone(w.extra)
	for _, p := range w.pools {
		out = append(out, pve.Resource{ID: "/pool/" + string(p.PoolID), Type: "pool", Pool: p.PoolID})
	}
	for _, id := range sortedIDs(w.guests) {
		if (w.hidden == nil || !w.hidden(id)) && !w.rowless[id] {
			out = append(out, w.guests[id].resource())
		}
	}
	for _, id := range sortedNames(w.nodes) {
		node := w.nodes[id].resource()
		if used, ok := w.used[id]; ok && node.Mem != nil {
			node.Mem = pve.Ptr(pve.Int(used))
		}
		out = append(out, node, pve.Resource{ID: "storage/" + id + "/local-zfs", Type: "storage", Node: pve.Text(id),
			Storage: "local-zfs", PluginType: "zfspool", Status: "available", Disk: pve.Ptr(pve.Int(40)), MaxDisk: pve.Ptr(pve.Int(100))},
			pve.Resource{ID: "storage/" + id + "/ceph1", Type: "storage", Node: pve.Text(id), Storage: "ceph1", Shared: pve.Ptr(pve.Bool(true)),
				Status: "available", Disk: pve.Ptr(pve.Int(90)), MaxDisk: pve.Ptr(pve.Int(100))})
	}
	return out, w.odd, nil
}

func (n *worldNode) resource() pve.Resource {
	r := pve.Resource{ID: "node/" + n.name, Type: "node", Node: pve.Text(n.name), Status: "online", CPU: pve.Ptr(pve.Float(0.2)),
		MaxCPU: pve.Ptr(pve.Float(8)), Mem: pve.Ptr(pve.Int(4 << 30)), MaxMem: pve.Ptr(pve.Int(16 << 30)), Uptime: pve.Ptr(pve.Int(1000))}
	if !n.online {
		return pve.Resource{ID: r.ID, Type: "node", Node: r.Node, Status: "offline"}
	}
	if n.stale {
		return pve.Resource{ID: r.ID, Type: "node", Node: r.Node, Status: "unknown"}
	}
	return r
}

func (g *worldGuest) resource() pve.Resource {
	r := pve.Resource{ID: string(g.typ) + "/" + strconv.Itoa(g.vmid), Type: string(g.typ), Node: pve.Text(g.node), VMID: pve.Int(g.vmid),
		Lock: pve.Text(g.lock), Tags: pve.Text(g.tags), Pool: pve.Text(g.pool), Status: "unknown"}
	if g.expired {
		return r
	}
	r.Name, r.Status, r.HAState = pve.Text(g.name), pve.Text(g.status), pve.Text(g.ha)
	if g.lagging != "" {
		r.Status = pve.Text(g.lagging)
	}
	r.Template = pve.Ptr(pve.Bool(g.template))
	r.MaxCPU, r.MaxMem, r.MaxDisk = pve.Ptr(pve.Float(2)), pve.Ptr(pve.Int(1<<30)), pve.Ptr(pve.Int(32<<30))
	if g.maxmem > 0 {
		r.MaxMem = pve.Ptr(pve.Int(g.maxmem))
	}
	r.CPU, r.Mem, r.Disk, r.Uptime = pve.Ptr(pve.Float(0)), pve.Ptr(pve.Int(0)), pve.Ptr(pve.Int(0)), pve.Ptr(pve.Int(0))
	if g.status == "running" {
		r.CPU, r.Mem, r.Uptime = pve.Ptr(pve.Float(g.cpu)), pve.Ptr(pve.Int(g.mem)), pve.Ptr(pve.Int(3600))
	}
	return r
}

func (w *world) StorageDefs(ctx context.Context) ([]pve.StorageDef, error) {
	done, err := w.enter(ctx, "storage", "", 0)
	if err != nil {
		return nil, err
	}
	defer done()
	return append([]pve.StorageDef{{Storage: "local-zfs", Type: "zfspool", Raw: []byte(`{"storage":"local-zfs","type":"zfspool","digest":"abc"}`)}}, w.defs...), nil
}

func (w *world) Pools(ctx context.Context) ([]pve.PoolRow, error) {
	done, err := w.enter(ctx, "pools", "", 0)
	if err != nil {
		return nil, err
	}
	defer done()
	return slices.Clone(w.pools), nil
}

func (w *world) ClusterTasks(ctx context.Context) ([]pve.TaskRow, error) {
	done, err := w.enter(ctx, "clustertasks", "", 0)
	if err != nil {
		return nil, err
	}
	defer done()
	return slices.DeleteFunc(slices.Clone(w.tasks), func(t pve.TaskRow) bool { return w.unlisted[t.UPID] }), nil
}

func (w *world) NotBackedUp(ctx context.Context) ([]pve.NotBackedUp, error) {
	done, err := w.enter(ctx, "notbackedup", "", 0)
	if err != nil {
		return nil, err
	}
	defer done()
	out := []pve.NotBackedUp{}
	for _, id := range w.noJob {
		out = append(out, pve.NotBackedUp{VMID: pve.Int(id)})
	}
	return out, nil
}

func (w *world) Permissions(ctx context.Context) (map[string]map[string]bool, error) {
	done, err := w.enter(ctx, "permissions", "", 0)
	if err != nil {
		return nil, err
	}
	defer done()
	return w.perms, nil
}

func (w *world) Read(ctx context.Context, path string) (json.RawMessage, error) {
	done, err := w.enter(ctx, "read "+path, "", 0)
	if err != nil {
		return nil, err
	}
	defer done()
	if raw, ok := w.lists[path]; ok {
		return json.RawMessage(raw), nil
	}
	return nil, fault.New(fault.Unsupported, "Method 'GET %s' not implemented", path)
}

func (w *world) NodeStatus(ctx context.Context, node string) (pve.NodeStatus, error) {
	done, err := w.enter(ctx, "nodestatus", node, 0)
	if err != nil {
		return pve.NodeStatus{}, err
	}
	defer done()
	return pve.NodeStatus{PVEVersion: "pve-manager/9.2.11", LoadAvg: []pve.Text{"0.1", "0.2", "0.3"}, Swap: &pve.Usage{Total: pve.Ptr(pve.Int(1)), Used: pve.Ptr(pve.Int(0))}}, nil
}

func (w *world) NodeTasks(ctx context.Context, node string, _ TaskListFilter) ([]pve.TaskRow, error) {
	done, err := w.enter(ctx, "nodetasks", node, 0)
	if err != nil {
		return nil, err
	}
	defer done()
	return slices.DeleteFunc(slices.Clone(w.tasks), func(t pve.TaskRow) bool { return string(t.Node) != node }), nil
}

func (w *world) GuestConfig(ctx context.Context, node string, _ pve.GuestType, vmid int) (pve.Config, error) {
	done, err := w.enter(ctx, "config", node, vmid)
	if err != nil {
		return nil, err
	}
	defer done()
	g := w.guests[vmid]
	out := pve.Config{}
	maps.Copy(out, g.config)
	if g.lock != "" {
		out["lock"] = g.lock
	}
	return out, nil
}

func (w *world) GuestStatus(ctx context.Context, node string, _ pve.GuestType, vmid int) (pve.GuestStatus, error) {
	done, err := w.enter(ctx, "guststatus", node, vmid)
	if err != nil {
		return pve.GuestStatus{}, err
	}
	defer done()
	g := w.guests[vmid]
	return pve.GuestStatus{Status: pve.Text(g.status), QMPStatus: pve.Text(g.qmp), Lock: pve.Text(g.lock), Name: pve.Text(g.name)}, nil
}

func (w *world) Snapshots(ctx context.Context, node string, _ pve.GuestType, vmid int) ([]pve.Snapshot, error) {
	done, err := w.enter(ctx, "snapshots", node, vmid)
	if err != nil {
		return nil, err
	}
	defer done()
	return append(slices.Clone(w.guests[vmid].snaps), pve.Snapshot{Name: "current", Description: "You are here!"}), nil
}

func (w *world) GuestAddresses(ctx context.Context, node string, _ pve.GuestType, vmid int) ([]pve.Interface, error) {
	done, err := w.enter(ctx, "addresses", node, vmid)
	if err != nil {
		return nil, err
	}
	defer done()
	if w.guests[vmid].ips == nil {
		return nil, fault.New(fault.Upstream, "QEMU guest agent is not running")
	}
	return w.guests[vmid].ips, nil
}

func (w *world) AgentRead(ctx context.Context, node string, vmid int, command string) (json.RawMessage, error) {
	done, err := w.enter(ctx, "agent "+command, node, vmid)
	if err != nil {
		return nil, err
	}
	defer done()
	if raw, ok := w.agent[command]; ok {
		return json.RawMessage(raw), nil
	}
	return nil, fault.New(fault.Upstream, "Agent error: The command guest-%s has not been found", command)
}

func (w *world) AgentState(err error) string {
	if strings.Contains(fault.Of(err).Error(), "agent is not running") {
		return "not_running"
	}
	return ""
}

func (w *world) TaskStatus(ctx context.Context, upid string) (pve.TaskStatus, error) {
	done, err := w.enter(ctx, "taskstatus", "", 0)
	if err != nil {
		return pve.TaskStatus{}, err
	}
	defer done()
	for _, t := range w.tasks {
		if t.UPID == upid {
			s := pve.TaskStatus{UPID: upid, Node: t.Node, Type: t.Type, ID: t.ID, User: t.User, Status: "running"}
			if t.EndTime != nil {
				s.Status, s.ExitStatus = "stopped", t.Status
			}
			return s, nil
		}
	}
	return pve.TaskStatus{}, fault.New(fault.NotFound, "no such task")
}

func (w *world) TaskLog(ctx context.Context, upid string, start, limit int) ([]string, int, error) {
	done, err := w.enter(ctx, "tasklog", "", 0)
	if err != nil {
		return nil, 0, err
	}
	defer done()
	l := w.logs[upid]
	return slices.Clone(l[min(start, len(l)):min(start+limit, len(l))]), len(l), nil
}

func (w *world) Samples(ctx context.Context, of pve.Sampled, timeframe, cf string) (pve.Series, error) {
	done, err := w.enter(ctx, "samples", of.Node, of.VMID)
	if err != nil {
		return pve.Series{}, err
	}
	defer done()
	if w.samples == nil {
		return pve.Series{}, nil
	}
	return w.samples(of, timeframe, cf), nil
}

func (w *world) NodeJournal(ctx context.Context, node string, since, until time.Time, last int) ([]string, error) {
	done, err := w.enter(ctx, "journal", node, 0)
	if err != nil {
		return nil, err
	}
	defer done()
	w.journalAsked = [3]any{since, until, last}
	l := w.logs["journal/"+node]
	if last > 0 {
		l = l[max(0, len(l)-last):]
	}
	return slices.Clone(l), nil
}

func (w *world) LiveMetrics(ctx context.Context, _ string, since time.Time) ([]pve.MetricPoint, error) {
	done, err := w.enter(ctx, "livemetrics", "", 0)
	if err != nil {
		return nil, err
	}
	defer done()
	return slices.DeleteFunc(slices.Clone(w.points), func(p pve.MetricPoint) bool { return int64(p.Timestamp) <= since.Unix() }), nil
}

// task adds a task to the world; end 0 = it runs.
func (w *world) task(node, typ, id string, start, end time.Time, status string) string {
	upid := fmt.Sprintf("UPID:%s:%08X:%08X:%08X:%s:%s:root@pam:", node, len(w.tasks)+1, len(w.tasks)+1, start.Unix(), typ, id)
	t := pve.TaskRow{UPID: upid, Node: pve.Text(node), Type: pve.Text(typ), ID: pve.Text(id), User: "root@pam", StartTime: pve.Int(start.Unix()), Status: pve.Text(status)}
	if !end.IsZero() {
		t.EndTime = pve.Ptr(pve.Int(end.Unix()))
	}
	w.tasks = append(w.tasks, t)
	return upid
}

func (w *world) User(ctx context.Context, _ string) (pve.User, error) {
	leave, err := w.enter(ctx, "user", "", 0)
	if err != nil {
		return pve.User{}, err
	}
	defer leave()
	return pve.User{Tokens: map[string]pve.UserToken{"agent": {PrivSep: pve.Ptr(pve.Bool(true))}}}, nil
}

func (w *world) Identity() string { return "mcp@pve!agent" }

func (w *world) ReadOnly() bool { return true }

func (w *world) Grant(priv, path string, _ *bool) string { return "grant " + priv + " on " + path }

func (w *world) NodeKeys(ctx context.Context) (map[string]string, error) {
	leave, err := w.enter(ctx, "nodes", "", 0)
	if err != nil {
		return nil, err
	}
	defer leave()
	out := map[string]string{}
	for n := range w.nodes {
		out[n] = w.key + n
	}
	return out, nil
}

func (w *world) Endpoints() []Endpoint { return []Endpoint{{Address: "192.0.2.1:8006", InUse: true}} }
