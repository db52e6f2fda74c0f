package app

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
)

// matrixRows are all rows of the matrix. Those of faultRows come and go in the churn as well.
func matrixRows() []faultRow {
	return slices.Concat(faultRows(), memberRows(), identityRows(), slowRows(), taskRows(), countedRows())
}

func memberRows() []faultRow {
	return []faultRow{
		{id: "F19", name: "quorate with a member off", inject: add(pvesim.NodeDown("node03")), dark: []string{"node03"}, blind: true,
			says: []string{"node03 is offline"}, check: checkQuorate},
		{id: "F20", name: "members' addresses lead nowhere", inject: add(pvesim.AddressUnroutable("")), quiet: true},
		{id: "F21", name: "the entry node dies while it is asked", quiet: true, inject: func(m *matrixRig) func() {
			// Its daemons end at once, its connections with them; node02 takes over and asks it no more.
			m.net.refuse(matrixEndpoints[0].addr, true)
			end := m.sim.AddFault(times(onPath(pvesim.Drop(), "/cluster/*"), 1))
			return func() { m.net.refuse(matrixEndpoints[0].addr, false); end() }
		}},
	}
}

// checkQuorate wants the cluster to be called quorate although a member is off.
func checkQuorate(m *matrixRig) {
	m.t.Helper()
	var a answerJSON
	r := m.call("get_overview", map[string]any{"fresh": true})
	if err := json.Unmarshal(r.json, &a); err != nil || len(a.Clusters) != 1 || a.Clusters[0].Quorate == nil || !*a.Clusters[0].Quorate {
		m.t.Errorf("F19: %v\n%s", err, r.text)
	}
}

// once is a row's inject for what happens in the world and stays.
func once(f pvesim.Fault) func(*matrixRig) func() {
	return func(m *matrixRig) func() { m.sim.AddFault(f); return func() {} }
}

func identityRows() []faultRow {
	line := func(want ...string) func(string) bool { return func(l string) bool { return slices.Contains(want, l) } }
	id := strconv.Itoa(onNode1)
	return []faultRow{
		{id: "F31", name: "another guest under a vmid", inject: once(pvesim.Reincarnated(onNode1)), late: true, quiet: true, tells: "get_metrics", reborn: onNode1,
			changed: func(l string) bool { return strings.Contains(l, "guest/"+id+" ") }, check: func(m *matrixRig) {
				lines := history(m.t, m.db())
				for _, want := range []string{"gone guest/" + id + " life 1", "life guest/" + id + " life 2"} {
					if !slices.Contains(lines, want) {
						m.t.Errorf("F31: nobody recorded %q: %q", want, lines)
					}
				}
			}},
		{id: "F32", name: "a guest that migrated", inject: once(pvesim.GuestMoved(onNode1, "node02")), late: true, quiet: true,
			changed: line("changed guest/"+id+" node life 1", "moved guest/"+id+" life 1", "moved guest/"+id+" node life 1")},
		{id: "F49", name: "an edit that left no trace", inject: once(pvesim.EditedByFile(onNode1)), quiet: true,
			changed: func(l string) bool { return strings.HasPrefix(l, "changed guest/"+id+" config") }, check: func(m *matrixRig) {
				if !slices.ContainsFunc(history(m.t, m.db()), func(l string) bool { return strings.HasPrefix(l, "changed guest/"+id+" config") }) {
					m.t.Error("F49: nobody saw the edit")
				}
			}},
		{id: "F55", name: "the list names the old node", inject: add(pvesim.StaleNode(onNode1, "node02", false)), odd: []int{onNode1},
			// At first contact there is nothing else to go by, until the node that is named turns out to have no such guest.
			corrected: line("moved guest/" + id + " node life 1")},
		{id: "F55", name: "two nodes claim a guest", inject: add(pvesim.StaleNode(onNode1, "node02", true)), blind: true, odd: []int{onNode1}},
	}
}

func slowRows() []faultRow {
	return []faultRow{
		{id: "F37", name: "an agent that is gone", inject: add(pvesim.AgentGone(onNode1)), quiet: true, says: []string{"not answered: "}, emptySays: []string{}},
		{id: "F37", name: "an agent that is slow", inject: add(pvesim.AgentSlow(onNode1, 8*time.Second)), quiet: true, says: []string{"not answered: "}, emptySays: []string{}},
		{id: "F38", name: "an agent call that harms its guest", inject: add(pvesim.AgentHarms(onNode1, 1)), quiet: true, odd: []int{onNode1}, check: fewAgentCalls},
		{id: "F38", name: "a guest that agent calls make hang", inject: add(pvesim.AgentSlow(onNode1, time.Hour)), quiet: true, odd: []int{onNode1}, check: fewAgentCalls},
		{id: "F39", name: "a storage hangs", inject: add(pvesim.StorageHangs("backup", time.Minute)), blind: false,
			says: []string{"backup"}, check: checkOthersAnswer},
		{id: "F40", name: "a node is slow", inject: add(pvesim.NodeSlow("node02", 6*time.Second)), slow: true, deaf: []string{"node02"}},
	}
}

