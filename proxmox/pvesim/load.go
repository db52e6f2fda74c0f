package pvesim

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

// worldFormat is the only format of world.json that exists (pve/README.md section 3).
const worldFormat = 1

type worldFile struct {
	Format     int                  `json:"format"`
	TakenAt    int64                `json:"taken_at"`
	Principals map[string]Principal `json:"principals"`
	Version    Object               `json:"version"`
	Nodes      []Object             `json:"nodes"`
	Cluster    Object               `json:"cluster"`
	Storages   []Object             `json:"storage_config"`
	Guests     []guestFile          `json:"guests"`
	Pools      []Object             `json:"pools"`
	Access     accessFile           `json:"access"`
}

type guestFile struct {
	VMID       int           `json:"vmid"`
	Type       string        `json:"type"`
	Node       string        `json:"node"`
	Pool       *string       `json:"pool"`
	Config     Object        `json:"config"`
	Pending    []Object      `json:"pending"`
	Status     Object        `json:"status_current"`
	Snapshots  []Object      `json:"snapshots"`
	ConfigFile string        `json:"config_file"`
	Firewall   *firewallFile `json:"firewall"`
}

type firewallFile struct {
	Options Object   `json:"options"`
	Rules   []Object `json:"rules"`
	Aliases []Object `json:"aliases"`
	Macros  []Object `json:"macros"`
	Groups  []Object `json:"groups"`
	IPSet   []Object `json:"ipset"`
}

// LoadWorld reads a world.json of format 1. Values keep the types that they have in the file.
func LoadWorld(r io.Reader) (*World, error) {
	var f worldFile
	if err := decodeJSON(r, &f); err != nil {
		return nil, fmt.Errorf("world: %w", err)
	}
	if f.Format != worldFormat {
		return nil, fmt.Errorf("world: format %d, only %d is known", f.Format, worldFormat)
	}
	if len(f.Nodes) == 0 {
		return nil, errors.New("world: no nodes")
	}
	w := &World{
		TakenAt: time.Unix(f.TakenAt, 0).UTC(), Version: f.Version, Principals: f.Principals,
		Storages: f.Storages, Inside: bareMachines(), StatLag: StatInterval, recorded: true, guests: map[int]*Guest{},
	}
	if err := w.loadCluster(f.Cluster); err != nil {
		return nil, err
	}
	for _, o := range f.Nodes {
		if err := w.loadNode(o); err != nil {
			return nil, err
		}
	}
	for _, g := range f.Guests {
		if err := w.loadGuest(g); err != nil {
			return nil, err
		}
	}
	w.loadPools(f.Pools)
	w.Access = loadAccess(f.Access)
	w.loadedLogin()
	return w, nil
}

// loadedLogin puts the login of the one who took the dump into the cluster log: it is the last thing that happened
// before the world was true, and the log itself is not part of a dump.
func (w *World) loadedLogin() {
	w.serial = 1 // that login was entry 2 of the recorded log (02/015)
	w.addLog(LogEntry{Node: w.Nodes[0].Name, Tag: "pvedaemon", User: "root@pam", Pri: 6, Time: w.TakenAt,
		Msg: "successful auth for user 'root@pam'"})
}

func (w *World) loadCluster(o Object) error {
	c := &Cluster{Quorate: true, Lists: map[string][]Object{}}
	for key, v := range o {
		if list, ok := objects(v); ok {
			c.Lists[key] = list
		}
	}
	c.Options, _ = o["options"].(Object)
	c.Options = without(c.Options, "allowed-tags")
	subnets, _ := o["sdn_subnets"].(Object)
	for _, vnet := range slices.Sorted(maps.Keys(subnets)) {
		list, _ := objects(subnets[vnet])
		c.Lists["sdn_subnets"] = append(c.Lists["sdn_subnets"], list...)
	}
	for _, row := range c.Lists["resources"] {
		if row["type"] == "network" || row["type"] == "sdn" {
			c.Resources = append(c.Resources, row)
		}
	}
	c.loadApplied()
	for _, row := range c.Lists["status"] {
		if row["type"] == "cluster" {
			c.Name, c.Quorate = text(row["name"]), truth(row["quorate"])
		}
	}
	fw, err := loadFirewall(o["firewall"])
	if err != nil {
		return err
	}
	c.Firewall = fw
	w.Cluster = c
	return nil
}

