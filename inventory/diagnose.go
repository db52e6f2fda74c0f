package inventory

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// diagnoseBudget bounds what a diagnosis waits for its node. Four rrddata go one after another, as each may hold a worker of the node
// (1.7 s each where nodes are slow, performance.md 5); what is not there by then is named as not read.
const diagnoseBudget = 8 * time.Second

// Diagnosis is why a guest may be slow or ill: findings ranked, worst first, and what they rest on. Usage holds the guest's figures, then
// its node's. Unread says what could not be read, as sentences.
type Diagnosis struct {
	Meta
	Guest
	Findings   []Finding
	Usage      []Usual
	Short      string // what is short on its node: disk, cpu, memory; "" = nothing that shows
	Neighbours []Neighbour
	Storages   []GuestStorage
	Tasks      []Task // that run now on the guest, its node or a storage that it shares
	Advice     []Advice
	Unread     []string
}

// GuestStorage is a storage that the guest's disks lie on. Trouble names what is found about it, in a word or two.
type GuestStorage struct {
	Storage
	Trouble string
}

// Diagnose looks at one guest from all sides with at most five calls beside those of the read's own freshness, all at once, within 8 s.
// Errors: those of Guest. Whatever of Proxmox VE cannot be asked makes the answer partial.
func (i *Inventory) Diagnose(ctx context.Context, ref GuestRef) (Diagnosis, error) {
	ctx = i.opt.Waiting(ctx)
	scope, err := i.ready(ctx, ref.ReadOptions)
	if err != nil {
		return Diagnosis{}, err
	}
	r, err := i.resolve(scope, ref.Name)
	if err != nil {
		return Diagnosis{}, err
	}
	c := i.clusterOf(r.g.Cluster)
	x := &examination{i: i, c: c, cv: i.proj.cluster(c.name), r: r, now: i.now()}
	x.d = Diagnosis{Meta: c.meta(x.now), Guest: r.view()}
	x.look(ctx)
	if err := x.config(ctx); err != nil {
		return Diagnosis{}, err
	}
	x.figures()
	if x.r.state == stRunning {
		x.neighbours()
	}
	x.storages()
	x.tasks()
	x.known()
	x.rank()
	return x.d, nil
}

// examination is one diagnosis in the making.
type examination struct {
	i   *Inventory
	c   *cluster
	cv  *clusterView
	r   *row
	now time.Time
	d   Diagnosis

	guestHour, guestWeek, nodeHour, nodeWeek pve.Series
	live                                     []pve.MetricPoint
	limited                                  bool // live is not there
	stress                                   []stress
}

// liveSpan is how far back the rates of neighbours look: twelve rounds of pvestatd, of which a guest may have missed some.
const liveSpan = 2 * time.Minute

// look asks Proxmox VE for all that the store does not have.
func (x *examination) look(ctx context.Context) {
	node := x.r.g.Node
	if why := x.cv.nodeAway(node); why != "" {
		x.limited = true
		x.unread("figures", why)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, diagnoseBudget)
	defer cancel()
	src, err := x.c.source(ctx)
	if err != nil {
		x.limited = true
		x.unread("figures", fault.Of(err).Error())
		return
	}
	guest, host := pve.Sampled{Node: node, Type: x.r.typ(), VMID: x.r.g.VMID}, pve.Sampled{Node: node}
	var wg sync.WaitGroup
	var mu sync.Mutex
	failed := map[string][]string{}
	fail := func(what string, err error) {
		mu.Lock()
		defer mu.Unlock()
		why := fault.Of(err).Error()
		failed[why] = append(failed[why], what)
	}
	ask := func(what string, into *pve.Series, of pve.Sampled, timeframe string) {
		wg.Go(func() {
			s, err := src.Samples(ctx, of, timeframe, "")
			if *into = s; err != nil {
				fail(what, err)
			}
		})
	}
	ask("its last hour", &x.guestHour, guest, "hour")
	ask(node+"'s last hour", &x.nodeHour, host, "hour")
	ask("its week", &x.guestWeek, guest, "week")
	ask(node+"'s week", &x.nodeWeek, host, "week")
	if x.live, err = src.LiveMetrics(ctx, node, x.now.Add(-liveSpan)); err != nil {
		x.limited = true
		fail("traffic of its neighbours", err)
	}
	wg.Wait()
	for _, why := range sortedNames(failed) {
		slices.Sort(failed[why])
		x.unread(strings.Join(failed[why], ", "), why)
	}
}

