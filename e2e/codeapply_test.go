package e2e

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
)

// TestCodeApply takes a homelab into state and changes a guest by its code, as an agent does, with the real provider: imports send no request
// that is no GET, what was not named is refused, a change reaches the cluster once, and a new plan finds nothing left to do.
func TestCodeApply(t *testing.T) {
	t.Parallel()
	w := pvesim.DemoWorld(time.Now())
	w.ApplySDN()
	tf, log := emptyTerraform(t), &requestLog{}
	token := pvesim.New(w).RootToken()
	c := &coded{cluster: startCluster(t, w, token, pvesim.WithLogger(slog.New(log))), log: log, tf: tf}
	c.writable(t, w)
	c.env = slices.Concat(c.env, []string{"TF_CLI_CONFIG_FILE=" + filepath.Join(filepath.Dir(c.tf.dir), "terraformrc")})
	if o := run(t, c.env, "", program(t), "sync"); o.code != 3 {
		t.Fatalf("sync: exit %d\n%s%s", o.code, o.stdout, o.stderr)
	}
	c.cli(t, "code", "export")
	a := &agentOf{t: t, talk: c.server(t, "serve", "--allow", "disruptive")}
	a.begin()

	id := a.plan(a.call("plan_code", nil, " to import, 0 to add, 0 to change, 0 to destroy", "(reversible)"))
	a.call("apply_code", map[string]any{"plan": id}, "done", "a new plan finds nothing left to do")
	if sent := c.writes(); len(sent) > 0 {
		t.Errorf("the imports sent %v", sent)
	}
	a.call("plan_code", nil, "there is nothing to do")

	vms := filepath.Join(filepath.Dir(c.database(t)), "code", "test", "terraform", "vms.tf")
	text, err := os.ReadFile(vms)
	if err != nil {
		t.Fatal(err)
	}
	const was = "replaced in spring, keep until the end of the year"
	if !strings.Contains(string(text), was) {
		t.Fatalf("no guest is described so in\n%s", text)
	}
	if err := os.WriteFile(vms, []byte(strings.Replace(string(text), was, "by code", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	a.call("plan_code", nil, "1 to change", "not kept: it would change proxmox_virtual_environment_vm.old_mailserver")
	id = a.plan(a.call("plan_code", map[string]any{"change": []string{"proxmox_virtual_environment_vm.old_mailserver"}}, "1 to change", "(disruptive)", "by code"))
	if sent := c.writes(); len(sent) > 0 {
		t.Errorf("planning sent %v", sent)
	}
	c.tellsNothing(t, filepath.Dir(vms), a.heard(), token)
	a.call("apply_code", map[string]any{"plan": id}, "done", "a new plan finds nothing left to do")
	c.sim.Update(func(w *pvesim.World) {
		if got := w.Guest(211).Config["description"]; got != "by code" {
			t.Errorf("the description is %q", got)
		}
	})
	for _, r := range c.writes() {
		if !strings.Contains(r, "/qemu/211/") {
			t.Errorf("sent: %s", r)
		}
	}
	for _, name := range []string{"terraform.tfstate", "terraform.tfstate.backup"} {
		if info, err := os.Stat(filepath.Join(filepath.Dir(vms), name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	if out := c.cli(t, "audit", "verify"); !strings.Contains(out, "sound") {
		t.Errorf("audit verify: %s", out)
	}
}

// agentOf calls tools of a server over stdio.
type agentOf struct {
	*talk
	t *testing.T
	n int
}

func (a *agentOf) begin() {
	a.say(a.t, `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"test","version":"1"}}}`)
	a.say(a.t, `{"jsonrpc":"2.0","method":"notifications/initialized"}`)
}

// call calls a tool, again while it says that its plan is not there yet, and wants words in its answer.
func (a *agentOf) call(tool string, args map[string]any, words ...string) string {
	a.t.Helper()
	raw, err := json.Marshal(map[string]any{"name": tool, "arguments": args})
	if err != nil {
		a.t.Fatal(err)
	}
	for range 10 {
		a.n++
		a.say(a.t, fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":%s}`, a.n, raw))
		var answer struct {
			ID     int
			Result struct{ Content []struct{ Text string } }
			Error  any
		}
		for range 8 { // until waits half a minute
			if strings.Contains(a.heard(), fmt.Sprintf(`"id":%d,`, a.n)) {
				break
			}
			time.Sleep(time.Second)
		}
		for line := range strings.Lines(a.until(a.t, fmt.Sprintf(`"id":%d,`, a.n))) {
			if json.Unmarshal([]byte(line), &answer) == nil && answer.ID == a.n && answer.Result.Content != nil {
				break
			}
		}
		if answer.ID != a.n || len(answer.Result.Content) == 0 {
			a.t.Fatalf("%s: no answer in\n%s", tool, a.heard())
		}
		text := answer.Result.Content[0].Text
		if strings.Contains(text, "still planning") || strings.Contains(text, " applying (") {
			continue
		}
		for _, w := range words {
			if !strings.Contains(text, w) {
				a.t.Fatalf("%s %s does not say %q:\n%s", tool, raw, w, text)
			}
		}
		return text
	}
	a.t.Fatalf("%s does not end", tool)
	return ""
}

// plan is the id of the plan that an answer names.
func (a *agentOf) plan(text string) string {
	a.t.Helper()
	id := regexp.MustCompile(`p-[a-z2-7]{8}`).FindString(text)
	if id == "" {
		a.t.Fatalf("no plan in\n%s", text)
	}
	return id
}

// tellsNothing looks for the token's secret in the saved plan, in each file but the configuration, and in what was said.
func (c *coded) tellsNothing(t *testing.T, dir, said, token string) {
	t.Helper()
	secret := token[strings.LastIndexByte(token, '=')+1:]
	home := strings.TrimPrefix(c.env[1], "HOME=")
	plans, err := filepath.Glob(filepath.Join(filepath.Dir(c.database(t)), "plans", "*.tfplan"))
	if err != nil || len(plans) != 1 {
		t.Fatalf("saved plans: %v, %v", plans, err)
	}
	c.tf.dir = dir
	places := map[string]string{"answers": said, "the saved plan": c.tf.run(t, 0, nil, "show", "-json", plans[0])}
	err = filepath.WalkDir(home, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || d.Name() == "config.yaml" || strings.Contains(path, "/.terraform/") {
			return err
		}
		raw, err := os.ReadFile(path)
		places[path] = string(raw)
		return err
	})
	if err != nil || !strings.Contains(places["the saved plan"], "by code") {
		t.Errorf("%d places: %v", len(places), err)
	}
	for place, text := range places {
		if strings.Contains(text, secret) {
			t.Errorf("the token is in %s", place)
		}
	}
}