// fewAgentCalls wants a guest whose agent fails to be left alone soon.
func fewAgentCalls(m *matrixRig) {
	m.t.Helper()
	for range 48 {
		time.Sleep(15 * time.Minute)
		m.call("get_guest", map[string]any{"guest": strconv.Itoa(onNode1)})
	}
	if n := m.asked("/qemu/" + strconv.Itoa(onNode1) + "/agent/"); n == 0 || n > 3 {
		m.t.Errorf("F38: its agent was asked %d times in 12 h", n)
	}
}

// asked counts the requests whose path has a part.
func (m *matrixRig) asked(part string) (n int) {
	for _, r := range m.sim.Requests() {
		if strings.Contains(r.Path, part) {
			n++
		}
	}
	return n
}

// checkOthersAnswer wants what does not touch the storage to be answered at once, and the storage to be left alone after two tries.
func checkOthersAnswer(m *matrixRig) {
	m.t.Helper()
	m.sim.ResetStats()
	for range 10 {
		if r := m.call("get_node", map[string]any{"node": "node02"}); r.err != nil || r.took > 4*time.Second {
			m.t.Errorf("F39: get_node took %s: %s", r.took, r.text)
		}
		m.call("list_volumes", map[string]any{})
		time.Sleep(time.Minute)
	}
	if n := m.asked("/storage/backup/content"); n > 3*5 {
		m.t.Errorf("F39: the storage was asked %d times in 10 min", n)
	}
}

func taskRows() []faultRow {
	return []faultRow{
		{id: "F22", name: "tasks vanish at their end", inject: add(pvesim.TaskVanishes("")), quiet: true, tells: "get_task", says: []string{"its end was seen before"}, emptySays: []string{}, check: func(m *matrixRig) {
			id := m.upid("node01")
			if r := m.call("get_task", map[string]any{"task": strings.Replace(id, "qmstart", "qmstop", 1)}); r.err == nil || r.err.Code != fault.NotFound {
				m.t.Errorf("F22: a task that nobody knows:\n%s", r.text)
			}
			if r := m.call("get_task", map[string]any{"task": m.tasks.ended, "fresh": true}); r.err == nil && strings.Contains(r.text, "state: running") {
				m.t.Errorf("F22: a task that vanished runs:\n%s", r.text)
			}
		}},
		{id: "F22", name: "tasks show late", inject: add(pvesim.TaskLate("", time.Hour)), quiet: true, tells: "get_task", emptySays: []string{},
			says: []string{"does not know the task any more; how it ended was not seen"}},
		{id: "F48", name: "more tasks than the list holds", quiet: true, inject: func(m *matrixRig) func() {
			for _, n := range []string{"node01", "node02", "node03"} {
				m.sim.AddFault(pvesim.TaskBurst(n, 60))
			}
			return func() {}
		}, check: func(m *matrixRig) {
			seen := map[string]bool{}
			for _, n := range []string{"node01", "node02", "node03"} {
				var a struct{ Total int }
				r := m.call("find_tasks", map[string]any{"type": "vncproxy", "node": n})
				if err := json.Unmarshal(r.json, &a); err != nil || a.Total != 60 {
					m.t.Errorf("F48: %d of 60 tasks of %s, %v\n%s", a.Total, n, err, r.text)
				}
				seen[n] = true
			}
		}},
		{id: "F52", name: "tasks of others without Sys.Audit, a token in a UPID", blind: true, inject: func(m *matrixRig) func() {
			m.sim.Update(onlyGuests)
			return func() { m.sim.Update(regrant) }
		}, says: []string{"not visible to this token"}, check: func(m *matrixRig) {
			var upid string
			m.sim.Update(func(w *pvesim.World) {
				upid = w.AddTaskAt(w.Now(), 0, "node02", "qmreboot", strconv.Itoa(onNode2), "agent@pve!mcp", "OK").UPID
			})
			time.Sleep(time.Second)
			r := m.call("get_task", map[string]any{"task": upid})
			if r.err == nil || r.err.Code != fault.Forbidden || strings.Contains(r.text, "does not know the task") {
				m.t.Errorf("F52: a task that is not shown to the token:\n%s", r.text)
			}
			m.sim.Update(regrant)
			time.Sleep(11 * time.Minute) // a missing right is remembered for a while
			if r := m.call("get_task", map[string]any{"task": upid}); r.err != nil || !strings.Contains(r.text, "agent@pve!mcp") {
				m.t.Errorf("F52: a token's task:\n%s", r.text)
			}
			m.sim.Update(onlyGuests)
		}},
	}
}

