package pvesim

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestRetention: what each rule keeps of backups that were made at given hours, newest first in the answer. Protected ones
// stay and do not count; a period that an earlier rule kept one of does not count for a later rule.
func TestRetention(t *testing.T) {
	for _, tt := range []struct{ rules, made, want string }{
		{"keep-last=2", "0 1 2 3", "3k 2k 1r 0r"},
		{"keep-all=1", "0 1", "1k 0k"},
		{"", "0 1", "1k 0k"},
		{"keep-daily=2", "0 5 24 30 48", "48k 30k 24r 5r 0r"},
		{"keep-last=1,keep-daily=1", "0 5 24 30", "30k 24r 5k 0r"},
		{"keep-hourly=1,keep-weekly=1", "0 1 200", "200k 1k 0r"},
		{"keep-last=1", "0 1p 2", "2k 1p 0r"},
		{"keep-yearly=1,keep-monthly=1", "0 800 9000", "9000k 800k 0r"},
	} {
		var group []*backupEntry
		base := time.Date(2026, 3, 2, 0, 30, 0, 0, time.UTC)
		for word := range strings.FieldsSeq(tt.made) {
			hour, protected := strings.CutSuffix(word, "p")
			e := &backupEntry{volid: hour, made: base.Add(time.Duration(integer(hour)) * time.Hour)}
			if protected {
				e.mark = markProtected
			}
			group = append(group, e)
		}
		parseRetention(tt.rules).mark(group)
		var got []string
		for _, e := range group {
			got = append(got, e.volid+e.mark[:1])
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s of %s: %v, want %s", tt.rules, tt.made, got, tt.want)
		}
	}
}

// backupRig is a simulator whose clock the test moves.
func backupRig(t *testing.T) (*operatorRig, *Sim) {
	t.Helper()
	r := &operatorRig{t: t, now: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)}
	r.sim = New(propertyWorld(r.now), WithClock(func() time.Time { return r.now }), WithoutDelays())
	r.token = r.sim.RootToken()
	return r, r.sim
}

// operatorRig sends requests and lets their tasks end.
type operatorRig struct {
	t     *testing.T
	sim   *Sim
	now   time.Time
	token string // in whose name
}

// task sends a request that starts a task and gives how that ended and its log.
func (r *operatorRig) task(method, path, form string) (exit, log string) {
	r.t.Helper()
	resp := r.sim.serve(asking(r.t.Context(), r.sim, method, path, form, "Authorization", "PVEAPIToken="+r.token))
	if resp.status != 200 {
		return fmt.Sprintf("%d %s", resp.status, resp.reason), string(resp.body)
	}
	upid := strings.Trim(strings.TrimPrefix(string(resp.body), `{"data":`), `"}`)
	r.now = r.now.Add(time.Hour)
	r.sim.Update(func(w *World) {
		if task := w.Node(strings.Split(upid, ":")[1]).task(upid); task != nil {
			exit, log = task.Exit, strings.Join(task.Log, "\n")
		}
	})
	return exit, log
}