// loadApplied takes the zones that run from the list of resources, which is all that a dump tells of them.
func (c *Cluster) loadApplied() {
	c.Applied = map[string][]Object{}
	for _, row := range c.Resources {
		zone := Object{"zone": row["network"], "type": row["zone-type"]}
		if text(row["zone-type"]) != "" && (collection{"sdn_zones", "zone"}).among(c.Applied["sdn_zones"], text(zone["zone"])) == nil {
			c.Applied["sdn_zones"] = append(c.Applied["sdn_zones"], zone)
		}
	}
}

func loadFirewall(v any) (*Firewall, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("world: firewall: %w", err)
	}
	var f *firewallFile
	if err := decodeJSON(strings.NewReader(string(raw)), &f); err != nil {
		return nil, fmt.Errorf("world: firewall: %w", err)
	}
	return f.firewall(), nil
}

func (f *firewallFile) firewall() *Firewall {
	if f == nil {
		return newFirewall()
	}
	return &Firewall{Options: f.Options, Rules: f.Rules, Aliases: f.Aliases, Macros: f.Macros, Groups: f.Groups, Sets: f.IPSet}
}

func (w *World) loadNode(o Object) error {
	n := &Node{Name: text(o["node"]), Online: true, Info: clone(o), Content: map[string][]Object{}}
	if n.Name == "" {
		return errors.New("world: a node without a name")
	}
	n.Storage, _ = objects(o["storage"])
	content, _ := o["storage_content"].(Object)
	for s, v := range content {
		n.Content[s], _ = objects(v)
	}
	rules, _ := objects(o["firewall_rules"])
	n.Firewall = newFirewall()
	n.Firewall.Rules = rules
	if opts, ok := o["firewall_options"].(Object); ok {
		n.Firewall.Options = opts
	}
	tasks, _ := objects(o["tasks"])
	for _, o := range tasks {
		t := loadTask(o)
		n.Tasks = append(n.Tasks, t)
		if kind := t.dumpFS(); kind != "" {
			w.DumpFS = kind
		}
	}
	for _, row := range w.Cluster.Lists["status"] {
		if row["name"] == n.Name && row["type"] == "node" {
			n.ID, n.IP, n.Online = int(integer(row["nodeid"])), text(row["ip"]), truth(row["online"])
		}
	}
	status, _ := o["status"].(Object)
	n.Booted = w.TakenAt.Add(-time.Duration(integer(status["uptime"])) * time.Second)
	n.CPU = number(status["cpu"])
	if mem, ok := status["memory"].(Object); ok {
		n.Mem = integer(mem["used"])
	}
	for _, key := range []string{"node", "storage", "storage_content", "tasks", "firewall_rules", "firewall_options"} {
		delete(n.Info, key)
	}
	w.Nodes = append(w.Nodes, n)
	return nil
}

func loadTask(o Object) *Task {
	t := &Task{UPID: text(o["upid"]), Node: text(o["node"]), Type: text(o["type"]), ID: text(o["id"]),
		User: text(o["user"]), TokenID: text(o["tokenid"]), PID: int(integer(o["pid"])), PStart: int(integer(o["pstart"])),
		Start: time.Unix(integer(o["starttime"]), 0), Exit: text(o["exitstatus"])}
	if o["endtime"] != nil {
		t.End = time.Unix(integer(o["endtime"]), 0)
		if t.Exit == "" {
			t.Exit = text(o["status"])
		}
	}
	lines, _ := o["log"].([]any)
	for _, l := range lines {
		t.Log = append(t.Log, text(l))
	}
	return t
}

const dumpFSLine = "INFO: filesystem type on dumpdir is '"

