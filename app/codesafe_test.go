package app

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/proxmox-mcp/proxmox-mcp/change"
	"github.com/proxmox-mcp/proxmox-mcp/cli"
)

// TestCodeCanaries: the token reaches the program by its environment, and however often the program says it again, it is in no answer, no
// log, no argument and no file.
func TestCodeCanaries(t *testing.T) {
	t.Parallel()
	p := newPlanner(t)
	var said, log bytes.Buffer
	logger, err := p.app.logger(cli.Globals{LogLevel: "debug"}, &log)
	if err != nil {
		t.Fatal(err)
	}
	p.p.log = logger
	p.allow(change.Disruptive)
	p.door = "cli" // any folder, whose name may be anything
	secret := p.cluster.Token.Reveal()
	secret = secret[strings.LastIndexByte(secret, '=')+1:]
	ask := func(tool, args string) string {
		t.Helper()
		text, err := p.call(tool, args)
		if err != nil {
			text += err.Error()
		}
		said.WriteString(text + "\n")
		return text
	}
	const named = `{"change":["proxmox_virtual_environment_vm.runner"]}`
	p.plans(strings.ReplaceAll(memory, `"dedicated":2048}`, `"dedicated":2048,"note":"$PROXMOX_VE_API_TOKEN"}`))
	p.does(`echo "{\"type\":\"apply_start\",\"@message\":\"with $PROXMOX_VE_API_TOKEN\"}"; echo "$PROXMOX_VE_API_TOKEN" >&2
echo "{\"type\":\"diagnostic\",\"diagnostic\":{\"severity\":\"error\",\"summary\":\"401 for $PROXMOX_VE_API_TOKEN\",\"detail\":\"$PROXMOX_VE_API_TOKEN\"}}"; exit 1`)
	ask("check_code", `{}`)
	if id := planShape.FindString(ask("plan_code", named)); id != "" {
		ask("apply_code", `{"plan":"`+id+`"}`)
		ask("get_plan", `{"plan":"`+id+`","format":"json"}`)
	}
	if p.calls("apply") != 1 || !strings.Contains(said.String(), "401 for ") || !strings.Contains(said.String(), "note") {
		t.Errorf("it was not applied, or what the program said was not shown:\n%s", said.String())
	}
	p.put("fails", "")
	ask("check_code", `{}`)
	ask("plan_code", `{}`)
	ask("find_operations", `{}`)

	places := map[string]string{"answers": said.String(), "log": log.String()}
	for _, dir := range []string{p.home, p.own} {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || d.Name() == "config.yaml" || path == filepath.Join(p.own, "env") {
				return err
			}
			data, err := os.ReadFile(path)
			places[path] = string(data)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for place, text := range places {
		if at := strings.Index(text, secret); at >= 0 {
			t.Errorf("the token is in %s: ...%.80q", place, text[max(0, at-40):])
		}
	}
	if raw, err := os.ReadFile(filepath.Join(p.own, "env")); err != nil || !strings.Contains(string(raw), secret) {
		t.Errorf("the program did not have the token: %v", err)
	}
}

// TestNothingApplies: no check, no plan and no generated file applies or destroys anything: what is written is searched, what can be called is
// tried.
func TestNothingApplies(t *testing.T) {
	t.Parallel()
	p := newPlanner(t)
	p.allow(change.Host)
	p.plans(memory, doomed202)
	p.sim.ResetStats()
	for _, call := range [][2]string{{"check_code", `{}`}, {"run_checks", `{}`}, {"diff_code", `{}`}, {"export_code", `{}`}, {"plan_code", `{}`},
		{"plan_code", `{"change":["proxmox_virtual_environment_vm.runner"],"destroy":["proxmox_virtual_environment_vm.docker1"]}`}} {
		if _, err := p.call(call[0], call[1]); err != nil {
			t.Errorf("%s: %v", call[0], err)
		}
	}
	for _, verb := range []string{"apply", "destroy", "import", "state", "taint", "force-unlock"} {
		if n := p.calls(verb); n > 0 {
			t.Errorf("terraform %s was called %d times", verb, n)
		}
	}
	if n := p.sim.Stats().Writes; n > 0 {
		t.Errorf("%d writes reached Proxmox VE", n)
	}
	applies := regexp.MustCompile(`command\s*=\s*apply|-auto-approve|\sdestroy\s*=\s*true|(?m)^\s*(ansible\.builtin\.)?(command|shell|raw):`)
	searched := 0
	err := filepath.WalkDir(p.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.Contains(path, ".proxmox-mcp") || filepath.Ext(path) == ".md" {
			return err
		}
		searched++
		raw, err := os.ReadFile(path)
		if found := applies.Find(raw); found != nil {
			t.Errorf("%s holds %q", path, found)
		}
		return err
	})
	if err != nil || searched < 20 {
		t.Errorf("%d files: %v", searched, err)
	}
	source, err := filepath.Glob(filepath.Join("..", "iac", "runner", "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range source {
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if name := filepath.Base(f); name != "apply.go" && !strings.HasSuffix(name, "_test.go") && regexp.MustCompile(`"(apply|destroy|import|state)"`).Match(raw) {
			t.Errorf("%s calls what changes something", name)
		}
	}
}