func (x *examination) unread(what, why string) {
	x.d.Unread = append(x.d.Unread, what+": "+why)
}

// config runs the rules over the stored configuration.
func (x *examination) config(ctx context.Context) error {
	if x.r.g.ConfigHash == "" {
		x.unread("configuration", "not read yet")
		return nil
	}
	cfg, err := x.i.config(ctx, x.r.g.ConfigHash)
	if err != nil {
		return err
	}
	x.d.Advice = advise(&advised{typ: x.r.typ(), cfg: cfg, snaps: decodeSnapshots(x.r.g.Snapshots), now: x.now})
	for _, k := range cfg.content.Keys() {
		if strings.HasPrefix(k, "hostpci") {
			x.unread("IO through "+k, "the device is passed through")
			break
		}
	}
	return nil
}

func (x *examination) finding(f Finding) {
	f.Cluster = x.c.name
	if f.Object == "" {
		f.Object = x.r.label()
	}
	x.d.Findings = append(x.d.Findings, f)
}

// storages are those of the guest's disks, with what is known of their health.
func (x *examination) storages() {
	f := x.r.facets()
	for _, s := range x.cv.storages {
		if !slices.Contains(f.Storages, s.Name) || len(s.Nodes) > 0 && !slices.Contains(s.Nodes, x.r.g.Node) {
			continue
		}
		if !s.Shared {
			s.Nodes = []string{x.r.g.Node}
		}
		x.d.Storages = append(x.d.Storages, GuestStorage{Storage: s})
		if s.Status != "" && s.Status != "available" && s.Status != stUnknown {
			x.finding(Finding{Severity: Critical, Code: "storage_away", Object: "storage " + s.Name, Score: 96, Title: s.Status, Evidence: "cluster/resources: status=" + s.Status,
				Hint: "check it on " + x.r.g.Node + ": pvesm status"})
		}
	}
	for _, want := range f.Storages {
		if !slices.ContainsFunc(x.d.Storages, func(s GuestStorage) bool { return s.Name == want }) {
			x.unread("storage "+want, "not visible on "+x.r.g.Node)
		}
	}
}

// heavy are the tasks that load disks or the network of a node, or a storage that several nodes share.
var heavy = []string{"vzdump", "qmclone", "vzclone", "qmmove", "move_volume", "qmrestore", "vzrestore", "qmigrate", "vzmigrate", "imgcopy", "imgdel", "download", "resize", "qmsnapshot",
	"qmdelsnapshot", "vzsnapshot", "vzdelsnapshot", "migrateall", "zfscreate", "lvmthincreate", "pull_file"}

// tasks are those that run now and touch the guest, its node or a shared storage.
func (x *examination) tasks() {
	shared := slices.ContainsFunc(x.d.Storages, func(s GuestStorage) bool { return s.Shared })
	own := strconv.Itoa(x.r.g.VMID)
	for _, k := range x.cv.tasks.list {
		if !running(k, x.now) {
			continue
		}
		load := slices.Contains(heavy, k.Type)
		if k.ID != own && !(load && (k.Node == x.r.g.Node || shared)) {
			continue
		}
		x.d.Tasks = append(x.d.Tasks, taskView(k))
		if load {
			x.finding(Finding{Severity: Warn, Code: "task_running", Object: "node " + k.Node, Score: 75, Since: k.Start, Title: strings.TrimSpace(name(k.Type)+" "+name(k.ID)) + " runs",
				Evidence: "task " + pve.TaskHandle(k.UPID), Hint: "get_task " + pve.TaskHandle(k.UPID) + "; it loads disks and network until it ends"})
		}
	}
	x.failed(own)
	if x.cv.state.OwnTasks {
		x.unread("tasks of others", "Sys.Audit is missing on /")
	}
}

