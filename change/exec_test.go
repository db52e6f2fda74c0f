package change

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/argv"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
)

const execTag = "mcp-exec"

func execRules(rules ...string) ExecRules {
	x := ExecRules{Tag: execTag}
	for _, text := range rules {
		r, err := argv.Parse(text)
		if err != nil {
			panic(err)
		}
		x.Allow = append(x.Allow, r)
	}
	return x
}

// opted gives a guest the tag that lets programs be run in it.
func opted(w *pvesim.World, vmid int) {
	w.SetConfig(vmid, "tags", execTag+";web")
	w.SetConfig(vmid, "agent", "1")
	w.Guest(vmid).Agent.Running = true
}

// execSamples are programs in guests.
func execSamples() []sample {
	return []sample{
		{name: "program", of: likeRunning, prep: opted, action: Exec{Command: []string{"echo", "hello", "two words"}}, blind: true, hidden: true,
			worked: func(w *pvesim.World, was *then) bool { g := w.Guest(was.vmid); return g != nil && g.Programs() == 1 }},
	}
}

// TestExec runs programs in a guest and looks at what is said of them.
func TestExec(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, r *rig) {
		r.sim.Update(func(w *pvesim.World) { opted(w, likeRunning) })
		for _, c := range []struct {
			command []string
			state   string
			exit    int
			out     string
			err     string
		}{
			{[]string{"echo", "hello", "two words"}, Done, 0, "hello two words", ""},
			{[]string{"cat", "/etc/nope"}, Done, 1, "", "cat: /etc/nope"},
			{[]string{"nosuch"}, Failed, 0, "", ""},
			{[]string{"sleep", "30"}, Done, 0, "", ""},
			{[]string{"sleep", "900"}, Unknown, 0, "", ""},
		} {
			p := r.propose(likeRunning, Exec{Command: c.command})
			if p.Body.Tier != Disruptive || p.Verdict.Decision != Confirm {
				t.Errorf("%v: %s, %s", c.command, p.Body.Tier, p.Verdict.Decision)
			}
			done := r.apply(p.ID)
			if done.State != c.state {
				t.Errorf("%v: %s: %s", c.command, done.State, done.Note)
				continue
			}
			if c.state != Done {
				continue
			}
			out := resultOf(done.Journal[0]).Output
			if out == nil || out.ExitCode == nil || *out.ExitCode != c.exit || !strings.HasPrefix(out.Stdout, c.out) || !strings.HasPrefix(out.Stderr, c.err) {
				t.Errorf("%v: %+v", c.command, out)
			}
		}
	})
}

// TestExecRefused: what no rule allows, guests without the tag, what cannot arrive as it is, and changes that would open a guest.
func TestExecRefused(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, r *rig) {
		const plain = 206
		r.sim.Update(func(w *pvesim.World) {
			opted(w, likeRunning)
			opted(w, likeStopped)
			opted(w, likeContainer)
		})
		ok := []string{"echo", "x"}
		ask := func(guest int, a Action) error {
			_, err := r.Propose(t.Context(), Request{Tool: "test", Guest: fmt.Sprint(guest), Action: a, Caller: agent})
			return err
		}
		for _, c := range []struct {
			name  string
			guest int
			a     Action
			code  fault.Code
			says  string
		}{
			{"no rule", likeRunning, Exec{Command: []string{"rm", "-rf", "/"}}, fault.Denied, "no rule allows to run rm"},
			{"an option in place of a name", likeRunning, Exec{Command: []string{"sleep", "-h"}}, fault.Denied, "no rule allows"},
			{"no tag", plain, Exec{Command: ok}, fault.Denied, "without the tag mcp-exec"},
			{"stopped", likeStopped, Exec{Command: ok}, fault.Conflict, "is stopped"},
			{"container", likeContainer, Exec{Command: ok}, fault.Conflict, "container, which has no guest agent"},
			{"one line", likeRunning, Exec{Command: []string{"echo x"}}, fault.Invalid, "a list"},
			{"nothing", likeRunning, Exec{}, fault.Invalid, "a list"},
			{"control characters", likeRunning, Exec{Command: []string{"echo", "a\nb"}}, fault.Invalid, "ASCII"},
			{"other letters", likeRunning, Exec{Command: []string{"echo", "10 €"}}, fault.Invalid, "ASCII"},
			{"a secret", likeRunning, Exec{Command: []string{"echo", "--password=secret:ci"}}, fault.Invalid, "no secrets"},
			{"what looks like one", likeRunning, Exec{Command: []string{"echo", "--password=hunter2-hunter2"}}, fault.Invalid, "no secrets"},
			{"the tag, by tags", plain, Tags{Verb: "add", Tags: []string{execTag}}, fault.Denied, execTag},
			{"the tag, in capitals", plain, Configure{Set: map[string]string{"tags": "MCP-Exec"}}, fault.Denied, execTag},
			{"the tag, for a clone", plain, Clone{NewName: "copy", Set: map[string]string{"tags": execTag}}, fault.Denied, execTag},
			{"the tag, taken away", likeRunning, Tags{Verb: "remove", Tags: []string{execTag}}, fault.Denied, execTag},
		} {
			err := ask(c.guest, c.a)
			if fault.CodeOf(err) != c.code || !strings.Contains(fault.Of(err).Error(), c.says) {
				t.Errorf("%s: %v", c.name, err)
			}
		}
		_, err := r.Propose(t.Context(), Request{Tool: "test", Caller: agent, Direct: Create{Cluster: "home", Node: home, Label: "made", Type: pve.Qemu, VMID: 4000, Tags: []string{execTag},
			Params: []Param{{"memory", "512"}, {"tags", execTag}}}})
		if fault.CodeOf(err) != fault.Denied {
			t.Errorf("a machine is made with the tag: %v", err)
		}
		if n := r.sim.Stats().Writes; n != 0 {
			t.Errorf("%d writes", n)
		}
		r.sheriff.Rules.Exec = ExecRules{}
		if err := ask(likeRunning, Exec{Command: ok}); fault.CodeOf(err) != fault.Denied || !strings.Contains(err.Error(), "is off") {
			t.Errorf("off: %v", err)
		}
	})
}

