package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// recordedToken is the root token of the recorded test world, canaryPassword the cipassword that guest 100 has there: masked in its
// configuration, in clear in its snapshot's.
const (
	recordedToken  = "root@pam!acc=a0000000-0000-4000-8000-000000000001"
	canaryPassword = "geheim123"
)

// world is the part of the recorded world that answers are compared with.
type world struct {
	Guests []struct {
		VMID   int
		Type   string
		Node   string
		Config pve.Config
		Status struct{ Status string } `json:"status_current"`
		Snaps  []struct{ Name string } `json:"snapshots"`
	}
	Nodes []struct {
		Node    string
		Storage []struct{ Storage string }
	}
	Cluster struct{ Tasks []pve.TaskRow }
}

func readWorld(t *testing.T) world {
	t.Helper()
	raw, err := os.ReadFile(shared(t, "pve", "recordings", "02-cluster-and-node-reads", "world.json"))
	if err != nil {
		t.Fatal(err)
	}
	return decode[world](t, string(raw))
}

type guestJSON struct {
	VMID      int
	Type      string
	Node      string
	State     string
	Template  bool
	Config    pve.Config
	Snapshots []struct{ Name string }
}

// TestRecordedWorld syncs the world recorded from a real Proxmox VE and finds exactly what it holds.
func TestRecordedWorld(t *testing.T) {
	w := readWorld(t)
	cl := startCluster(t, recordedWorld(t), recordedToken)
	type synced struct {
		Clusters []struct {
			Guests int `json:"guests_total"`
			Kinds  []struct {
				Kind    string
				Created int
			}
		}
	}
	created := func() (guests, n int) {
		c := decode[synced](t, cl.cli(t, "sync", "-o", "json")).Clusters[0]
		for _, k := range c.Kinds {
			n += k.Created
		}
		return c.Guests, n
	}
	if guests, n := created(); guests != len(w.Guests) || n < guests {
		t.Errorf("sync: %d guests, %d objects created, want %d guests", guests, n, len(w.Guests))
	}
	if _, n := created(); n != 0 {
		t.Errorf("a second sync created %d", n)
	}
	list := decode[struct{ Rows [][]any }](t, cl.cli(t, "guest", "list", "-o", "json"))
	if len(list.Rows) != len(w.Guests) {
		t.Errorf("%d guests listed, want %d", len(list.Rows), len(w.Guests))
	}
	for _, want := range w.Guests {
		got := decode[guestJSON](t, cl.cli(t, "guest", "show", fmt.Sprint(want.VMID), "--detail", "full", "-o", "json"))
		if got.Type != pve.GuestType(want.Type).Short() || got.Node != want.Node {
			t.Errorf("guest %d is %s on %s, want %s on %s", want.VMID, got.Type, got.Node, want.Type, want.Node)
		}
		state := want.Status.Status
		if want.Config.Bool("template") {
			state = "template"
		}
		if got.State != state {
			t.Errorf("guest %d is %s, want %s", want.VMID, got.State, state)
		}
		if diff := cmp.Diff(texts(want.Config), texts(got.Config)); diff != "" {
			t.Errorf("configuration of %d (-world +answer):\n%s", want.VMID, diff)
		}
		if len(got.Snapshots) != len(want.Snaps)-1 {
			t.Errorf("guest %d has %d snapshots, want %d", want.VMID, len(got.Snapshots), len(want.Snaps)-1)
		}
	}
	checkStorages(t, cl, w)
	for _, task := range w.Cluster.Tasks {
		got := decode[struct{ UPID, Type, Exit string }](t, cl.cli(t, "task", "show", task.UPID, "-o", "json"))
		if got.UPID != task.UPID || got.Type != string(task.Type) || got.Exit != string(task.Status) {
			t.Errorf("task %s: %+v", task.UPID, got)
		}
	}
}

// texts is a configuration without line ends at the end of values, which cleaning takes from notes.
func texts(c pve.Config) map[string]string {
	out := map[string]string{}
	for _, k := range slices.Collect(maps.Keys(c)) {
		raw, _ := json.Marshal(c[k])
		out[k] = c.Str(k)
		if out[k] == "" {
			out[k] = string(raw)
		}
		for len(out[k]) > 0 && out[k][len(out[k])-1] == '\n' {
			out[k] = out[k][:len(out[k])-1]
		}
	}
	return out
}

func checkStorages(t *testing.T, cl *cluster, w world) {
	t.Helper()
	o := decode[struct {
		Clusters []struct {
			Storages []struct{ Name string }
		}
	}](t, cl.cli(t, "overview", "-o", "json"))
	var got, want []string
	for _, s := range o.Clusters[0].Storages {
		got = append(got, s.Name)
	}
	for _, s := range w.Nodes[0].Storage {
		want = append(want, s.Storage)
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("storages (-world +answer):\n%s", diff)
	}
}