// failed says that the last thing that was tried with the guest did not work; what is younger than a day is a health finding.
func (x *examination) failed(id string) {
	tasks := x.cv.tasks.byID[id]
	if len(tasks) == 0 {
		return
	}
	k := x.cv.tasks.list[tasks[0]]
	if age := x.now.Sub(taskTime(k)); taskState(k) == taskFailed && age >= failedWindow {
		x.finding(Finding{Severity: Warn, Code: "task_failed", Score: 48, Since: taskTime(k), Title: "its last task failed: " + name(k.Type), Evidence: clean.Line(k.Exit, maxLine),
			Hint: "get_task " + pve.TaskHandle(k.UPID) + " shows the log"})
	}
}

// known takes over the health findings that bear on this guest: its own, those of its node's hardware, and those of its storages.
func (x *examination) known() {
	node := x.r.g.Node
	for _, f := range x.cv.findings(x.now).list {
		own := f.Object == x.r.label()
		switch {
		case own && slices.ContainsFunc(x.d.Advice, func(a Advice) bool { return a.Code == f.Code }):
			continue // advised already
		case f.Code == "node_memory" && slices.ContainsFunc(x.d.Findings, func(o Finding) bool { return o.Code == "node_memory_short" }):
			continue // found already, by the hour
		case own, f.Object == "node "+node && slices.Contains([]string{"node_offline", "node_memory", "memory_overcommit", "stats_stale"}, f.Code):
			x.d.Findings = append(x.d.Findings, f)
		case x.ofStorage(f), strings.HasPrefix(f.Object, "disk "+node+":"):
			x.d.Findings = append(x.d.Findings, f)
		}
	}
}

// ofStorage says that a finding is about a storage of the guest, or the ZFS or thin pool below it, and notes that with the storage.
func (x *examination) ofStorage(f Finding) bool {
	for k := range x.d.Storages {
		s := &x.d.Storages[k]
		if f.Object != "storage "+s.Name && f.Object != "storage "+x.r.g.Node+"/"+s.Name && !x.below(s, f.Object) {
			continue
		}
		if strings.HasPrefix(f.Object, "storage ") && f.Code == "storage_full" {
			return true // its fill is shown
		}
		s.Trouble = strings.TrimPrefix(s.Trouble+", "+f.Title, ", ")
		return true
	}
	return false
}

// below says that an object such as "zfs pool pve1:tank" or "thin pool pve1:pve/data" is what the storage is made of.
func (x *examination) below(s *GuestStorage, object string) bool {
	o, ok := x.cv.defs[s.Name]
	if !ok {
		return false
	}
	def, err := pve.DecodeConfig(o.State)
	if err != nil {
		return false
	}
	pool, _, _ := strings.Cut(def.Str("pool"), "/")
	return def.Str("type") == "zfspool" && object == "zfs pool "+x.r.g.Node+":"+pool ||
		def.Str("type") == "lvmthin" && object == "thin pool "+x.r.g.Node+":"+def.Str("vgname")+"/"+def.Str("thinpool")
}

// rank puts the worst first, and of two that are alike the one that says more about this guest.
func (x *examination) rank() {
	x.state()
	slices.SortStableFunc(x.d.Findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(severityRank(a.Severity), severityRank(b.Severity)), cmp.Compare(b.Score, a.Score))
	})
}

// state says what is to be said of a guest that does not run as it should.
func (x *examination) state() {
	f := Finding{Severity: Critical, Code: "guest_state", Score: 120, Title: "it is " + x.r.state, Evidence: "status " + x.r.g.Status}
	switch x.r.state {
	case stRunning, stTemplate:
		return
	case stStopped:
		if slices.ContainsFunc(x.d.Findings, func(f Finding) bool { return f.Code == "onboot_stopped" && f.Object == x.r.label() }) {
			return // said already
		}
	case stUnknown:
		f.Title, f.Evidence, f.Since = "nothing is known of it now", x.r.g.UnknownReason, x.r.g.UnknownSince
		f.Hint = "bring " + x.r.g.Node + " back; check_health says what is known of it"
	case stPaused:
		f.Evidence, f.Hint = "status paused: QEMU pauses a VM whose disk cannot be written", "check its storages, then resume it"
	}
	if x.r.state != stUnknown && x.r.state != stPaused {
		f.Severity, f.Hint = Warn, "start it if it should run"
	}
	x.finding(f)
}
