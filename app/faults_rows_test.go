package app

import (
	"slices"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/config"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/redact"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
)

// faultRow is one row of the fault matrix (facts: faults.md 4) as far as reading meets it.
type faultRow struct {
	id, name string
	prepare  func(w *pvesim.World)
	login    func(c *config.Cluster)
	inject   func(m *matrixRig) (end func())
	after    time.Duration // that passes before somebody asks; at least the freshness limit does

	dark      []string // nodes of whose guests nothing can be known once the fault was met
	all       bool     // nothing of the cluster can be read
	hides     bool     // guests are hidden by missing rights
	deaf      []string // nodes that cannot be asked, though their guests' states are known
	odd       []int    // guests that this fault spoils alone
	statsOnly bool     // the dark nodes answer, only their statistics do not move
	blind     bool     // something could not be read, and answers must say so
	quiet     bool     // the client copes: nobody notices
	tells     string   // the one tool that notices what is else quiet
	slow      bool     // calls end by their deadline
	lateNames bool     // the world's names change with the fault
	late      bool     // a guest itself changes with the fault: until that was met, what was true before is shown
	reborn    int      // a vmid that another guest takes over

	codes     []fault.Code // that a first contact fails with; none = it is answered
	mayCodes  []fault.Code // that a first contact may fail with, for as long as the fault lasts
	listOnly  bool         // only lists are spoilt: one guest by itself can be read
	early     bool         // told when it was met, not by ticks, which read no configuration
	says      []string     // cause and next step, as told by any tool or by sync
	emptySays []string     // the same at first contact, where it differs
	changed   func(line string) bool
	corrected func(line string) bool // what a first contact under the fault had wrong, set right later
	rest      time.Duration          // that passes after the fault before all is well
	recover   func(m *matrixRig)
	check     func(m *matrixRig)
}

// light says that a node's guests can be known as ever.
func (row *faultRow) light(node string) bool { return !row.all && !slices.Contains(row.dark, node) }

// readsGuest says that a call reads one guest by itself, which this fault leaves alone.
func (row *faultRow) readsGuest(r reply) bool {
	return r.tool == "get_guest" && (row.listOnly || row.statsOnly && r.fresh)
}

// ofGuest says that the call names a guest, which somebody must have seen before.
func (r reply) ofGuest() bool {
	return slices.Contains([]string{"get_guest", "get_metrics", "diagnose_guest", "get_history", "find_recovery"}, r.tool)
}

// mayFail says that an error is a true answer.
func (row *faultRow) mayFail(st stage, r reply) bool {
	code := r.err.Code
	switch {
	case r.tool == "sync_inventory" && row.all:
		return true // nobody knows of a sync that has failed but who asked for it
	case r.tool == "get_task" && st.empty && code == fault.NotFound:
		return true // a handle means nothing to an empty store
	case r.ofGuest() && row.hides && code == fault.NotFound:
		return strings.Contains(r.text, "not visible does not mean") || strings.Contains(r.text, "the first sync") && r.err.Retryable
	case r.ofGuest() && row.odd != nil && st.empty && code == fault.NotFound:
		return true
	}
	return st.empty && (slices.Contains(row.codes, code) || slices.Contains(row.mayCodes, code))
}

// add is a row's inject for faults of the simulator.
func add(faults ...pvesim.Fault) func(*matrixRig) func() {
	return func(m *matrixRig) func() {
		var ends []func()
		for _, f := range faults {
			ends = append(ends, m.sim.AddFault(f))
		}
		return func() {
			for _, e := range ends {
				e()
			}
		}
	}
}

// world is a row's inject for what is changed in the world and back.
func world(do, undo func(w *pvesim.World)) func(*matrixRig) func() {
	return func(m *matrixRig) func() {
		m.sim.Update(do)
		return func() { m.sim.Update(undo) }
	}
}

func onNode(f pvesim.Fault, node string) pvesim.Fault { f.Node = node; return f }

func onPath(f pvesim.Fault, glob string) pvesim.Fault { f.Path = glob; return f }

func times(f pvesim.Fault, n int) pvesim.Fault { f.Count = n; return f }

// refused makes both endpoints refuse connections.
func refused(m *matrixRig) func() {
	for _, e := range matrixEndpoints {
		m.net.refuse(e.addr, true)
	}
	return func() {
		for _, e := range matrixEndpoints {
			m.net.refuse(e.addr, false)
		}
	}
}

func byPassword(c *config.Cluster) {
	c.Token, c.Username, c.Password = redact.Secret{}, matrixUser, redact.NewSecret(matrixPassword)
}

