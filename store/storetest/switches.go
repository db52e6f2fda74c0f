package storetest

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// testStop turns the emergency stop on and off: no step is sent meanwhile, one that is under way is still followed, every handle
// sees it, and it ends when it was told to.
func testStop(t *testing.T, s *suite) {
	stop := func(on bool, until time.Time) {
		t.Helper()
		if err := s.SetStop(t.Context(), on, until, "operator", "smoke", entry("stop", "")); err != nil {
			t.Fatal(err)
		}
	}
	s.save(t, plan("p-a"), 2)
	l := must2(s.AcquireLease(t.Context(), "plan/p-a", "run", time.Hour))(t)
	steps := planSteps("p-a", 2)
	for i := range steps {
		steps[i].State, steps[i].Sent = store.StepSent, t0
	}
	s.step(t, l, steps[0])
	same(t, "before", store.StopState{}, must(s.Stopped(t.Context()))(t))
	stop(true, time.Time{})
	want := store.StopState{On: true, Since: t0, By: "operator", Reason: "smoke"}
	same(t, "on", want, must(s.open(t).Stopped(t.Context()))(t))
	err := s.SaveStep(t.Context(), l, steps[1], entry("send", "p-a"))
	wantCode(t, err, fault.ReadOnly)
	if !strings.Contains(err.Error(), "emergency stop") {
		t.Errorf("message %q", err)
	}
	steps[0].UPID = "UPID:pve1:1:" // of what was sent before
	s.step(t, l, steps[0])
	steps[0].State = "done"
	s.step(t, l, steps[0], entry("done", "p-a"))

	stop(false, time.Time{})
	same(t, "off", store.StopState{}, must(s.Stopped(t.Context()))(t))
	want.Until = t0.Add(time.Minute)
	stop(true, want.Until)
	s.pass(time.Minute - time.Millisecond)
	same(t, "until then", want, must(s.Stopped(t.Context()))(t))
	wantCode(t, s.SaveStep(t.Context(), l, steps[1], entry("send", "p-a")), fault.ReadOnly)
	s.pass(time.Millisecond)
	same(t, "after", store.StopState{}, must(s.Stopped(t.Context()))(t))
	s.step(t, l, steps[1], entry("send", "p-a"))
	same(t, "audit", "plan stop done stop stop send", s.events(t))
}

// testStopRace sends steps on 4 handles while the stop is turned on: none is sent after it.
func testStopRace(t *testing.T, s *suite) {
	handles := []Store{s.Store, s.open(t), s.open(t), s.open(t)}
	var stopped atomic.Bool
	var wg sync.WaitGroup
	for i, h := range handles {
		id := fmt.Sprintf("p-%d", i)
		s.save(t, plan(id), 20)
		l := must2(s.AcquireLease(t.Context(), "plan/"+id, "run", time.Hour))(t)
		wg.Go(func() {
			for _, step := range planSteps(id, 20) {
				step.State, step.Sent = store.StepSent, t0
				late := stopped.Load()
				err := h.SaveStep(t.Context(), l, step, entry("send", id))
				if late && err == nil || err != nil && fault.CodeOf(err) != fault.ReadOnly {
					t.Errorf("step %d of %s, begun after the stop: %v: %v", step.N, id, late, err)
				}
			}
		})
	}
	if err := handles[3].SetStop(t.Context(), true, time.Time{}, "operator", "", entry("stop", "")); err != nil {
		t.Error(err)
	}
	stopped.Store(true)
	wg.Wait()
	if after := must(s.Audit(t.Context(), store.AuditFilter{Limit: 1}))(t); after[0].Event != "stop" {
		t.Errorf("%s after the stop", after[0].Event)
	}
}

// testSettings sets and overwrites a setting.
func testSettings(t *testing.T, s *suite) {
	if v, ok, err := s.Setting(t.Context(), "operator"); v != "" || ok || err != nil {
		t.Errorf("never set: %q, %v, %v", v, ok, err)
	}
	for _, value := range []string{"$argon2id$v=19$m=1,t=1,p=1$c2FsdA$aGFzaA", "", "again?'"} {
		if err := s.SetSetting(t.Context(), "operator", value, entry("setting", "")); err != nil {
			t.Fatal(err)
		}
		same(t, "set", value, must2(s.open(t).Setting(t.Context(), "operator"))(t))
	}
	same(t, "audit", "setting setting setting", s.events(t))
}

// testSecrets keeps sealed values, lists names alone and forgets.
func testSecrets(t *testing.T, s *suite) {
	sealed := []byte{0, 1, 0xff, '\'', '\\', 0}
	a := store.SecretRow{Name: "db", Value: sealed, Where: store.InStore, By: "local:1000", Created: t0}
	b := store.SecretRow{Name: "ci", Where: store.InKeyring, By: "operator", Created: t0}
	put := func(r store.SecretRow) {
		t.Helper()
		if err := s.PutSecret(t.Context(), r, entry("secret", "")); err != nil {
			t.Fatal(err)
		}
	}
	put(store.SecretRow{Name: "db", Where: store.InKeyring})
	put(a)
	put(b)
	same(t, "secret", a, must2(s.SecretByName(t.Context(), "db"))(t))
	s.pass(time.Minute)
	if err := s.SecretUsed(t.Context(), "db"); err != nil {
		t.Fatal(err)
	}
	a.Used, a.Value = s.clock(), nil
	same(t, "list", []store.SecretRow{b, a}, must(s.Secrets(t.Context()))(t))
	a.Value = sealed
	same(t, "used", a, must2(s.SecretByName(t.Context(), "db"))(t))
	for _, bad := range []store.SecretRow{{Name: "x", Where: store.InStore}, {Name: "x", Where: store.InKeyring, Value: sealed}, {Where: store.InKeyring}, {Name: "x", Value: sealed}} {
		wantCode(t, s.PutSecret(t.Context(), bad, entry("secret", "")), fault.Invalid)
	}
	if err := s.DeleteSecret(t.Context(), "db", entry("secret", "")); err != nil {
		t.Fatal(err)
	}
	wantCode(t, s.DeleteSecret(t.Context(), "db", entry("secret", "")), fault.NotFound)
	wantCode(t, s.SecretUsed(t.Context(), "db"), fault.NotFound)
	if _, ok, err := s.SecretByName(t.Context(), "db"); ok || err != nil {
		t.Errorf("a deleted secret: %v, %v", ok, err)
	}
	same(t, "audit", "secret secret secret secret", s.events(t))
}
