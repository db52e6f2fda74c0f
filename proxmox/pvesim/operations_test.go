package pvesim

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// operator is a machine-made administrator who makes random legal requests and checks after each that nothing that has
// to hold is broken.
type operator struct {
	t     *rapid.T
	sim   *Sim
	now   time.Time
	root  string
	other string // the token of a user with rights on pool dev alone
	seen  map[int]string
	// done counts the requests that were carried out, by what they do.
	done map[string]int
	// interrupted are the ids of tasks that were ended by force: their guests may stay locked, as on the real one.
	interrupted map[string]bool
}

const limitedUser = "dev@pve"

// propertyWorld has two nodes, storages of several kinds, a pool and a user who has rights on that pool only.
func propertyWorld(now time.Time) *World {
	w := GenerateWorld(GenOptions{Seed: 3, Nodes: 2, Guests: 8, Snapshots: 30, Now: now})
	for _, def := range []Object{
		{"storage": "files", "type": "dir", "path": "/srv/files", "content": "images,rootdir,backup,iso,vztmpl,import,snippets", "digest": emptyDigest},
		{"storage": "more", "type": "dir", "path": "/srv/more", "content": "images,rootdir,backup", "digest": emptyDigest},
	} {
		w.Storages = append(w.Storages, def)
		for _, n := range w.Nodes {
			n.Storage = append(n.Storage, Object{"storage": def["storage"], "type": "dir", "content": def["content"], "active": 1, "enabled": 1,
				"shared": 0, "total": int64(1 << 40), "used": int64(1 << 30), "avail": int64(1 << 39), "used_fraction": 0.1})
		}
	}
	for _, n := range w.Nodes {
		n.Content["files"] = append(n.Content["files"],
			Object{"volid": "files:vztmpl/alpine-3.22-default_20250617_amd64.tar.xz", "content": "vztmpl", "format": "txz", "size": 900000, "ctime": now.Unix()},
			Object{"volid": "files:iso/tiny.iso", "content": "iso", "format": "iso", "size": 358400, "ctime": now.Unix()})
	}
	w.AddUser(limitedUser, "geheim12")
	for _, acl := range [][2]string{{"/pool/dev", "PVEVMAdmin"}, {"/storage/files", "PVEDatastoreUser"}} {
		w.AddACL(acl[0], "user", limitedUser, acl[1], true)
	}
	return w
}

func newOperator(t *rapid.T) *operator {
	o := &operator{t: t, now: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC), seen: map[int]string{}, done: map[string]int{}, interrupted: map[string]bool{}}
	w := propertyWorld(o.now)
	o.sim = New(w, WithClock(func() time.Time { return o.now }), WithoutDelays())
	o.sim.Update(func(w *World) {
		o.root = w.RootToken()
		o.other = w.AddToken(limitedUser, "x", "11111111-2222-4333-8444-555555555555", false)
	})
	return o
}

// ask sends one request.
func (o *operator) ask(token, method, path string, params map[string]string) (int, any) {
	form := url.Values{}
	for k, v := range params {
		form.Set(k, v)
	}
	r := o.sim.serve(asking(o.t.Context(), o.sim, method, path, form.Encode(), "Authorization", "PVEAPIToken="+token))
	var v struct{ Data any }
	if json.Unmarshal(r.body, &v) != nil {
		return r.status, nil
	}
	if r.status == 501 || r.status == 500 && strings.Contains(r.reason, "runtime error") {
		o.t.Fatalf("%s %s %v: %d %s", method, path, params, r.status, r.reason)
	}
	return r.status, v.Data
}

func (o *operator) draw(label string, list ...string) string {
	return rapid.SampledFrom(list).Draw(o.t, label)
}

// guest picks one that exists.
func (o *operator) guest() *Guest {
	var g *Guest
	o.sim.Update(func(w *World) {
		w.sortGuests()
		g = w.Guest(rapid.SampledFrom(w.order).Draw(o.t, "guest"))
	})
	return g
}

func (g *Guest) path() string { return fmt.Sprintf("/nodes/%s/%s/%d", g.Node, g.Type, g.VMID) }