// enable switches the account on or off.
func enable(on bool) func(*pvesim.World) {
	return func(w *pvesim.World) {
		for _, u := range w.Access.Users {
			if u.ID == matrixUser {
				u.Enabled = on
			}
		}
	}
}

func onlyGuests(w *pvesim.World) { revoke(w); grant(w, "/vms", "PVEAuditor") }

func regrant(w *pvesim.World) { revoke(w); grantAll(w) }

// proxied are the codes of a front that answers for a whole cluster.
var proxied = []fault.Code{fault.Unreachable, fault.Timeout}

// faultRows are all rows.
func faultRows() []faultRow {
	return slices.Concat(connectionRows(), rightsRows(), nodeRows(), dataRows(), frontRows())
}

func connectionRows() []faultRow {
	return []faultRow{
		{id: "F01", name: "connections close under a request", inject: add(pvesim.CloseRace(3)), quiet: true},
		{id: "F02", name: "a connection ends after 100 requests", quiet: true, inject: func(m *matrixRig) func() {
			for range 50 {
				m.call("list_nodes", map[string]any{"fresh": true})
			}
			return func() {}
		}, check: func(m *matrixRig) {
			if st := m.sim.Stats(); st.Requests < 150 || st.Connections < 2 {
				m.t.Errorf("only %d requests on %d connections", st.Requests, st.Connections)
			}
		}},
		{id: "F03", name: "errors end connections", inject: add(onNode(pvesim.ProxyError(595, "No route to host"), "node03")), dark: []string{"node03"},
			blind: true, says: []string{"node03 does not answer"}, check: func(m *matrixRig) {
				m.sim.ResetStats()
				m.watch(5 * time.Minute)
				asked := 0
				for _, r := range m.sim.Requests() {
					if r.Node == "node03" {
						asked++
					}
				}
				// The breaker's pause grows from 10 s to 60 s; each probe is one request and its one retry.
				if asked > 24 {
					m.t.Errorf("F03: %d requests in 5 min to a node that does not answer", asked)
				}
			}},
		{id: "F04", name: "401 for a token, 3 s late", inject: world(enable(false), enable(true)), all: true, blind: true,
			codes: []fault.Code{fault.Unauthenticated}, says: []string{"does not accept the credentials of mcp@pve!matrix (401)", "check that the token or user exists", "observed"},
			emptySays: []string{"does not accept the credentials of mcp@pve!matrix (401)", "hint: check that the token or user exists"}},
		{id: "F04", name: "401 for a password", login: byPassword, inject: func(m *matrixRig) func() {
			m.sim.Update(enable(false))
			m.sim.ResetStats()
			return func() { m.sim.Update(enable(true)) }
		}, all: true, blind: true, codes: []fault.Code{fault.Unauthenticated}, says: []string{"does not accept the credentials of mcp@pve (401)"},
			check: func(m *matrixRig) {
				// A refused login rests for 30 s, whether its caller waited for it or not.
				if n, most := m.sim.Stats().Logins, int(time.Since(bubbleNow())/(30*time.Second))+3; n == 0 || n > most {
					m.t.Errorf("F04: %d logins with refused credentials, bound %d", n, most)
				}
			}},
		{id: "F05", name: "tickets expire", login: byPassword, quiet: true, after: 2*time.Hour + 5*time.Minute,
			inject: func(m *matrixRig) func() { m.sim.ResetStats(); return func() {} }, check: func(m *matrixRig) {
				if n := m.sim.Stats().Logins; n > 3 {
					m.t.Errorf("F05: %d logins", n)
				}
			}},
		{id: "F06", name: "a clock that jumps back", login: byPassword, inject: add(pvesim.ClockSkew("", -412*time.Second)), quiet: true},
		{id: "F06", name: "a clock ahead and a refused login", login: byPassword, inject: func(m *matrixRig) func() {
			m.sim.Update(enable(false))
			end := m.sim.AddFault(pvesim.ClockSkew("", 412*time.Second))
			return func() { end(); m.sim.Update(enable(true)) }
		}, all: true, blind: true, codes: []fault.Code{fault.Unauthenticated}, says: []string{"node clock 412 s ahead", "NTP"}},
	}
}

