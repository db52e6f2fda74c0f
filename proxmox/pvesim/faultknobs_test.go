package pvesim

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// parsed makes a fault as the command line does.
func parsed(t *testing.T, s string) Fault {
	t.Helper()
	f, err := ParseFault(s)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// runTask runs a task of the simulator that takes a second and gives its UPID.
func (r *rig) runTask(kind string) string {
	upid := ""
	r.sim.Update(func(w *World) {
		upid = w.fork(w.Nodes[0], kind, "208", rootUser, func(j *job) error {
			return j.after(time.Second, func() error { j.log("done"); return nil })
		}).UPID
	})
	return upid
}

// TestTaskFaults: what becomes of a task under each knob about tasks.
func TestTaskFaults(t *testing.T) {
	for _, tt := range []struct {
		fault, kind string
		check       func(t *testing.T, r *rig, path string)
	}{
		{"F22:by=2s", "vzdump", func(t *testing.T, r *rig, path string) {
			want(t, r.get(path+"/status"), "400 Parameter verification failed.", "no such task")
			if rows := r.get("/cluster/tasks").rows(); len(rows) > 0 && rows[0]["type"] == "vzdump" && rows[0]["endtime"] == nil {
				t.Errorf("the list shows it: %v", rows[0])
			}
			time.Sleep(2 * time.Second)
			has1(t, r.get(path+"/status"), `"exitstatus":"OK"`)
		}},
		{"F22:vanish=1", "vzdump", func(t *testing.T, r *rig, path string) {
			has1(t, r.get(path+"/status"), `"status":"running"`)
			time.Sleep(2 * time.Second)
			want(t, r.get(path+"/status"), "400 Parameter verification failed.", "no such task")
		}},
		{"F23", "vzdump", func(t *testing.T, r *rig, path string) {
			time.Sleep(2 * time.Second)
			has1(t, r.get(path+"/status"), `"exitstatus":"unexpected status"`)
			if got := r.get(path + "/log"); strings.Contains(got.body, "TASK") || !strings.Contains(got.body, `"done"`) {
				t.Errorf("log %s", got.body)
			}
		}},
		{"F24:type=vzdump", "vzdump", func(t *testing.T, r *rig, path string) {
			time.Sleep(2 * time.Second)
			has1(t, r.get(path+"/status"), `"exitstatus":"WARNINGS: 2"`)
			has1(t, r.get(path+"/log"), `TASK WARNINGS: 2`)
		}},
		{"F24:type=vzdump", "qmstart", func(t *testing.T, r *rig, path string) {
			time.Sleep(2 * time.Second)
			has1(t, r.get(path+"/status"), `"exitstatus":"OK"`)
		}},
		{"F25:lines=300,at=120", "vzdump", func(t *testing.T, r *rig, path string) {
			time.Sleep(2 * time.Second)
			if got := r.get(path + "/log"); strings.Contains(got.body, "no space left") {
				t.Error("the first page shows the cause")
			}
			has1(t, r.get(path+"/log?start=100&limit=50"), "no space left")
		}},
	} {
		t.Run(tt.fault+" "+tt.kind, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, DemoWorld(time.Now()))
				defer r.stop()
				defer r.sim.AddFault(parsed(t, tt.fault))()
				tt.check(t, r, "/nodes/pve1/tasks/"+r.runTask(tt.kind))
			})
		})
	}
}

