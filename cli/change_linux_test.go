package cli_test

import (
	"strings"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
)

// TestChangeCommands: what a change ended with is told by the exit code, and a person at a terminal is asked, nobody else.
func TestChangeCommands(t *testing.T) {
	r := operated(t, "destructive")
	runs := func(vmid int) (is bool) {
		r.sim.Update(func(w *pvesim.World) { is = w.Guest(vmid).Live.Running })
		return is
	}
	step := func(want int, holds string, args ...string) string {
		t.Helper()
		out, errOut, code := r.run(t.Context(), args...)
		if code != want || !strings.Contains(out+errOut, holds) {
			t.Errorf("%q: exit code %d, want %d and %q\n%s%s", args, code, want, holds, out, errOut)
		}
		return out
	}
	step(0, "it is running", "guest", "power", "208", "start")
	step(0, "nothing to do", "guest", "power", "208", "start")
	step(0, "dry run", "guest", "power", "208", "stop", "--dry-run")
	out := step(5, "plan apply p-", "guest", "power", "208", "stop")
	if !runs(208) {
		t.Error("a disruptive change ran without anybody's yes")
	}
	id := planID.FindString(out)
	step(0, "planned", "plan", "show", id)
	step(0, "it is stopped", "plan", "apply", id)
	step(5, "waits for an operator", "guest", "delete", "208")

	id = planID.FindString(step(7, "it runs", "guest", "power", "208", "start", "--wait-s", "0"))
	for began := time.Now(); !runs(208); time.Sleep(50 * time.Millisecond) { // the task that was sent takes its time
		if time.Since(began) > 20*time.Second {
			t.Fatal("a change that nobody waits for was not sent")
		}
	}
	step(0, "it is running", "plan", "show", id, "--wait-s", "30")
	step(0, "it is stopped", "plan", "apply", planID.FindString(step(5, "plan apply", "guest", "power", "208", "stop")))

	yes := func(answer string, want int, args ...string) string {
		t.Helper()
		out, said, code := r.person(t, [][2]string{{"apply? [y/N] ", answer}}, args...)
		if code != want || !strings.Contains(said, args[3]) {
			t.Errorf("%q answered %q: exit code %d, want %d\n%s%s", args, answer, code, want, out, said)
		}
		return out
	}
	yes("", 4, "guest", "power", "207", "stop")
	yes("n", 4, "guest", "power", "207", "stop")
	if !runs(207) {
		t.Error("stopped although nobody agreed")
	}
	yes("y", 0, "guest", "power", "207", "stop")
	if runs(207) {
		t.Error("not stopped although a person agreed")
	}
	plan := planID.FindString(step(5, "memory 2048 > 3072", "guest", "update", "208", "--memory-mib", "3072"))
	r.sim.Update(func(w *pvesim.World) { w.SetConfig(208, "cores", 3) })
	step(8, "cores was 2, is 3", "plan", "apply", plan)
}