func rightsRows() []faultRow {
	sep := matrixUser + "!" + matrixToken
	return []faultRow{
		{id: "F07", name: "a separated token without an ACL", hides: true, blind: true,
			inject: world(func(w *pvesim.World) { w.RemoveACL("", sep) }, regrant),
			says:   []string{"0 visible is not 0 exist", "privilege separation", "pveum acl modify"},
			// With a full store the guests are known, so that only the reason is told.
			emptySays: []string{"0 visible is not 0 exist", "privilege separation", "pveum acl modify"}},
		{id: "F08", name: "a partial ACL", hides: true, blind: true, inject: world(func(w *pvesim.World) {
			revoke(w)
			grant(w, "/vms/1000", "PVEAuditor")
			grant(w, "/vms/1001", "PVEAuditor")
		}, regrant), says: []string{"/vms/1000", "others may exist"}},
		{id: "F09", name: "the reason in the phrase alone", blind: true, inject: func(m *matrixRig) func() {
			m.sim.Update(onlyGuests)
			end := m.sim.AddFault(pvesim.PhraseOnly())
			return func() { end(); m.sim.Update(regrant) }
		}, says: []string{"Sys.Audit", "is missing on /", "not visible to this token", "pveum acl modify"}, check: forbiddenTask},
		{id: "F10", name: "no reason at all", blind: true, inject: func(m *matrixRig) func() {
			m.sim.Update(onlyGuests)
			one, two := m.sim.AddFault(pvesim.PhraseOnly()), m.sim.AddFault(pvesim.NoPhrase())
			return func() { one(); two(); m.sim.Update(regrant) }
		}, says: []string{"403", "did not name the missing privilege"}, check: forbiddenTask},
	}
}

// forbiddenTask asks for a task that this account may not see: the error names the way out.
func forbiddenTask(m *matrixRig) {
	m.t.Helper()
	r := m.call("get_task", map[string]any{"task": "UPID:node01:0000ABCD:00112233:65A1B2C3:vzdump:100:root@pam:"})
	if r.err == nil {
		m.t.Errorf("a task that nobody knows was answered:\n%s", r.text)
	}
	m.call("get_task", map[string]any{"task": m.upid("node01")})
}

func nodeRows() []faultRow {
	node3, node1 := []string{"node03"}, []string{"node01"}
	return []faultRow{
		{id: "F11", name: "a node down", inject: add(pvesim.NodeDown("node03")), dark: node3, blind: true,
			says: []string{"node03 is offline", "check power and network"}},
		{id: "F11", name: "the entry node down", inject: func(m *matrixRig) func() {
			end := m.sim.AddFault(pvesim.NodeDown("node01"))
			m.net.refuse(matrixEndpoints[0].addr, true)
			return func() { m.net.refuse(matrixEndpoints[0].addr, false); end() }
		}, dark: node1, blind: true, says: []string{"node01 is offline"}},
		{id: "F11", name: "a node counted as online that answers nothing", inject: add(onNode(pvesim.ProxyError(595, "Connection refused"), "node03")),
			dark: node3, blind: true, says: []string{"node node03 does not answer"}},
		{id: "F12", name: "a node's certificate is stale", inject: add(pvesim.StaleNodeCertificate("node03")), dark: node3, blind: true,
			says: []string{"node03 cannot be reached", "certificate verify failed", "pvecm updatecerts"}},
		{id: "F13", name: "a node hangs", inject: add(pvesim.NodeHangs("node03")), dark: node3, blind: true, slow: true,
			says: []string{"node03 does not answer"}},
		{id: "F14", name: "answers cut", inject: add(pvesim.CutBody(20)), all: true, blind: true, codes: []fault.Code{fault.BadAnswer}, says: []string{"was cut off"}},
		{id: "F14", name: "JSON truncated", inject: add(pvesim.TruncateBody(20)), all: true, blind: true, codes: []fault.Code{fault.BadAnswer},
			says: []string{"is not what Proxmox VE sends"}},
		{id: "F14", name: "597 for everything", inject: add(pvesim.ProxyError(597, "read timeout")), all: true, blind: true,
			codes: []fault.Code{fault.BadAnswer}, says: []string{"597"}},
		{id: "F14", name: "599 for one node", inject: add(onNode(pvesim.ProxyError(599, "invalid response"), "node03")), early: true, deaf: node3,
			says: []string{"node03", "599"}},
		{id: "F14", name: "answers stop in the middle", inject: add(pvesim.StallBody(20)), all: true, blind: true, slow: true,
			codes: []fault.Code{fault.Timeout, fault.Unreachable}, says: []string{"observed", "in time"}, emptySays: []string{"in time"}},
		{id: "F15", name: "a node off for more than 300 s", inject: add(pvesim.NodeDown("node03")), after: 301 * time.Second, dark: node3, blind: true,
			says: []string{"node03 is offline"}},
		{id: "F16", name: "pvestatd hangs", inject: add(pvesim.StatsExpired("node02")), after: 301 * time.Second, dark: []string{"node02"}, statsOnly: true,
			blind: true, says: []string{"node02", "stat", "pvestatd"}},
		{id: "F17", name: "no quorum", inject: add(pvesim.NoQuorum()), quiet: true, says: []string{"no quorum: nothing can be changed", "bring nodes back"}},
		{id: "F18", name: "a standalone node", inject: add(pvesim.Standalone()), quiet: true, says: []string{"not applicable: a standalone node"}},
	}
}