// TestGuestFaults: what the API shows of a guest under each knob about guests.
func TestGuestFaults(t *testing.T) {
	const config = "/nodes/pve1/qemu/208/config"
	for _, tt := range []struct {
		fault string
		check func(t *testing.T, r *rig, before reply)
	}{
		{"F28:vmid=208", func(t *testing.T, r *rig, _ reply) {
			has1(t, r.get(config), `"lock":"backup"`)
			has1(t, r.get("/nodes/pve1/tasks?source=active"), "vzdump")
		}},
		{"F29:vmid=208,lock=snapshot", func(t *testing.T, r *rig, _ reply) {
			has1(t, r.get(config), `"lock":"snapshot"`)
			if n := len(r.get("/nodes/pve1/tasks?source=active").rows()); n != 0 {
				t.Errorf("%d tasks run", n)
			}
		}},
		{"F30", func(t *testing.T, r *rig, _ reply) {
			id := r.get("/cluster/nextid").data
			want(t, r.get(fmt.Sprintf("/cluster/nextid?vmid=%s", id)), "400 Parameter verification failed.", "already exists")
		}},
		{"F31:vmid=208", func(t *testing.T, r *rig, before reply) {
			uuid := before.data.(map[string]any)["smbios1"]
			if after := r.get(config).data.(map[string]any); after["smbios1"] == uuid || after["digest"] == before.data.(map[string]any)["digest"] {
				t.Errorf("still the same: %v", after)
			}
		}},
		{"F32:vmid=208,to=pve2", func(t *testing.T, r *rig, _ reply) {
			want(t, r.get(config), "500 Configuration file 'nodes/pve1/qemu-server/208.conf' does not exist", "")
			has1(t, r.get("/nodes/pve2/qemu/208/config"), "digest")
		}},
		{"F33:vmid=208", func(t *testing.T, r *rig, before reply) {
			r.do("PUT", config+"?cores=1", nil)
			if after := r.get(config); after.body == before.body || !strings.Contains(after.body, "edited by somebody else 1") {
				t.Errorf("config %s", after.body)
			}
		}},
		{"F49:vmid=208", func(t *testing.T, r *rig, before reply) {
			if after := r.get(config); after.body == before.body || len(r.get("/nodes/pve1/tasks?source=active").rows()) != 0 {
				t.Errorf("config %s", after.body)
			}
		}},
		{"F37:vmid=203", func(t *testing.T, r *rig, _ reply) {
			want(t, r.get("/nodes/pve2/qemu/203/agent/get-osinfo"), "500 QEMU guest agent is not running", "")
		}},
		{"F38:vmid=203,n=2", func(t *testing.T, r *rig, _ reply) {
			has1(t, r.get("/nodes/pve2/qemu/203/agent/get-osinfo"), "result")
			want(t, r.get("/nodes/pve2/qemu/203/agent/get-osinfo"), "500 QEMU guest agent is not running", "")
			has1(t, r.get("/nodes/pve2/qemu/203/status/current"), `"qmpstatus":"paused"`)
		}},
		{"F53:vmid=203", func(t *testing.T, r *rig, _ reply) {
			if got := r.get("/nodes/pve2/qemu/203/status/current").data.(map[string]any); got["netin"] != 0.0 {
				t.Errorf("netin %v", got["netin"])
			}
		}},
	} {
		t.Run(tt.fault, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, DemoWorld(time.Now()), WithoutDelays())
				defer r.stop()
				before := r.get(config)
				defer r.sim.AddFault(parsed(t, tt.fault))()
				tt.check(t, r, before)
			})
		})
	}
}

// TestAccessFaults: rights, addresses and daemons that go away.
func TestAccessFaults(t *testing.T) {
	for _, tt := range []struct {
		fault string
		check func(t *testing.T, r *rig)
	}{
		{"F07:token=viewer@pve!x", func(t *testing.T, r *rig) {
			if n := len(r.get("/nodes/pve1/qemu").rows()); n != 0 {
				t.Errorf("it sees %d guests", n)
			}
		}},
		{"F08:who=viewer@pve", func(t *testing.T, r *rig) {
			if n := len(r.get("/nodes/pve1/qemu").rows()); n != 0 {
				t.Errorf("it sees %d guests", n)
			}
		}},
		{"F20:node=pve2", func(t *testing.T, r *rig) {
			if o := r.get("/cluster/status").row("name", "pve2"); o["ip"] != "192.0.2.1" {
				t.Errorf("node %v", o)
			}
		}},
		{"F21:entry=pve1,after=1", func(t *testing.T, r *rig) {
			if got := r.get("/version"); got.code != 200 {
				t.Errorf("the first: %s %v", got.status, got.err)
			}
			for range 2 {
				if got := r.get("/version"); got.err == nil {
					t.Errorf("after its end: %s", got.status)
				}
			}
		}},
		{"F39:storage=local,by=5s", func(t *testing.T, r *rig) {
			for path, least := range map[string]time.Duration{"/nodes/pve1/storage/local/status": 5 * time.Second, "/nodes/pve1/storage": 5 * time.Second, "/version": 0} {
				began := time.Now()
				r.get(path)
				if took := time.Since(began); took != least {
					t.Errorf("%s took %v", path, took)
				}
			}
		}},
		{"F40:node=pve2,by=6s", func(t *testing.T, r *rig) {
			began := time.Now()
			if r.get("/nodes/pve2/qemu"); time.Since(began) != 6*time.Second {
				t.Errorf("took %v", time.Since(began))
			}
		}},
	} {
		t.Run(tt.fault, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := DemoWorld(time.Now())
				w.AddUser("viewer@pve", "")
				w.AddACL("/", "user", "viewer@pve", "PVEAuditor", true)
				token := w.AddToken("viewer@pve", "x", "secret", false)
				r := newRig(t, w)
				defer r.stop()
				r.token = token
				if n := len(r.get("/nodes/pve1/qemu").rows()); n == 0 {
					t.Fatal("the viewer sees nothing before the fault")
				}
				remove := r.sim.AddFault(parsed(t, tt.fault))
				tt.check(t, r)
				remove()
			})
		})
	}
}