// TestBackupRoundTrip: a guest that is backed up, destroyed and restored is what it was, on other storages as well; what
// was not saved is in the notes.
func TestBackupRoundTrip(t *testing.T) {
	for _, storage := range []string{"", "&storage=more", "&storage=local-lvm"} {
		t.Run(storage, func(t *testing.T) {
			r, sim := backupRig(t)
			ok := func(method, path, form string) string {
				t.Helper()
				exit, log := r.task(method, path, form)
				if exit != "OK" {
					t.Fatalf("%s %s: %s\n%s", method, path, exit, log)
				}
				return log
			}
			ok("POST", "/nodes/node01/qemu", "vmid=100&name=a&memory=512&scsi0=files:2,discard=on&scsi1=files:1,backup=0&net0=virtio,bridge=vmbr0&description=hello")
			before := sim.configOf(100)
			log := ok("POST", "/nodes/node01/vzdump", "vmid=100&storage=files&compress=zstd&protected=1")
			for _, line := range []string{"INFO: exclude disk 'scsi1' 'files:100/vm-100-disk-1.raw' (backup=no)", "INFO: marking backup as protected", "TASK OK"} {
				if !strings.Contains(log, line) {
					t.Errorf("the log lacks %q:\n%s", line, log)
				}
			}
			volid := ""
			sim.Update(func(w *World) {
				for _, v := range w.Nodes[0].Content["files"] {
					if v["content"] == contentBackup {
						volid = text(v["volid"])
					}
				}
			})
			ok("DELETE", "/nodes/node01/qemu/100", "")
			if exit, _ := r.task("DELETE", "/nodes/node01/storage/files/content/"+volid, ""); exit == "OK" {
				t.Error("a protected backup was removed")
			}
			ok("POST", "/nodes/node01/qemu", "vmid=100&archive="+volid+storage)
			after := sim.configOf(100)
			if got := text(after["description"]); got != "hello\nscsi1: "+text(before["scsi1"]) {
				t.Errorf("notes %q", got)
			}
			if text(after["vmgenid"]) == text(before["vmgenid"]) || driveSize(text(after["scsi0"])) != 2*gib || driveOption(text(after["scsi0"]), "discard") != "on" {
				t.Errorf("restored %v", after)
			}
			drop := []string{"description", "scsi0", "scsi1", "vmgenid"}
			if diff := cmp.Diff(without(before, drop...), without(after, drop...)); diff != "" {
				t.Errorf("the rest differs:\n%s", diff)
			}
		})
	}
}

func (s *Sim) configOf(vmid int) (o Object) {
	s.Update(func(w *World) { o = clone(w.Guest(vmid).Config) })
	return o
}

// TestBackupRefusals: what fails at once and what fails in the task.
func TestBackupRefusals(t *testing.T) {
	r, sim := backupRig(t)
	sim.Update(func(w *World) {
		w.setLock(w.Guest(1000), "migrate")
		w.Storages = append(w.Storages, Object{"storage": "gone", "type": "nfs", "content": "backup", "digest": emptyDigest})
	})
	for _, tt := range []struct{ form, want string }{
		{"vmid=1000&storage=files", "job errors"},
		{"vmid=99&storage=files", "400 Parameter verification failed."},
		{"vmid=4711&storage=files", "job errors"},
		{"vmid=1000&all=1", "400 Parameter verification failed."},
		{"", "400 Parameter verification failed."},
		{"vmid=1000&storage=nosuch", "could not get storage information for 'nosuch': storage 'nosuch' does not exist"},
		{"vmid=1000&storage=gone", "could not get storage information for 'gone': storage 'gone' is not available on node 'node01'"},
		{"vmid=1000&storage=local-lvm", "can't use storage 'local-lvm' for backups - wrong content type"},
		{"vmid=1000&dumpdir=/tmp", "400 Parameter verification failed."},
		{"pool=nosuch&storage=files", "500 pool 'nosuch' does not exist"},
	} {
		if exit, log := r.task("POST", "/nodes/node01/vzdump", tt.form); exit != tt.want {
			t.Errorf("%s: %q, want %q\n%s", tt.form, exit, tt.want, log)
		}
	}
}

// TestInterruptedBackup leaves no lock and no archive, and the guest running.
func TestInterruptedBackup(t *testing.T) {
	r, sim := backupRig(t)
	resp := sim.serve(asking(t.Context(), sim, "POST", "/nodes/node01/vzdump", "vmid=1000&storage=files"))
	upid := strings.Trim(strings.TrimPrefix(string(resp.body), `{"data":`), `"}`)
	r.now = r.now.Add(300 * time.Millisecond)
	if lock := sim.configOf(1000)["lock"]; lock != "backup" {
		t.Fatalf("while it runs the lock is %v", lock)
	}
	sim.serve(asking(t.Context(), sim, "DELETE", "/nodes/node01/tasks/"+upid, ""))
	if lock := sim.configOf(1000)["lock"]; lock != nil {
		t.Errorf("afterwards the lock is %v", lock)
	}
	sim.Update(func(w *World) {
		if task := w.Nodes[0].task(upid); task.Exit != errInterrupted.Error() || !w.Guest(1000).Live.Running {
			t.Errorf("exit %q, running %t", task.Exit, w.Guest(1000).Live.Running)
		}
		for _, v := range w.Nodes[0].Content["files"] {
			if v["content"] == contentBackup {
				t.Errorf("%v is left", v["volid"])
			}
		}
	})
}