// request is one that an operator may make.
type request struct {
	name, method, path string
	params             map[string]string
}

// next draws a request that is legal in form; whether it fits the state is not looked at.
func (o *operator) next() request {
	g := o.guest()
	id := fmt.Sprint(100 + rapid.IntRange(0, 6).Draw(o.t, "id"))
	node := o.draw("node", "node01", "node02")
	disk := o.draw("disk", "scsi0", "scsi1", "virtio2")
	if g.Type == typeLXC {
		disk = o.draw("mount", "rootfs", "mp0", "mp1")
	}
	store := o.draw("store", "files", "more", "local-lvm")
	snap := o.draw("snap", "one", "two", "three")
	kind := o.draw("kind", guestVerbs...)
	p := g.path()
	switch kind {
	case "create vm":
		return request{kind, "POST", "/nodes/" + node + "/qemu", map[string]string{"vmid": id, "name": "vm" + id, "memory": "256", "scsi0": store + ":1",
			"net0": "virtio,bridge=vmbr0", "pool": o.draw("pool", "dev", "prod")}}
	case "create ct":
		return request{kind, "POST", "/nodes/" + node + "/lxc", map[string]string{"vmid": id, "ostemplate": "files:vztmpl/alpine-3.22-default_20250617_amd64.tar.xz",
			"rootfs": store + ":1", "mp0": "files:1,mp=/data,backup=1", "pool": "dev", "password": "geheim12"}}
	case "destroy":
		return request{kind, "DELETE", p, map[string]string{"purge": o.draw("purge", "0", "1")}}
	case "start", "stop", "shutdown", "reboot", "suspend", "resume":
		return request{kind, "POST", p + "/status/" + kind, nil}
	case "set":
		return request{kind, "PUT", p + "/config", map[string]string{"description": o.draw("text", "a", "b", "ü\nc"), "tags": o.draw("tags", "x", "y;x")}}
	case "memory":
		return request{kind, "PUT", p + "/config", map[string]string{"memory": o.draw("memory", "256", "512")}}
	case "add disk":
		value := store + ":1"
		if g.Type == typeLXC {
			value += ",mp=/" + disk
		}
		return request{kind, "PUT", p + "/config", map[string]string{disk: value}}
	case "delete key":
		return request{kind, "PUT", p + "/config", map[string]string{"delete": o.draw("key", disk, "unused0", "unused1", "tags")}}
	case "resize":
		return request{kind, "PUT", p + "/resize", map[string]string{"disk": disk, "size": "+1G"}}
	case "move":
		if g.Type == typeLXC {
			return request{kind, "POST", p + "/move_volume", map[string]string{"volume": disk, "storage": store, "delete": o.draw("delete", "0", "1")}}
		}
		return request{kind, "POST", p + "/move_disk", map[string]string{"disk": disk, "storage": store, "delete": o.draw("delete", "0", "1")}}
	case "snapshot":
		return request{kind, "POST", p + "/snapshot", map[string]string{"snapname": snap}}
	case "rollback":
		return request{kind, "POST", p + "/snapshot/" + snap + "/rollback", nil}
	case "delete snapshot":
		return request{kind, "DELETE", p + "/snapshot/" + snap, nil}
	case "clone":
		return request{kind, "POST", p + "/clone", map[string]string{"newid": id, "full": o.draw("full", "0", "1")}}
	case "migrate":
		params := map[string]string{"target": node, "restart": "1"}
		if g.Type == typeQEMU {
			params = map[string]string{"target": node, "online": o.draw("online", "0", "1"), "with-local-disks": o.draw("disks", "0", "1")}
		}
		return request{kind, "POST", p + "/migrate", params}
	case "template":
		return request{kind, "POST", p + "/template", nil}
	case "backup":
		return request{kind, "POST", "/nodes/" + g.Node + "/vzdump", map[string]string{"vmid": fmt.Sprint(g.VMID), "storage": "files", "mode": o.draw("mode", "stop", "snapshot")}}
	case "prune":
		return request{kind, "DELETE", "/nodes/" + node + "/storage/files/prunebackups", map[string]string{"prune-backups": "keep-last=1"}}
	}
	return request{kind, "DELETE", "/nodes/" + node + "/tasks/" + o.runningTask(node), nil}
}