// TestTicketsEndSooner: F05 on the bubble's clock.
func TestTicketsEndSooner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := DemoWorld(time.Now())
		w.AddUser("joe@pve", "geheim12")
		w.AddACL("/", "user", "joe@pve", "PVEAuditor", true)
		r := newRig(t, w, WithoutDelays())
		defer r.stop()
		remove := r.sim.AddFault(parsed(t, "F05:ttl=1m"))
		ticket := r.login("joe@pve", "geheim12")
		want(t, r.get("/version", "Cookie", ticket), "200 OK", "")
		time.Sleep(2 * time.Minute)
		want(t, r.get("/version", "Cookie", ticket), "401 Authentication failed!", "")
		remove()
		want(t, r.get("/version", "Cookie", ticket), "200 OK", "")
	})
}

// login gives the cookie of a new ticket and stops sending the token.
func (r *rig) login(user, password string) string {
	r.token = ""
	got := r.form("POST", "/access/ticket", "username="+user+"&password="+password)
	o, _ := got.data.(map[string]any)
	ticket, _ := o["ticket"].(string)
	return authCookie + "=" + ticket
}

// TestLockFileHeld: F27; a request waits for the lock file as long as it is held, and gives up after 10 s.
func TestLockFileHeld(t *testing.T) {
	for _, tt := range []struct {
		held, took time.Duration
		want       string
	}{
		{3 * time.Second, 3 * time.Second, "OK"},
		{20 * time.Second, lockWait, "can't lock file '/var/lock/qemu-server/lock-208.conf' - got timeout"},
	} {
		synctest.Test(t, func(t *testing.T) {
			sim := New(DemoWorld(time.Now()))
			defer sim.AddFault(parsed(t, fmt.Sprintf("F27:vmid=208,by=%s", tt.held)))()
			var task *Task
			began := time.Now()
			sim.Update(func(w *World) {
				task = w.fork(w.Nodes[0], "qmconfig", "208", rootUser, func(j *job) error {
					return j.lock(w.Guest(208), func() error { return nil })
				})
			})
			time.Sleep(time.Minute)
			sim.Update(func(*World) {})
			if task.Exit != tt.want || task.End.Sub(began).Round(time.Second) != tt.took {
				t.Errorf("held %v: %q after %v", tt.held, task.Exit, task.End.Sub(began))
			}
		})
	}
}

// TestKnobs: what is wrong with a fault is named, and each knob can be turned.
func TestKnobs(t *testing.T) {
	for s, part := range map[string]string{
		"F99": "unknown fault F99, known are", "F11": "option node is missing", "F11:nod=pve2": "unknown option nod", "F46:status=abc": "is not a number",
		"F46:retry=soon": "is not a duration", "F11:pve2": "is not key=value", "F54:p=2": "between 0 and 1",
	} {
		if _, err := ParseFault(s); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%s: %v, want %q", s, err, part)
		}
	}
	values := map[string]string{"vmid": "208", "node": "pve2", "to": "pve2", "entry": "pve1", "token": "a@pve!b", "who": "a@pve", "path": "/version", "storage": "local"}
	for id, k := range knobs() {
		var parts []string
		for key := range strings.FieldsSeq(k.takes) {
			if name, needed := strings.CutSuffix(key, "!"); needed {
				parts = append(parts, name+"="+values[name])
			}
		}
		f := parsed(t, strings.ToLower(id)+":"+strings.Join(parts, ","))
		sim := New(DemoWorld(time.Now()))
		sim.AddFault(f)()
		if f.Name == "" {
			t.Errorf("%s has no name", id)
		}
	}
	help := FaultList()
	if len(help) != len(knobs()) || help[0].Usage != "DELAY:by" || help[0].About == "" {
		t.Errorf("%d lines of help for %d faults: %+v", len(help), len(knobs()), help[0])
	}
}
