package pvesim

import (
	"fmt"
	"strconv"
	"time"
)

// GenOptions describe a generated cluster.
type GenOptions struct {
	Seed uint64
	// Nodes and Guests are how many; zero values mean 3 and 25.
	Nodes, Guests int
	// Snapshots is how many of 100 guests have snapshots.
	Snapshots int
	// Now is the world's time; the zero value means the start of 2026, so that a seed alone repeats a world.
	Now time.Time
}

// firstVMID is where generated ids begin.
const firstVMID = 1000

// generatedTasks is how many finished tasks a generated node has.
const generatedTasks = 30

var generatedKinds = []struct {
	name, os, tags string
	cores, memory  int
}{
	{"web", "l26", "prod;web", 2, 2048}, {"db", "l26", "db;prod", 4, 8192}, {"app", "l26", "app;prod", 4, 4096}, {"ci", "l26", "ci;dev", 8, 8192},
	{"cache", "l26", "cache;prod", 2, 4096}, {"mail", "l26", "mail", 2, 2048}, {"k8s", "l26", "k8s;prod", 4, 16384}, {"win", "win11", "windows", 4, 8192},
	{"test", "l26", "test", 1, 1024}, {"mon", "l26", "monitoring;prod", 2, 4096},
}

// GenerateWorld makes a cluster of any size, the same for the same options. The token of RootToken works on it.
func GenerateWorld(o GenOptions) *World {
	if o.Nodes <= 0 {
		o.Nodes = 3
	}
	if o.Guests <= 0 {
		o.Guests = 25
	}
	if o.Now.IsZero() {
		o.Now = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	}
	b := newBuilder(o.Seed, o.Now)
	b.w.Cluster.Name = "gen"
	for i := range o.Nodes {
		b.generateNode(i)
	}
	b.generateStorage()
	b.w.Pools = []*Pool{{ID: "prod", Comment: "production"}, {ID: "dev", Comment: "development"}}
	for i := range o.Guests {
		b.generateGuest(i, o)
	}
	for _, n := range b.w.Nodes {
		b.generateTasks(n)
	}
	b.w.Cluster.Lists["backup_jobs"] = []Object{{"id": "nightly", "type": "vzdump", "enabled": 1, "schedule": "02:30", "storage": "backup", "pool": "prod",
		"mode": "snapshot", "prune-backups": Object{"keep-last": "7"}}}
	b.w.HAManager = len(b.w.Nodes) > 1
	return b.w
}

func (b *builder) generateNode(i int) {
	const mem = 512 * int64(gib)
	load := 0.1 + 0.5*b.rng.Float64()
	b.node(nodeSpec{name: fmt.Sprintf("node%02d", i+1), ip: fmt.Sprintf("10.10.%d.%d", i/200, 11+i%200), model: "AMD EPYC 9354P 32-Core Processor",
		vendor: "AuthenticAMD", cores: 32, threads: 2, mem: mem, memUsed: int64(float64(mem) * (0.3 + 0.4*b.rng.Float64())),
		rootTotal: 94 * gib, rootUsed: int64(12+b.rng.IntN(30)) * gib, cpu: load, up: time.Duration(1+b.rng.IntN(200)) * 24 * time.Hour})
}

func (b *builder) generateStorage() {
	nodes := b.w.Nodes
	b.storage(Object{"storage": "local", "type": "dir", "path": "/var/lib/vz", "content": "iso,vztmpl,import,snippets", "digest": emptyDigest}, 20*gib, 94*gib, nodes...)
	b.storage(Object{"storage": "local-lvm", "type": "lvmthin", "vgname": "pve", "thinpool": "data", "content": "rootdir,images", "digest": emptyDigest}, 5000*gib, 14000*gib, nodes...)
	b.storage(Object{"storage": "backup", "type": "nfs", "server": "10.10.0.5", "export": "/backup", "path": "/mnt/pve/backup", "content": "backup", "shared": 1,
		"digest": emptyDigest}, 30000*gib, 80000*gib, nodes...)
}

func (b *builder) generateGuest(i int, o GenOptions) {
	kind := generatedKinds[b.rng.IntN(len(generatedKinds))]
	// Even shares, as a cluster whose owner balances it has; each round begins at another node.
	node := b.w.Nodes[(i+i/len(b.w.Nodes))%len(b.w.Nodes)].Name
	vmid, name := firstVMID+i, kind.name+"-"+strconv.Itoa(i)
	extra := Object{"tags": kind.tags}
	if b.rng.IntN(3) > 0 {
		extra["onboot"] = 1
	}
	if b.rng.IntN(4) == 0 {
		extra["description"] = "owner: team-" + strconv.Itoa(b.rng.IntN(12)) + "\nsee the wiki page of " + name
	}
	var g *Guest
	if b.rng.IntN(3) == 0 && kind.os == "l26" {
		if d, ok := extra["description"].(string); ok {
			extra["description"] = d + "\n" // as the API answers that of a container (07/001)
		}
		g = b.container(vmid, node, name, kind.cores, kind.memory, 8+8*b.rng.IntN(4), "", extra)
	} else {
		extra["ostype"] = kind.os
		g = b.machine(vmid, node, name, kind.cores, kind.memory, 16+16*b.rng.IntN(8), extra)
	}
	switch b.rng.IntN(4) {
	case 0:
		g.Pool = "dev"
	case 1, 2:
		g.Pool = "prod"
	}
	if b.rng.IntN(100) < 85 {
		b.run(g, time.Duration(1+b.rng.IntN(2000))*time.Hour, b.rng.Float64()*0.4)
		b.generateAgent(g, kind.os)
	}
	if b.rng.IntN(100) < o.Snapshots {
		b.snapshots(g, 1+b.rng.IntN(3))
	}
	g.redigest()
	g.prev = nil
}

// silentAgents is of how many machines one has no agent although its configuration says so: who asks it waits (agentWait).
const silentAgents = 16

func (b *builder) generateAgent(g *Guest, os string) {
	if g.Type != typeQEMU || g.VMID%silentAgents == 0 {
		return
	}
	pretty := "Debian GNU/Linux 13 (trixie)"
	if os != "l26" {
		pretty = "Windows 11 Pro"
	}
	b.agent(g, fmt.Sprintf("10.20.%d.%d", g.VMID/250, 1+g.VMID%250), pretty)
}

func (b *builder) snapshots(g *Guest, n int) {
	for i := range n {
		s := b.w.AddSnapshot(g.VMID, "snap"+strconv.Itoa(i+1), "before update "+strconv.Itoa(i+1))
		s.Time = b.now.Add(-time.Duration(n-i) * 72 * time.Hour)
		s.Config["snaptime"] = s.Time.Unix()
	}
}

func (b *builder) generateTasks(n *Node) {
	for i := range generatedTasks {
		at := b.now.Add(-time.Duration(generatedTasks-i) * 17 * time.Minute)
		id := strconv.Itoa(firstVMID + b.rng.IntN(max(1, len(b.w.guests))))
		exit, kind := "OK", []string{"vzdump", "qmstart", "qmsnapshot", "qmshutdown"}[b.rng.IntN(4)]
		if b.rng.IntN(20) == 0 {
			exit = "job errors"
		}
		b.w.AddTaskAt(at, time.Duration(5+b.rng.IntN(300))*time.Second, n.Name, kind, id, rootUser, exit)
	}
}