// guestVerbs are what an operator does, the frequent more than once.
var guestVerbs = []string{"create vm", "create ct", "destroy", "start", "start", "stop", "shutdown", "reboot", "suspend", "resume", "set", "memory", "add disk",
	"add disk", "delete key", "delete key", "resize", "move", "snapshot", "snapshot", "rollback", "delete snapshot", "clone", "template", "migrate", "migrate", "backup", "prune", "abort"}

func (o *operator) runningTask(node string) string {
	upid := "UPID:" + node + ":0000FFFF:00000000:00000001:qmstart:100:root@pam:"
	o.sim.Update(func(w *World) {
		for _, t := range w.Node(node).Tasks {
			if t.Running() {
				upid = t.UPID
			}
		}
	})
	return upid
}

// step makes a request as root or as the limited user, or lets time pass.
func (o *operator) step() {
	if rapid.IntRange(0, 3).Draw(o.t, "wait") == 0 {
		o.now = o.now.Add(time.Duration(rapid.IntRange(1, 20000).Draw(o.t, "ms")) * time.Millisecond)
		o.sim.Update(func(*World) {})
		return
	}
	q := o.next()
	if rapid.IntRange(0, 4).Draw(o.t, "who") == 0 {
		o.limited(q)
		return
	}
	status, _ := o.ask(o.root, q.method, q.path, q.params)
	if status == 200 {
		o.done[q.name]++
	}
	if _, upid, ok := strings.Cut(q.path, "/tasks/"); ok {
		o.interrupted[strings.Split(upid, ":")[6]] = true
	}
}

// limited makes a request as the user who has rights on pool dev only: whatever comes of it, no guest outside of that
// pool changes.
func (o *operator) limited(q request) {
	o.now = o.now.Add(time.Hour) // what others have begun ends first
	before := o.foreign()
	status, _ := o.ask(o.other, q.method, q.path, q.params)
	after := o.foreign()
	for id, file := range before {
		if after[id] != file {
			o.t.Fatalf("%s of %s changed guest %d (%d)\nbefore %s\nafter %s", q.name, limitedUser, id, status, file, after[id])
		}
	}
	if status == 200 {
		o.done["limited "+q.name]++
	}
}

// foreign are the configurations of the guests outside of pool dev at this moment, without letting time pass.
func (o *operator) foreign() map[int]string {
	out := map[int]string{}
	o.sim.Update(func(w *World) {
		for _, g := range w.Guests() {
			if g.Pool != "dev" {
				out[g.VMID] = g.file() + g.Status()
			}
		}
	})
	return out
}

// operationRounds of random sequences may be needed until each kind of request was carried out: some of a hundred sequences hold none of one.
const operationRounds = 6

// TestRandomOperations: random sequences of legal requests never break what has to hold: see check and settled. Each kind is carried out.
func TestRandomOperations(t *testing.T) {
	logChecks(t)
	total := map[string]int{}
	for range operationRounds {
		rapid.Check(t, func(rt *rapid.T) {
			o := newOperator(rt)
			for range rapid.IntRange(10, 60).Draw(rt, "steps") {
				o.step()
				o.check()
			}
			o.settled()
			for k, n := range o.done {
				total[k] += n
			}
		})
		if testing.Short() || t.Failed() || len(neverDone(total)) == 0 {
			break
		}
	}
	t.Logf("carried out: %v", total)
	if missing := neverDone(total); len(missing) > 0 && !testing.Short() { // too few there to have met everything
		t.Errorf("never carried out: %q", missing)
	}
}

// neverDone are the kinds of requests that were not carried out, those of the limited user as one.
func neverDone(total map[string]int) []string {
	return slices.DeleteFunc(append(slices.Clone(guestVerbs), "limited set"), func(verb string) bool { return total[verb] > 0 })
}
