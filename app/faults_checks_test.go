package app

import (
	"strings"
	"time"
	"unicode"

	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
)

// upid is that of the newest task of a node.
func (m *matrixRig) upid(node string) string {
	var id string
	m.sim.Update(func(w *pvesim.World) { id = w.Node(node).Tasks[0].UPID })
	return id
}

// checkPins wants the pinned fingerprints and one that came instead in the text (F41).
func checkPins(m *matrixRig) {
	m.t.Helper()
	came := false
	for i, e := range matrixEndpoints {
		came = came || strings.Contains(m.heard.String(), m.sim.Fingerprint(e.node))
		if !strings.Contains(m.heard.String(), m.pins[i]) {
			m.t.Errorf("F41: the pinned fingerprint %s is not shown", m.pins[i])
		}
	}
	if !came {
		m.t.Error("F41: no new fingerprint is shown")
	}
}

// repin is what a person does after a rotation: new pins in the configuration, the program started anew on the same store.
func repin(m *matrixRig) {
	m.t.Helper()
	m.closeParts()
	for i, e := range matrixEndpoints {
		m.pins[i] = m.sim.Fingerprint(e.node)
	}
	m.open()
}

// intruder puts another cluster, which is empty, at the known addresses.
func intruder(m *matrixRig) func() {
	m.t.Helper()
	w := matrixWorld(m.t)
	for _, g := range w.Guests() {
		w.RemoveGuest(g.VMID)
	}
	other := pvesim.New(w)
	old := map[string]*pvesim.PipeListener{}
	for _, e := range matrixEndpoints {
		old[e.addr] = m.serve(other, e.addr, e.node)
	}
	// Connections to the true nodes that are still open end by themselves, idle.
	time.Sleep(6 * time.Second)
	return func() {
		for _, r := range other.Requests() {
			m.t.Errorf("the intruder was sent %s %s", r.Method, r.Path)
		}
		for addr, l := range old {
			m.net.set(addr, l)
		}
	}
}

// checkRetryAfter sees that a front that asks for 7 s gets them.
func checkRetryAfter(m *matrixRig) {
	m.t.Helper()
	m.sim.AddFault(times(onPath(pvesim.Gateway(503, 7*time.Second), "/cluster/resources"), 1))
	time.Sleep(time.Minute)
	if r := m.call("list_nodes", map[string]any{"fresh": true}); r.took < 7*time.Second || r.took > 12*time.Second || len(r.warnings) > 0 {
		m.t.Errorf("F46: Retry-After of 7 s, answered after %s:\n%s", r.took, r.text)
	}
}

// checkHostile wants no character in any answer that steers a terminal or hides from a reader, and no answer of boundless length.
func checkHostile(m *matrixRig) {
	m.t.Helper()
	for _, r := range m.heard.String() {
		if r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r)) {
			m.t.Fatalf("F51: %U in an answer", r)
		}
	}
	for _, escaped := range []string{`\u000`, `\u001`, `\u202e`, `\u200b`} {
		if strings.Contains(m.heard.String(), escaped) {
			m.t.Errorf("F51: %s in JSON", escaped)
		}
	}
	for line := range strings.SplitSeq(m.heard.String(), "\n") {
		if len(line) > 60_000 {
			m.t.Errorf("F51: a line of %d bytes", len(line))
		}
	}
	if !strings.Contains(m.heard.String(), "red") {
		m.t.Error("F51: the hostile names were never shown")
	}
}