// TestExecTagGone: the tag is asked for again on live state.
func TestExecTagGone(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, r *rig) {
		r.sim.Update(func(w *pvesim.World) { opted(w, likeRunning) })
		p := r.propose(likeRunning, Exec{Command: []string{"echo", "x"}})
		r.sim.Update(func(w *pvesim.World) { w.SetConfig(likeRunning, "tags", "web") })
		if done := r.apply(p.ID); done.State != Stale || r.sim.Stats().Writes != 0 {
			t.Errorf("%s: %s", done.State, done.Note)
		}
	})
}

// TestExecUnanswered: an agent that does not answer in its time may have started the program: it is not started again, and the end is told
// as unknown. One that is not there has started nothing.
func TestExecUnanswered(t *testing.T) {
	t.Parallel()
	for reason, want := range map[string]string{
		"VM 207 qga command 'guest-exec' failed - got timeout": Unknown,
		"QEMU guest agent is not running":                      Failed,
	} {
		bubble(t, func(t *testing.T, r *rig) {
			r.sim.Update(func(w *pvesim.World) { opted(w, likeRunning) })
			p := r.propose(likeRunning, Exec{Command: []string{"echo", "x"}})
			f := pvesim.ProxyError(500, reason)
			f.Method, f.Path = "POST", "/nodes/*/qemu/*/agent/exec"
			defer r.sim.AddFault(f)()
			began := time.Now()
			if done := r.apply(p.ID); done.State != want || time.Since(began) > time.Minute || r.sim.Stats().Writes > 1 {
				t.Errorf("%s: %s (%s) after %s, %d writes", reason, done.State, done.Note, time.Since(began), r.sim.Stats().Writes)
			}
		})
	}
}

// TestOutput: what is kept of an output is bounded, whole letters, and text as the guest wrote it.
func TestOutput(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in, want string
		cut      bool
	}{
		{"w\u00c3\u00b6rld\n", "wörld", false},
		{"stdin text\n\u00fc", "stdin text\nü", false},
		{"10 €", "10 €", false},
		{strings.Repeat("x", maxOutput), strings.Repeat("x", maxOutput), false},
		{strings.Repeat("\u00c3\u00b6", maxOutput), strings.Repeat("ö", maxOutput/2), true},
		{"x" + strings.Repeat("\u00c3\u00b6", maxOutput), "x" + strings.Repeat("ö", maxOutput/2-1), true},
		{"user=x\npassword=hunter2-hunter2\nend", "user=x\npassword=**********\nend", false},
		{"a\x1b[31mb\u202ec", "abc", false},
	} {
		var o Output
		if got := o.keep(c.in); got != c.want || o.Cut != c.cut {
			t.Errorf("%.20q: %.40q (%d), cut %v", c.in, got, len(got), o.Cut)
		}
	}
}
