package pvesim

import (
	"strings"
	"testing"
	"time"
)

// TestOptionsShown: property strings are shown taken apart with numbers for booleans only, and a metric server tells of itself that it is
// off.
func TestOptionsShown(t *testing.T) {
	r := newRig(t, DemoWorld(time.Now()), WithoutDelays())
	defer r.stop()
	r.must("POST", "/cluster/backup", "id=job", "schedule=03:00", "all=1", "storage=nas-backup", "fleecing=enabled=on,storage=local-lvm", "performance=max-workers=4")
	r.must("PUT", "/cluster/options", "crs=ha=static,ha-rebalance-on-start=1")
	r.must("POST", "/cluster/metrics/server/graphs", "type=influxdb", "server=192.168.1.33", "port=8089", "disable=1")
	for path, parts := range map[string][]string{
		"/cluster/backup/job":            {`"fleecing":{"enabled":1,"storage":"local-lvm"}`, `"performance":{"max-workers":"4"}`},
		"/cluster/options":               {`"crs":{"ha":"static","ha-rebalance-on-start":1}`},
		"/cluster/metrics/server/graphs": {`"disable":1`},
	} {
		for _, part := range parts {
			if got := r.get(path).body; !strings.Contains(got, part) {
				t.Errorf("GET %s: %s, want %s", path, got, part)
			}
		}
	}
}