// dumpFS is the file system that logs of earlier backups name; a dump has it nowhere else.
func (t *Task) dumpFS() string {
	for _, line := range t.Log {
		if rest, ok := strings.CutPrefix(line, dumpFSLine); ok {
			kind, _, _ := strings.Cut(rest, "'")
			return kind
		}
	}
	return ""
}

func (w *World) loadGuest(f guestFile) error {
	if f.Type != typeQEMU && f.Type != typeLXC {
		return fmt.Errorf("world: guest %d: type %q", f.VMID, f.Type)
	}
	g := &Guest{VMID: f.VMID, Type: f.Type, Node: f.Node, Config: Object{}, Pending: Object{},
		Digest: text(f.Config["digest"]), Firewall: f.Firewall.firewall()}
	if f.Pool != nil {
		g.Pool = *f.Pool
	}
	g.loadConfig(f)
	for _, s := range f.Snapshots {
		if s["name"] == currentSnapshot {
			continue
		}
		config, _ := s["config"].(Object)
		g.Snapshots = append(g.Snapshots, &Snapshot{Name: text(s["name"]), Description: text(s["description"]),
			Parent: text(s["parent"]), Time: time.Unix(integer(s["snaptime"]), 0), VMState: truth(s["vmstate"]), Config: config})
	}
	g.loadLive(f.Status, w.TakenAt)
	w.settleIn(g)
	w.guests[g.VMID] = g
	return nil
}

func (g *Guest) loadConfig(f guestFile) {
	for _, e := range f.Pending {
		key := text(e["key"])
		if key == "digest" {
			continue
		}
		if v, ok := e["value"]; ok {
			g.Config[key] = v
		}
		if v, ok := e["pending"]; ok {
			g.Pending[key] = v
		}
		if e["delete"] != nil {
			g.Deleted = append(g.Deleted, key)
		}
	}
	if len(f.Pending) == 0 {
		maps.Copy(g.Config, without(f.Config, "digest"))
	}
	// The file is the only place that shows a stored password (pve/README.md section 3).
	for line := range strings.SplitSeq(f.ConfigFile, "\n") {
		if strings.HasPrefix(line, "[") {
			break
		}
		if v, ok := strings.CutPrefix(line, "cipassword: "); ok {
			g.Config["cipassword"] = v
		}
	}
}

func (g *Guest) loadLive(o Object, taken time.Time) {
	g.Live = Live{Running: o["status"] == "running", Paused: o["qmpstatus"] == "paused",
		Since: taken.Add(-time.Duration(integer(o["uptime"])) * time.Second), PID: int(integer(o["pid"])),
		CPU: number(o["cpu"]), Mem: integer(o["mem"]), MemHost: integer(o["memhost"]), Swap: integer(o["swap"]),
		Disk: integer(o["disk"]), NetIn: integer(o["netin"]), NetOut: integer(o["netout"]),
		DiskRead: integer(o["diskread"]), DiskWrite: integer(o["diskwrite"])}
	if g.Type == typeLXC && g.Live.Running {
		g.Live.DiskSize = integer(o["maxdisk"])
	}
}

func (w *World) loadPools(list []Object) {
	for _, o := range list {
		p := &Pool{ID: text(o["poolid"]), Comment: text(o["comment"])}
		members, _ := objects(o["members"])
		for _, m := range members {
			if m["type"] == "storage" {
				p.Storages = append(p.Storages, text(m["storage"]))
			} else if g := w.guests[int(integer(m["vmid"]))]; g != nil {
				g.Pool = p.ID
			}
		}
		w.Pools = append(w.Pools, p)
	}
}

// objects gives a JSON list of objects, and whether v was a list that holds nothing else.
func objects(v any) ([]Object, bool) {
	list, ok := v.([]any)
	if !ok {
		return nil, false
	}
	out := make([]Object, 0, len(list))
	for _, e := range list {
		o, ok := e.(Object)
		if !ok {
			return nil, false
		}
		out = append(out, o)
	}
	return out, true
}
