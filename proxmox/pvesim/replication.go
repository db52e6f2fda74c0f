package pvesim

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// replications is the list of replication jobs in Cluster.Lists.
const replications = "replication"

func replicationRoutes() []route {
	base, at := "/cluster/replication", "/nodes/{node}/replication"
	return append(daemon(
		post(base, anyone, addReplication), put(base+"/{id}", anyone, changeReplication), del(base+"/{id}", anyone, removeReplication),
		get(at, anyone, nodeReplications), get(at+"/{id}/status", anyone, replicationStatus), get(at+"/{id}/log", anyone, replicationLog),
		post(at+"/{id}/schedule_now", anyone, scheduleReplication)),
		get(base, anyone, listReplications), get(base+"/{id}", anyone, getReplication),
		index(at+"/{id}", "name", "schedule_now log status"))
}

// replicaState is what the node of the source knows of a job.
type replicaState struct {
	lastTry, lastSync time.Time
	duration          time.Duration
	fails             int
	failure           string
	running           bool
	soon              bool // it was asked to run at once
	log               []string
}

func (w *World) replica(id string) *replicaState {
	if w.replicas == nil {
		w.replicas = map[string]*replicaState{}
	}
	if w.replicas[id] == nil {
		w.replicas[id] = &replicaState{}
	}
	return w.replicas[id]
}

func noReplication(id string) error { return fail("no such replication job '%s'", id) }

func (c *call) mayReplicate(o Object, priv string) error {
	return c.wants("/vms/"+text(o["guest"]), priv)
}

func listReplications(c *call) (any, error) {
	out := []Object{}
	for _, o := range c.w.Cluster.Lists[replications] {
		if c.mayReplicate(o, "VM.Audit") == nil {
			out = append(out, o)
		}
	}
	return out, nil
}

// replication finds the job of the path for those with a privilege on its guest.
func (c *call) replication(priv string) (Object, error) {
	o := c.w.Cluster.section(replications, "id", c.vars["id"])
	if o == nil {
		return nil, noReplication(c.vars["id"])
	}
	return o, c.mayReplicate(o, priv)
}

func getReplication(c *call) (any, error) {
	o, err := c.replication("VM.Audit")
	if err != nil {
		return nil, err
	}
	return merged(o, nil, Object{"digest": c.w.Cluster.sectionDigest(replications)}), nil
}

// addReplication makes a job; its id begins with the guest, whose node is the source.
func addReplication(c *call) (any, error) {
	id := c.param("id")
	guest, num, _ := strings.Cut(id, "-")
	if err := c.wants("/vms/"+guest, "VM.Replicate"); err != nil {
		return nil, err
	}
	g := c.w.Guest(int(integer(guest)))
	target, source := c.param("target"), c.param("source")
	switch {
	case g == nil:
		return nil, fail("Guest '%s' does not exist.", guest)
	case c.w.Node(target) == nil:
		return nil, fail("Target '%s' does not exist.", target)
	case source != "" && source != g.Node:
		return nil, fail("Source '%s' does not match current node of guest '%s' (%s)", source, guest, g.Node)
	case target == g.Node:
		return nil, fail("Source and target must not be identical")
	}
	volumes, err := c.w.replicable(g)
	switch {
	case err != nil:
		return nil, err
	case len(volumes) == 0:
		return nil, fail("No replicatable volumes found")
	case c.w.Cluster.section(replications, "id", id) != nil:
		return nil, fail("replication job '%s' already exists", id)
	}
	for _, o := range c.w.Cluster.Lists[replications] {
		if o["target"] == target && text(o["guest"]) == guest {
			return nil, fail("replication job for guest '%s' to target '%s' already exists", guest, target)
		}
	}
	o := c.stored()
	o["guest"], o["jobnum"], o["source"] = g.VMID, int(integer(num)), g.Node
	c.w.Cluster.putSection(replications, "id", o)
	c.w.jobChanged(id)
	return nil, nil
}

func changeReplication(c *call) (any, error) {
	o, err := c.replication("VM.Replicate")
	if o == nil {
		return nil, fail("no such job '%s'", c.vars["id"])
	}
	if err != nil {
		return nil, err
	}
	if err := c.unmodified(c.w.Cluster.sectionDigest(replications)); err != nil {
		return nil, err
	}
	fixed := []string{"guest", "jobnum", "source", "target", "type", "id"}
	for _, key := range c.list("delete") {
		switch {
		case contains(fixed, key):
			return nil, fail("unable to delete required option '%s'", key)
		case c.accepts.find(key) == nil:
			return nil, fail("no such option '%s'", key)
		}
	}
	c.w.Cluster.putSection(replications, "id", merged(o, c.list("delete"), c.stored("digest", "delete")))
	c.w.planJobs()
	return nil, nil
}

