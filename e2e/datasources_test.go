package e2e

import (
	"fmt"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
)

// outputs is what terraform output -json prints of the folder reads.
type outputs struct {
	Release struct{ Value string }
	Nodes   struct{ Value map[string]sourceNode }
	Guests  struct{ Value map[string]string }
	Pools   struct{ Value map[string][]string }
	Names   struct{ Value map[string][]string }
}

type sourceNode struct {
	CPUs, Memory                 int64
	Domain                       string
	TimeZone                     string `json:"time_zone"`
	Hostnames, Datastores, Files []string
}

// TestTerraformDataSources reads three nodes and what is on them, and compares it with the world.
func TestTerraformDataSources(t *testing.T) {
	t.Parallel()
	tf := startTerraform(t, "reads")
	s := startThreeNodes(t)
	token, _ := s.credentials()
	tf.run(t, 0, token, "init")
	tf.run(t, 0, token, "apply", "-auto-approve")
	if diff := cmp.Diff(s.sources(), decode[outputs](t, tf.run(t, 0, token, "output", "-json"))); diff != "" {
		t.Error(diff)
	}
	if sent := s.writes(); len(sent) > 0 {
		t.Errorf("data sources sent %v", sent)
	}
}

// sources is what the data sources have to tell.
func (s *simulated) sources() (o outputs) {
	o.Release.Value = "9.2"
	o.Nodes.Value, o.Guests.Value, o.Pools.Value = map[string]sourceNode{}, map[string]string{}, map[string][]string{}
	s.Update(func(w *pvesim.World) {
		for _, n := range w.Nodes {
			o.Nodes.Value[n.Name] = sourceNodeOf(n)
		}
		for _, p := range w.Pools {
			o.Pools.Value[p.ID] = []string{}
			for _, store := range p.Storages {
				o.Pools.Value[p.ID] = append(o.Pools.Value[p.ID], "storage/pve1/"+store)
			}
		}
		for _, g := range w.Guests() {
			tags, _ := g.Config["tags"].(string)
			o.Guests.Value[strconv.Itoa(g.VMID)] = fmt.Sprintf("%s %s %s %s", g.Name(), g.Node, g.Status(), tags)
			if g.Pool != "" {
				o.Pools.Value[g.Pool] = append(o.Pools.Value[g.Pool], g.Type+"/"+strconv.Itoa(g.VMID))
			}
		}
		o.Names.Value = map[string][]string{"users": {"root@pam", "viewer@pve"}, "jobs": {"backup-nightly", "backup-pve3"}, "ha": {"vm:203"}}
	})
	for _, members := range o.Pools.Value {
		slices.Sort(members)
	}
	return o
}

func sourceNodeOf(n *pvesim.Node) sourceNode {
	o := sourceNode{Domain: "home.lan", TimeZone: "Europe/Berlin", Hostnames: []string{"localhost", n.Name + ".home.lan", n.Name}, Files: []string{}}
	status, _ := n.Info["status"].(pvesim.Object)
	cpu, _ := status["cpuinfo"].(pvesim.Object)
	memory, _ := status["memory"].(pvesim.Object)
	o.CPUs, o.Memory = size(cpu["cpus"]), size(memory["total"])
	for _, store := range n.Storage {
		o.Datastores = append(o.Datastores, fmt.Sprint(store["storage"]))
	}
	slices.Sort(o.Datastores)
	for _, v := range n.Content["local"] {
		o.Files = append(o.Files, fmt.Sprint(v["volid"]))
	}
	slices.Sort(o.Files)
	return o
}