// Disks of the matrix's world in F50: one that may sleep on the first node.
func withDisks(w *pvesim.World) {
	for i, n := range w.Nodes {
		list := []any{pvesim.Object{"devpath": "/dev/nvme0n1", "type": "nvme", "model": "fast", "health": "PASSED", "wearout": 97, "size": 1 << 40, "used": "LVM"}}
		if i == 0 {
			list = append(list, pvesim.Object{"devpath": "/dev/sda", "type": "hdd", "model": "slow", "health": "PASSED", "wearout": "N/A", "size": 4 << 40, "used": "ZFS"})
		}
		n.Info["disks"] = list
	}
}

func countedRows() []faultRow {
	return []faultRow{
		{id: "F43", name: "a shared storage on each node", quiet: true, inject: func(*matrixRig) func() { return func() {} }, check: checkSharedOnce},
		{id: "F50", name: "disks that sleep", quiet: true, prepare: withDisks, inject: func(m *matrixRig) func() { m.sim.ResetStats(); return func() {} }, check: checkAsleep},
		{id: "F53", name: "counters begin anew", inject: once(pvesim.CountersReset(onNode1)), quiet: true, check: func(m *matrixRig) {
			for _, o := range []string{strconv.Itoa(onNode1), "node01"} {
				if r := m.call("get_metrics", map[string]any{"object": o}); r.err != nil || strings.Contains(string(r.json), ":-") {
					m.t.Errorf("F53: a rate below zero:\n%s", r.text)
				}
			}
		}},
	}
}

// checkSharedOnce wants the shared storage once, with one node's figures.
func checkSharedOnce(m *matrixRig) {
	m.t.Helper()
	var a struct {
		Storages []struct {
			Name  string
			Nodes []string
			Total *int64 `json:"total_bytes"`
		}
	}
	var want int64
	m.sim.Update(func(w *pvesim.World) {
		for _, s := range w.Nodes[0].Storage {
			if s["storage"] == "backup" {
				want, _ = strconv.ParseInt(fmt.Sprint(s["total"]), 10, 64)
			}
		}
	})
	r := m.call("list_storage", map[string]any{"fresh": true})
	if err := json.Unmarshal(r.json, &a); err != nil {
		m.t.Fatal(err)
	}
	n := 0
	for _, s := range a.Storages {
		if s.Name != "backup" {
			continue
		}
		if n++; len(s.Nodes) != 3 || s.Total == nil || *s.Total != want || want == 0 {
			m.t.Errorf("F43: %+v, total is %d", s, want)
		}
	}
	if n != 1 {
		m.t.Errorf("F43: the shared storage is there %d times:\n%s", n, r.text)
	}
}

// checkAsleep counts what was asked of disks: nothing by syncs, ticks and tools, but for check_health and get_node, which ask no disk that may
// sleep, and the others once a day.
func checkAsleep(m *matrixRig) {
	m.t.Helper()
	woken := func() (n int) {
		for _, r := range m.sim.Requests() {
			if strings.HasSuffix(r.Path, "/disks/smart") || strings.HasSuffix(r.Path, "/disks/list") && !strings.Contains(r.Query, "skipsmart=1") {
				if n++; strings.HasPrefix(r.Path, "/nodes/node01/") && !strings.Contains(r.Query, "nvme0n1") {
					m.t.Errorf("F50: %s?%s wakes a disk", r.Path, r.Query)
				}
			}
		}
		return n
	}
	if n := woken(); n != 3 {
		m.t.Errorf("F50: disks were asked %d times, want once per node", n)
	}
	for range 5 {
		time.Sleep(4 * time.Hour)
		m.call("get_node", map[string]any{"node": "node01", "fresh": true})
		m.call("check_health", map[string]any{"fresh": true})
	}
	if n := woken(); n != 3 {
		m.t.Errorf("F50: disks were asked %d times in 20 h, want once per node", n)
	}
	m.sim.ResetStats()
	m.watch(30 * time.Minute)
	_, _ = m.sync()
	for _, q := range m.questions(0, false, false) {
		// list_storage asks the kernel about thin pools, as the node's own daemon does every ten seconds.
		if !slices.Contains([]string{"get_node", "check_health", "list_storage"}, q.tool) {
			m.call(q.tool, q.args)
		}
	}
	if n := m.asked("/disks/"); n != 0 {
		m.t.Errorf("F50: %d questions about disks without anybody asking for them", n)
	}
}
