package app

import (
	"strconv"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// The account that the fault matrix reads with: what init proposes, an auditor. Its secrets must show nowhere.
const (
	matrixUser     = "mcp@pve"
	matrixToken    = "matrix"
	matrixSecret   = "0badcafe-1111-4bad-8bad-c0ffee000001" //nolint:gosec // guards nothing
	matrixPassword = "hunter2-matrix-password"              //nolint:gosec // guards nothing
)

// Guests of the matrix's world that rows speak of: one running machine on each node.
const (
	onNode1, onNode2, onNode3 = 1000, 1001, 1002
	templateID                = 1005
	stoppedID                 = 1003
)

// matrixWorld is a cluster of three nodes and twelve guests without any finding: what check_health says under a fault is of the fault.
func matrixWorld(t testing.TB) *pvesim.World {
	t.Helper()
	w := pvesim.GenerateWorld(pvesim.GenOptions{Seed: 5, Nodes: 3, Guests: 12, Now: bubbleNow()})
	w.Cluster.Lists["backup_jobs"] = []pvesim.Object{{"id": "nightly", "type": "vzdump", "enabled": 1, "schedule": "02:30", "storage": "backup", "all": 1}}
	for _, n := range w.Nodes {
		for _, task := range n.Tasks {
			task.Exit = "OK"
		}
	}
	for i, g := range w.Guests() {
		w.MoveGuest(g.VMID, w.Nodes[i%3].Name)
		status := "running"
		if g.VMID == stoppedID || g.VMID == templateID || i == 10 {
			status = "stopped"
			w.SetConfig(g.VMID, "onboot", nil)
		}
		w.SetStatus(g.VMID, status)
	}
	w.SetConfig(templateID, "template", 1)
	addVolumes(w)
	w.AddSnapshot(onNode2, "before", "before the update")
	w.AddSnapshot(stoppedID, "clean", "")
	w.AddUser(matrixUser, matrixPassword)
	w.AddToken(matrixUser, matrixToken, matrixSecret, true)
	w.Access.Roles = append(w.Access.Roles, pvesim.Object{"roleid": "LogReader", "privs": "Sys.Syslog"}) // PVEAuditor may not read journals
	grantAll(w)
	return w
}

// orphanDisk is a disk of a guest that does not exist, the only one of its kind in the matrix's world.
const orphanDisk = "local-lvm:vm-4711-disk-0"

// addVolumes gives one guest a backup of yesterday and one node the orphan.
func addVolumes(w *pvesim.World) {
	at := bubbleNow().Add(-24 * time.Hour)
	backup := pvesim.Object{"volid": "backup:backup/vzdump-qemu-" + strconv.Itoa(onNode1) + "-" + at.Format("2006_01_02-15_04_05") + ".vma.zst", "content": "backup",
		"format": "vma.zst", "subtype": w.Guest(onNode1).Type, "vmid": onNode1, "ctime": at.Unix(), "size": 1 << 30}
	for _, n := range w.Nodes {
		n.Content["backup"] = append(n.Content["backup"], backup)
	}
	n := w.Node("node02")
	n.Content["local-lvm"] = append(n.Content["local-lvm"], pvesim.Object{"volid": orphanDisk, "content": "images", "format": "raw", "vmid": 4711, "size": 8 << 30})
}

// grantAll gives the matrix's account all that the tools need.
func grantAll(w *pvesim.World) {
	grant(w, "/", "PVEAuditor")
	grant(w, "/", "LogReader")
}

// grant gives the matrix's account a role; its token is separated, so that both need it.
func grant(w *pvesim.World, path, role string) {
	w.AddACL(path, "user", matrixUser, role, true)
	w.AddACL(path, "token", matrixUser+"!"+matrixToken, role, true)
}

// revoke takes all rights of the account away.
func revoke(w *pvesim.World) {
	w.RemoveACL("", matrixUser)
	w.RemoveACL("", matrixUser+"!"+matrixToken)
}

// fact is what is true of a guest.
type fact struct {
	Name, Type, Node, Status string
	Template                 bool
	paused                   bool // which only its own status tells
}

// Equal compares what the store keeps.
func (f fact) Equal(g fact) bool { f.paused, g.paused = false, false; return f == g }

func (f fact) state() string {
	if f.Template {
		return "template"
	}
	return f.Status
}

// truth reads the world. Names are as answers show them.
func truth(sim *pvesim.Sim) map[int]fact {
	out := map[int]fact{}
	sim.Update(func(w *pvesim.World) {
		for _, g := range w.Guests() {
			out[g.VMID] = fact{Name: shownName(g.Name()), Type: g.Type, Node: g.Node, Status: g.Status(), Template: g.Template(), paused: g.Live.Paused}
		}
	})
	return out
}

// stored is what the store says of the guests that exist in it. Nothing may be gone, and each is in its first life, but for the guest reborn.
func stored(t testing.TB, db *store.DB, reborn int) map[int]fact {
	t.Helper()
	rows, err := db.Guests(t.Context(), store.GuestFilter{WithGone: true})
	if err != nil {
		t.Fatal(err)
	}
	out := map[int]fact{}
	for _, g := range rows {
		if g.VMID == reborn && !g.GoneAt.IsZero() {
			continue
		}
		if !g.GoneAt.IsZero() || g.Life != 1 && g.VMID != reborn {
			t.Errorf("I1: guest %d is stored as gone at %v, life %d", g.VMID, g.GoneAt, g.Life)
		}
		out[g.VMID] = fact{Name: g.Name, Type: g.Type, Node: g.Node, Status: g.Status, Template: g.Template}
	}
	return out
}

// history is every change in the store as "what kind/id field old>new", newest first.
func history(t testing.TB, db *store.DB) []string {
	t.Helper()
	rows, err := db.Changes(t.Context(), store.HistoryFilter{Since: bubbleNow().AddDate(-9, 0, 0), Limit: 5000})
	if err != nil {
		t.Fatal(err)
	}
	out := make([]string, 0, len(rows))
	for _, c := range rows {
		line := c.What + " " + string(c.Kind) + "/" + c.Ref.ID
		if c.Field != "" {
			line += " " + c.Field
		}
		out = append(out, line+" life "+strconv.Itoa(c.Life))
	}
	return out
}

// handles are short names of tasks that rows ask for: one that ended on node01 and one that runs on node03.
type handles struct{ ended, running string }

func addTasks(w *pvesim.World) handles {
	a := w.AddTaskAt(w.Now().Add(-600e9), 4e9, "node01", "qmstart", strconv.Itoa(onNode1), "root@pam", "OK", "started")
	b := w.AddTask("node03", "vzdump", strconv.Itoa(onNode3), "root@pam", "", "INFO: status = running", "INFO:  12% (1.2 GiB of 10.0 GiB) in 3s")
	return handles{ended: pve.TaskHandle(a.UPID), running: pve.TaskHandle(b.UPID)}
}