// removeReplication marks a job for removal, which the source's node does in its next round; with force it just forgets
// the job.
func removeReplication(c *call) (any, error) {
	o, err := c.replication("VM.Replicate")
	force, keep := truth(c.params["force"]), truth(c.params["keep"])
	switch {
	case o == nil && force:
		return nil, nil
	case o == nil:
		return nil, fail("no such job '%s'", c.vars["id"])
	case err != nil:
		return nil, err
	case force && keep:
		return nil, badParam("keep", "conflicts with parameter 'force'")
	case force:
		c.w.forgetReplication(c.vars["id"])
		return nil, nil
	}
	how := "full"
	if keep {
		how = "local"
	}
	c.w.Cluster.putSection(replications, "id", merged(o, nil, Object{"remove_job": how}))
	c.w.planJobs()
	return nil, nil
}

func (w *World) forgetReplication(id string) {
	w.Cluster.dropSection(replications, "id", id)
	delete(w.replicas, id)
	w.planJobs()
}

// replicationRow is a job with its state, as the node of its guest shows it.
func (w *World) replicationRow(o Object) Object {
	row, s := clone(o), w.replicas[text(o["id"])]
	if g := w.Guest(int(integer(o["guest"]))); g != nil {
		row["vmtype"] = g.Type
	}
	if s == nil {
		s = &replicaState{}
	}
	row["fail_count"], row["duration"] = s.fails, s.duration.Seconds()
	row["last_try"], row["last_sync"] = unixOrZero(s.lastTry), unixOrZero(s.lastSync)
	if s.failure != "" {
		row["error"] = s.failure
	}
	if s.running {
		row["pid"] = 1
	}
	if n := w.Node(text(o["source"])); n != nil && !truth(o["disable"]) {
		for _, d := range w.replicationDuties(n) {
			if d.id == o["id"] {
				row["next_sync"] = unixOrZero(w.dueAt(n, d))
			}
		}
	}
	return row
}

