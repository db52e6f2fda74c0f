package e2e

import (
	"strings"
	"testing"
)

// TestInspectorResources: the Inspector lists and reads resources of each kind, templates, and prompts with arguments, over stdio.
func TestInspectorResources(t *testing.T) {
	cl := startCluster(t, callsWorld(t), recordedToken)
	inspect := inspector(t, cl.env, program(t), "serve", "--protocol-era", "modern")
	for _, c := range []struct {
		ok   bool
		text string
		args []string
	}{
		{true, "pve://{cluster}/guests/{vmid}", []string{"--method", "resources/templates/list"}},
		{true, "vm 100 web on pve1", []string{"--method", "resources/read", "--uri", "pve://test/guests/100"}},
		{true, "pve1: online", []string{"--method", "resources/read", "--uri", "pve://test/nodes/pve1"}},
		{true, "vzdump", []string{"--method", "resources/read", "--uri", "pve://test/tasks/" + recordedTask(t)}},
		{true, "# Query grammar", []string{"--method", "resources/read", "--uri", "pve://docs/queries"}},
		{false, "is known", []string{"--method", "resources/read", "--uri", "pve://test/guests/999"}},
		{true, `"troubleshoot_guest"`, []string{"--method", "prompts/list"}},
		{true, `get_guest {\"guest\": \"web\"}`, []string{"--method", "prompts/get", "--prompt-name", "troubleshoot_guest", "--prompt-args", "guest=web"}},
		{false, "is required", []string{"--method", "prompts/get", "--prompt-name", "troubleshoot_guest"}},
	} {
		if o := inspect(c.args...); (o.code == 0) != c.ok || !strings.Contains(o.stdout+o.stderr, c.text) {
			t.Errorf("%v: exit %d without %q\n%s%s", c.args[1:], o.code, c.text, o.stdout, o.stderr)
		}
	}
}