func dataRows() []faultRow {
	return []faultRow{
		{id: "F34", name: "numbers as strings", inject: add(pvesim.FlipTypes(pvesim.NumbersAsStrings)), quiet: true},
		{id: "F34", name: "strings as numbers", inject: add(pvesim.FlipTypes(pvesim.StringsAsNumbers)), quiet: true},
		{id: "F34", name: "mixed types", inject: add(pvesim.FlipTypes(pvesim.MixedTypes)), quiet: true},
		{id: "F34", name: "keys of the future", inject: add(onPath(pvesim.ExtraKeys(), "/cluster/*")), quiet: true},
		{id: "F34", name: "a guest of nonsense", inject: add(pvesim.GarbageGuest(onNode2)), odd: []int{onNode2}, blind: true, says: []string{"could not be read", "others are shown"}},
		{id: "F35", name: "no backup-info", inject: add(pvesim.MissingAPI("/cluster/backup-info/*")), quiet: true, rest: 61 * time.Minute,
			emptySays: []string{"no_backup: cluster/backup-info/not-backed-up could not be read"}},
		{id: "F35", name: "no node status", inject: add(pvesim.MissingAPI("/nodes/*/status")), rest: 61 * time.Minute,
			says: []string{"details of node node01 could not be read", "does not have GET /nodes/node01/status"}},
		{id: "F51", name: "hostile texts", inject: add(pvesim.HostileNames()), quiet: true, lateNames: true, changed: func(line string) bool {
			return strings.HasPrefix(line, "renamed guest/") || strings.HasPrefix(line, "changed guest/") && strings.Contains(line, " config ")
		}, check: checkHostile},
		{id: "F54", name: "data null", inject: add(pvesim.NullData()), all: true, blind: true, codes: []fault.Code{fault.BadAnswer}, says: []string{"null"}},
		{id: "F54", name: "data null for the list alone", listOnly: true, inject: add(onPath(pvesim.NullData(), "/cluster/resources")), all: true, blind: true,
			codes: []fault.Code{fault.BadAnswer}, says: []string{"null"}},
	}
}

func frontRows() []faultRow {
	front := func(status int, retry time.Duration, code fault.Code) faultRow {
		says := "a proxy in front of Proxmox VE"
		return faultRow{id: "F46", name: "a front answers " + map[int]string{429: "429", 502: "502", 503: "503", 504: "504"}[status],
			inject: add(pvesim.Gateway(status, retry)), all: true, blind: true, codes: []fault.Code{code, fault.Timeout}, says: []string{says}}
	}
	return []faultRow{
		{id: "F41", name: "certificates rotated", inject: func(m *matrixRig) func() {
			for _, e := range matrixEndpoints {
				m.sim.RotateCertificate(e.node)
			}
			return func() {}
		}, all: true, blind: true, codes: []fault.Code{fault.Untrusted}, says: []string{"is not the pinned one", "pinned is", "do not continue unless"}, check: checkPins,
			emptySays: []string{"do not continue unless you changed the certificate yourself", "pvenode cert info", "PROXMOX_VE_FINGERPRINT="}, recover: repin},
		{id: "F41", name: "somebody in between", inject: intruder, all: true, blind: true, codes: []fault.Code{fault.Untrusted}, says: []string{"is not the pinned one"}},
		front(429, 0, fault.RateLimited), front(502, 0, fault.Unreachable), front(503, 7*time.Second, fault.Unreachable), front(504, 0, fault.Unreachable),
		{id: "F46", name: "503 with Retry-After for a moment", inject: add(times(onPath(pvesim.Gateway(503, 7*time.Second), "/cluster/resources"), 1)), quiet: true,
			mayCodes: []fault.Code{fault.Timeout}, // 7 s are more than the 5 s of a first read
			check:    checkRetryAfter},
		{id: "F47", name: "connections refused", inject: refused, all: true, blind: true, codes: proxied, says: []string{"refuses the connection", "is pveproxy running there?"},
			emptySays: []string{"refuses the connection", "is pveproxy running there?"}},
		{id: "F47", name: "connections reset", inject: add(pvesim.Refuse("")), all: true, blind: true, codes: proxied, says: []string{"does not answer"}},
		{id: "F47", name: "a restart of 5 s", quiet: true, mayCodes: []fault.Code{fault.Unreachable}, inject: func(m *matrixRig) func() {
			end := refused(m)
			time.AfterFunc(5*time.Second, end)
			return func() {}
		}},
	}
}
