package pvesim

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestAgentSession: what a guest holds for its agent lives as long as the guest runs.
func TestAgentSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := lifeWorld()
		w.SetConfig(9001, "agent", "1")
		w.settleIn(w.Guest(9001))
		r := newRig(t, w)
		defer r.stop()
		const agent = "/qemu/9001/agent/"
		for _, step := range []struct{ request, want string }{
			{"POST " + agent + "ping", "500 VM 9001 is not running"},
			{"POST /qemu/9001/status/start", "OK"},
			{"POST " + agent + "file-write?file=/tmp/a&content=gr%C3%BCn", "<nil>"},
			{"GET " + agent + "file-read?file=/tmp/a", "map[bytes-read:4 content:grün]"},
			{"GET " + agent + "file-read?file=/tmp/a&count=2&offset=1", "map[bytes-read:2 content:rü]"},
			{"POST " + agent + "exec?command=echo&command=%C3%BC", "map[pid:1001]"},
			{"POST " + agent + "exec?command=cat&input-data=%C3%BC", "map[pid:1002]"},
			{"POST " + agent + "fsfreeze-freeze", "map[result:1]"},
			{"POST " + agent + "fsfreeze-status", "map[result:frozen]"},
			{"POST /qemu/9001/status/stop", "OK"},
			{"POST /qemu/9001/status/start", "OK"},
			{"POST " + agent + "fsfreeze-status", "map[result:thawed]"},
			{"GET " + agent + "exec-status?pid=1001", "500 Agent error: Invalid parameter 'pid'"},
			{"POST " + agent + "shutdown", "map[result:<nil>]"},
		} {
			if got := r.act(step.request); got != step.want {
				t.Errorf("%s: got %q, want %q", step.request, got, step.want)
			}
		}
		time.Sleep(2 * shutdownTime)
		if got := r.act("POST " + agent + "ping"); got != "500 VM 9001 is not running" {
			t.Errorf("after the agent's shutdown: %q", got)
		}
	})
}

// TestAgentSideBySide: each result is told to exactly one of those who ask at once.
func TestAgentSideBySide(t *testing.T) {
	w := lifeWorld()
	w.SetConfig(9001, "agent", "1")
	w.settleIn(w.Guest(9001))
	w.SetStatus(9001, "running")
	r := newRig(t, w)
	defer r.stop()
	r.act("POST /qemu/9001/agent/exec?command=true")
	time.Sleep(20 * time.Millisecond)
	var wg sync.WaitGroup
	got := make([]string, 8)
	for i := range got {
		wg.Go(func() { got[i] = r.act("GET /qemu/9001/agent/exec-status?pid=1001") })
	}
	wg.Wait()
	if n := strings.Count(fmt.Sprint(got), "exited:1"); n != 1 {
		t.Errorf("%d were told: %q", n, got)
	}
}
