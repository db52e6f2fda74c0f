package e2e

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// infrastructure is a folder of Terraform's configuration of things that are no guests: created.tfvars makes them, changed.tfvars
// changes some, imports/imports.tf takes them all over.
type infrastructure struct {
	folder string
	// created and changed are what Terraform says of its two applies.
	created, changed string
	// lists are paths of the API that show what there is of these things.
	lists []string
}

// TestTerraformAccess manages pools, storages, users, groups, roles, rights, tokens and a realm.
func TestTerraformAccess(t *testing.T) {
	t.Parallel()
	infrastructure{folder: "access", created: "17 added, 0 changed, 0 destroyed", changed: "0 added, 11 changed, 0 destroyed",
		lists: []string{"/pools", "/cluster/resources", "/storage", "/access/users?full=1", "/access/groups", "/access/roles", "/access/acl", "/access/domains"}}.run(t)
}

// TestTerraformNodes manages networks, names and clocks of nodes, the datacenter's options, mappings, metric servers and backup jobs.
// Names and clocks stay as they are when Terraform destroys what manages them.
func TestTerraformNodes(t *testing.T) {
	t.Parallel()
	infrastructure{folder: "nodes", created: "16 added, 0 changed, 0 destroyed", changed: "0 added, 14 changed, 0 destroyed",
		lists: []string{"/nodes/pve1/network", "/nodes/pve2/network", "/nodes/pve3/config", "/cluster/options",
			"/cluster/mapping/usb", "/cluster/mapping/pci", "/cluster/mapping/dir", "/cluster/metrics/server", "/cluster/backup"}}.run(t)
}

// TestTerraformFirewall manages options, rules, groups, sets and aliases of the cluster, of a node and of guests. Destroying the
// options of the cluster or of a guest forgets them only.
func TestTerraformFirewall(t *testing.T) {
	t.Parallel()
	infrastructure{folder: "firewall", created: "12 added, 0 changed, 0 destroyed", changed: "1 added, 10 changed, 1 destroyed",
		lists: []string{"/cluster/firewall/rules", "/cluster/firewall/aliases", "/cluster/firewall/ipset", "/cluster/firewall/groups",
			"/nodes/pve1/firewall/options", "/nodes/pve2/firewall/rules", "/nodes/pve1/qemu/208/firewall/rules",
			"/nodes/pve1/qemu/208/firewall/aliases", "/nodes/pve2/lxc/107/firewall/ipset"}}.run(t)
}

// TestTerraformHA manages guests and rules of high availability.
func TestTerraformHA(t *testing.T) {
	t.Parallel()
	infrastructure{folder: "ha", created: "4 added, 0 changed, 0 destroyed", changed: "0 added, 4 changed, 0 destroyed",
		lists: []string{"/cluster/ha/resources", "/cluster/ha/rules"}}.run(t)
}

// TestTerraformSDN manages zones, virtual networks and subnets, which exist once they are applied.
func TestTerraformSDN(t *testing.T) {
	t.Parallel()
	infrastructure{folder: "sdn", created: "8 added, 0 changed, 0 destroyed", changed: "2 added, 2 changed, 2 destroyed",
		lists: []string{"/cluster/sdn/zones", "/cluster/sdn/vnets", "/cluster/sdn/zones?running=1", "/cluster/sdn/vnets?pending=1"}}.run(t)
}

// run creates, changes, forgets and imports, and destroys; Terraform has to find nothing to do after each, and in the end the cluster
// has to be as it was.
func (i infrastructure) run(t *testing.T) {
	t.Helper()
	tf := startTerraform(t, i.folder)
	s := startThreeNodes(t)
	before := s.answers(t, i.lists)
	token, password := s.credentials()
	tf.run(t, 0, token, "init")
	tf.apply(t, password, "created.tfvars", i.created)
	tf.apply(t, token, "changed.tfvars", i.changed)
	tf.readopt(t, s, token, "changed.tfvars")
	tf.destroy(t, password, "changed.tfvars")
	if diff := cmp.Diff(before, s.answers(t, i.lists)); diff != "" {
		t.Errorf("the cluster before and after: %s", diff)
	}
}

var importTo = regexp.MustCompile(`(?m)^\s*to\s*=\s*(\S+)$`)

// readopt makes Terraform forget what the configuration's imports name and import it again, which has to change nothing: neither does
// Terraform see a difference nor does it send anything but reads.
func (tf *terraform) readopt(t *testing.T, s *simulated, env []string, file string) {
	t.Helper()
	from := filepath.Join(tf.dir, "imports", "imports.tf")
	text, err := os.ReadFile(from)
	if err == nil {
		err = os.Rename(from, filepath.Join(tf.dir, "imports.tf"))
	}
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"state", "rm"}
	for _, m := range importTo.FindAllStringSubmatch(string(text), -1) {
		args = append(args, m[1])
	}
	tf.run(t, 0, env, args...)
	writes := len(s.writes())
	tf.apply(t, env, file, strconv.Itoa(len(args)-2)+" imported, 0 added, 0 changed, 0 destroyed")
	if sent := s.writes()[writes:]; len(sent) > 0 {
		t.Errorf("the import sent %s", strings.Join(sent, "\n"))
	}
}

// writes lists the requests that were no reads.
func (s *simulated) writes() []string {
	return slices.DeleteFunc(s.log.matching(""), func(r string) bool { return strings.HasPrefix(r, "GET ") })
}

// answers reads paths as root, digests left out.
func (s *simulated) answers(t *testing.T, paths []string) map[string]any {
	t.Helper()
	seen := map[string]any{}
	for _, path := range paths {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/api2/json"+path, nil)
		r.Header.Set("Authorization", "PVEAPIToken="+s.tokenID+"="+s.tokenSecret)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			t.Fatalf("GET %s: %d %s", path, w.Code, w.Body)
		}
		seen[path] = stable(decode[struct{ Data any }](t, w.Body.String()).Data)
	}
	return seen
}

// unstable are keys of answers that tell of more than what is configured.
var unstable = []string{"digest", "uptime", "cpu", "mem", "memhost", "disk", "netin", "netout", "diskread", "diskwrite"}

// stable is an answer without its unstable keys.
func stable(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = stable(v[i])
		}
	case map[string]any:
		for _, k := range unstable {
			delete(v, k)
		}
		for k := range v {
			v[k] = stable(v[k])
		}
	}
	return v
}
