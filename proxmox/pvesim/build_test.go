package pvesim

import (
	"strings"
	"testing"
	"time"
)

// TestMadeVolumes: in worlds that are made, the volumes that guests name are there, and no others belong to guests.
func TestMadeVolumes(t *testing.T) {
	for name, w := range map[string]*World{"demo": DemoWorld(time.Now()), "generated": GenerateWorld(GenOptions{Seed: 3, Guests: 60})} {
		named := map[string]bool{}
		for _, g := range w.Guests() {
			for key, v := range g.Config {
				volid := driveVolume(text(v))
				if !isVolume(key) || !strings.Contains(volid, ":") {
					continue
				}
				named[g.Node+" "+volid] = true
				for _, r := range w.Cluster.Lists[replications] { // has copies of it
					if integer(r["guest"]) == int64(g.VMID) {
						named[text(r["target"])+" "+volid] = true
					}
				}
				if w.Node(g.Node).volume(volid) == nil {
					t.Errorf("%s: %s of %d is not on its storage: %s", name, key, g.VMID, volid)
				}
			}
		}
		for _, n := range w.Nodes {
			for _, rows := range n.Content {
				for _, v := range rows {
					if id := n.Name + " " + text(v["volid"]); has(v, "vmid") && v["content"] != "backup" && !named[id] {
						t.Errorf("%s: nobody names %s", name, id)
					}
				}
			}
		}
	}
}
