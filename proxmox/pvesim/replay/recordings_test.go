package replay

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// recorded are the scenarios, how many exchanges each has, and the share that has to agree.
var recorded = []struct {
	name  string
	total int
	min   float64
}{
	{"01-auth-and-protocol", 91, 90},
	{"02-cluster-and-node-reads", 112, 90},
	{"03-qemu-lifecycle", 127, 97},
	{"04-qemu-config", 128, 97},
	{"05-qemu-disks", 108, 97},
	{"06-lxc-lifecycle", 87, 97},
	{"07-lxc-config-and-volumes", 100, 97},
	{"08-snapshots-clones-templates", 145, 97},
	{"09-backup-restore-prune", 123, 97},
	{"10-tasks-locks-races", 99, 97},
	{"11-permissions-and-tokens", 170, 97},
	{"12-access-management", 114, 90},
	{"13-storage-and-upload", 79, 97},
	{"14-firewall", 112, 97},
	{"15-ha-sdn-jobs-pools-options", 153, 97},
	{"16-guest-agent", 79, 97},
}

// TestRecordings: the simulator agrees with the real Proxmox VE in each scenario, and over all of them also by distinct
// (method, path, status class), in writes and in errors; what differs is listed with its reason in differences.txt. It
// holds for the simulator's own parameter tables and for those of the API schema.
func TestRecordings(t *testing.T) {
	known := readDifferences(t)
	var total Tally
	for _, s := range recorded {
		t.Run(s.name, func(t *testing.T) {
			for _, schema := range []string{"", shared(t, "pve", "api-schema.json")} {
				r, err := Run(t.Context(), shared(t, "pve", "recordings", s.name), Options{SchemaFile: schema})
				if err != nil {
					t.Fatal(err)
				}
				known.check(t, r, schema)
				if r.All.Total != s.total || r.All.Percent() < s.min {
					t.Errorf("%s, want at least %.0f %% of %d", r.Tally, s.min, s.total)
				}
				t.Logf("with schema %t: %s", schema != "", r.Tally)
				if schema == "" {
					total.merge(r.Tally)
				}
			}
		})
	}
	t.Logf("all: %s", total)
	if total.Distinct().Percent() < 97 || total.Writes.Percent() < 95 || total.Errors.Percent() < 90 {
		t.Error("want 97 % of the distinct ones, 95 % of the writes, 90 % of the errors")
	}
}

// differences are the lines of differences.txt: scenario/exchange to whether it differs in each run.
type differences map[string]bool

func readDifferences(t *testing.T) differences {
	raw, err := os.ReadFile("differences.txt")
	if err != nil {
		t.Fatal(err)
	}
	list := differences{}
	for line := range strings.Lines(string(raw)) {
		id, reason, _ := strings.Cut(strings.TrimSpace(line), " ")
		if id == "" || id == "#" {
			continue
		}
		if len(reason) < 20 {
			t.Errorf("differences.txt: %s needs a reason", id)
		}
		name, sometimes := strings.CutPrefix(id, "~")
		list[name] = !sometimes
	}
	return list
}

// check compares a scenario's differences with the listed ones.
func (d differences) check(t *testing.T, r Result, schema string) {
	t.Helper()
	found := map[string]bool{}
	for _, x := range r.Differences {
		id := fmt.Sprintf("%s/%03d", x.Scenario, x.N)
		if found[id] = true; !has(d, id) {
			t.Errorf("schema %q: %s", schema, x)
		}
	}
	for id, always := range d {
		if strings.HasPrefix(id, r.Scenario+"/") && always && !found[id] {
			t.Errorf("schema %q: %s is listed in differences.txt and does not differ", schema, id)
		}
	}
}

func has(d differences, id string) bool { _, ok := d[id]; return ok }