func unixOrZero(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

// nodeReplications are the jobs whose guests are on the node. A world may tell of some itself.
func nodeReplications(c *call) (any, error) {
	list, _ := objects(c.node.Info["replication"])
	for _, o := range c.w.Cluster.Lists[replications] {
		if o["source"] == c.node.Name && find(list, func(x Object) bool { return x["id"] == o["id"] }) == nil {
			list = append(list, c.w.replicationRow(o))
		}
	}
	out := []Object{}
	for _, o := range list {
		if guest := text(o["guest"]); c.may("/vms/"+guest, "VM.Audit") && (!c.given("guest") || guest == c.param("guest")) {
			out = append(out, o)
		}
	}
	return out, nil
}

func replicationStatus(c *call) (any, error) {
	o, err := c.replication("VM.Audit")
	if err != nil {
		return nil, err
	}
	if o["source"] != c.node.Name {
		return nil, noReplication(c.vars["id"])
	}
	return c.w.replicationRow(o), nil
}

func replicationLog(c *call) (any, error) {
	o, err := c.replication("VM.Audit")
	if o == nil || err != nil && !c.may("/nodes/"+c.node.Name, "Sys.Audit") {
		return nil, err
	}
	lines := []string{errNoLog.Error()}
	if s := c.w.replicas[c.vars["id"]]; s != nil && len(s.log) > 0 {
		lines = s.log
	}
	total := len(lines)
	c.total = &total
	start, limit := int(integer(c.params["start"])), logPage
	if c.given("limit") {
		limit = int(integer(c.params["limit"]))
	}
	list := []fields{}
	for i := start; i < total && (limit == 0 || len(list) < limit); i++ {
		list = append(list, fields{{"n", i + 1}, {"t", lines[i]}})
	}
	return list, nil
}

// scheduleReplication lets a job run in the next round.
func scheduleReplication(c *call) (any, error) {
	if _, err := c.replication("VM.Replicate"); err != nil {
		return nil, err
	}
	c.w.replica(c.vars["id"]).soon = true
	c.w.planJobs()
	return nil, nil
}

// replicable are the volumes of a guest that a job copies: those on ZFS that are not left out.
func (w *World) replicable(g *Guest) ([]string, error) {
	var out []string
	for _, key := range g.disks() {
		drive := text(g.Config[key])
		volid := driveVolume(drive)
		store, _, ok := strings.Cut(volid, ":")
		if !ok || driveOption(drive, "replicate") == "0" || driveOption(drive, "shared") == "1" {
			continue
		}
		def := w.Storage(store)
		if def == nil || truth(def["shared"]) {
			continue
		}
		if def["type"] != "zfspool" {
			return nil, fail("missing replicate feature on volume '%s'", volid)
		}
		out = append(out, volid)
	}
	return out, nil
}

// defaultReplication is how often a job without a schedule runs.
const defaultReplication = "*/15"

// replicationDuties are the jobs of the guests on a node; one to be removed or asked for is due at once, one that failed
// again after some minutes.
func (w *World) replicationDuties(n *Node) []duty {
	var list []duty
	for _, o := range w.Cluster.Lists[replications] {
		id := text(o["id"])
		removing := o["remove_job"] != nil
		if o["source"] != n.Name || truth(o["disable"]) && !removing {
			continue
		}
		d := duty{id: id, schedule: defaultReplication, repeats: true, run: func(n *Node) *Task { w.replicate(n, id); return nil }}
		if s := text(o["schedule"]); s != "" {
			d.schedule = s
		}
		s := w.replicas[id]
		switch {
		case removing || s != nil && s.soon:
			d.at = n.runs[id].at.Add(time.Second)
		case s != nil && s.fails > 0:
			d.at = s.lastTry.Add(retryAfter(s.fails))
		}
		list = append(list, d)
	}
	return list
}

// retryAfter is how long a failed job waits: 5 minutes for each failure, half an hour after three.
func retryAfter(fails int) time.Duration {
	if fails > 3 {
		return 30 * time.Minute
	}
	return time.Duration(fails) * 5 * time.Minute
}

// replicaTime is what a run takes beside the copying of data, and replicaRate how fast that is.
const (
	replicaTime = 3 * time.Second
	replicaRate = 100 * mib
)

// replicate is one run of a job. It is no task: its log stands beside its state.
func (w *World) replicate(n *Node, id string) {
	o := w.Cluster.section(replications, "id", id)
	s := w.replica(id)
	if o == nil || s.running {
		return
	}
	first := s.lastSync.IsZero()
	s.soon, s.lastTry, s.log = false, w.Now(), nil
	say := func(format string, args ...any) {
		s.log = append(s.log, n.local(w.Now()).Format("2006-01-02 15:04:05")+" "+id+": "+fmt.Sprintf(format, args...))
	}
	say("start replication job")
	g, target := w.Guest(int(integer(o["guest"]))), w.Node(text(o["target"]))
	if o["remove_job"] != nil {
		w.dropReplica(g, target, o)
		w.forgetReplication(id)
		return
	}
	volumes, err := w.readyToReplicate(g, n, target)
	if err != nil {
		s.fails, s.failure = s.fails+1, taskText(err)
		say("end replication job with error: %s", s.failure)
		return
	}
	say("guest => %s, running => %d", replicaGuest(g), g.Live.PID)
	say("volumes => %s", strings.Join(volumes, ","))
	snapshot := fmt.Sprintf("__replicate_%s_%d__", id, w.Now().Unix())
	var data int64
	for _, volid := range volumes {
		say("create snapshot '%s' on %s", snapshot, volid)
		if how := "incremental"; first {
			say("full sync '%s' (%s)", volid, snapshot)
			data += dataIn(n.volume(volid))
		} else {
			say("%s sync '%s' (%s => %s)", how, volid, fmt.Sprintf("__replicate_%s_%d__", id, s.lastSync.Unix()), snapshot)
		}
	}
	began := w.Now()
	s.running = true
	w.schedule(w.scaled(replicaTime+time.Duration(data/replicaRate)*time.Second), func() {
		s.running = false
		for _, volid := range volumes {
			w.copyReplica(n, target, volid)
		}
		say("end replication job")
		s.lastSync, s.duration, s.fails, s.failure = began, w.Now().Sub(began), 0, ""
		w.planJobs()
	})
}

func replicaGuest(g *Guest) string {
	if g.Type == typeLXC {
		return "CT " + strconv.Itoa(g.VMID)
	}
	return "VM " + strconv.Itoa(g.VMID)
}

// readyToReplicate finds what keeps a run from beginning.
func (w *World) readyToReplicate(g *Guest, n, target *Node) ([]string, error) {
	if g == nil || g.Node != n.Name {
		return nil, fail("guest is not on this node")
	}
	if target == nil {
		return nil, fail("target node is not in the cluster")
	}
	if !target.Online {
		return nil, fail("command '/usr/bin/ssh -e none -o 'BatchMode=yes' -o 'HostKeyAlias=%s' root@%s -- pvesr prepare-local-job' failed: exit code 255", target.Name, target.IP)
	}
	volumes, err := w.replicable(g)
	for _, volid := range volumes {
		store, _, _ := strings.Cut(volid, ":")
		if s := target.storage(store); err == nil && (s == nil || !truth(s["active"])) {
			err = fail("storage '%s' is not available on node '%s'", store, target.Name)
		}
	}
	return volumes, err
}

// copyReplica puts a copy of a volume on the target, or in the place of the older one.
func (w *World) copyReplica(n, target *Node, volid string) {
	v := n.volume(volid)
	store, _, _ := strings.Cut(volid, ":")
	if v == nil || target.volume(volid) != nil {
		return
	}
	target.Content[store] = append(append([]Object{}, target.Content[store]...), clone(v))
}

// dropReplica takes the copies away again.
func (w *World) dropReplica(g *Guest, target *Node, o Object) {
	if g == nil || target == nil || o["remove_job"] != "full" {
		return
	}
	volumes, _ := w.replicable(g)
	for _, volid := range volumes {
		if g.Node != target.Name && target.volume(volid) != nil {
			w.dropVolume(target, volid)
		}
	}
}

// turnReplications makes the jobs of a guest that was moved start from where it is now.
func (w *World) turnReplications(g *Guest, from string) {
	for _, o := range w.Cluster.Lists[replications] {
		if text(o["guest"]) != strconv.Itoa(g.VMID) || o["source"] != from {
			continue
		}
		set := Object{"source": g.Node}
		if o["target"] == g.Node {
			set["target"] = from
		}
		w.Cluster.putSection(replications, "id", merged(o, nil, set))
	}
	w.planJobs()
}
