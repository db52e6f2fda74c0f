package app

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/change"
	"github.com/proxmox-mcp/proxmox-mcp/config"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/images"
	"github.com/proxmox-mcp/proxmox-mcp/internal/redact"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// createRig is the program over the simulated home, with changes allowed.
func createRig(t *testing.T, m *matrixRig) func(tool string, args map[string]any) (string, error) {
	t.Helper()
	m.parts.sheriff.Grants = func(context.Context) ([]change.Grant, error) { return []change.Grant{{Tier: change.Host}}, nil }
	deps := tools.Deps{Inventory: m.parts.inv, Changes: m.parts.eng, Who: change.Caller{Principal: "local:1000", Door: "stdio"}, Now: time.Now, Zone: time.UTC}
	return func(tool string, args map[string]any) (string, error) { return answered(t, deps, tool, args) }
}

// createBubble runs fn over a cluster that was read and takes whatever is created, in virtual time.
func createBubble(t *testing.T, fn func(t *testing.T, m *matrixRig, call func(tool string, args map[string]any) (string, error))) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m := newMatrixRig(t, creatingRow())
		defer m.close()
		if _, err := m.sync(); err != nil {
			t.Fatal(err)
		}
		fn(t, m, createRig(t, m))
	})
}

// answered calls a tool and gives its text.
func answered(t *testing.T, deps tools.Deps, tool string, args map[string]any) (string, error) {
	t.Helper()
	spec, err := tools.Find(tool)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(args)
	if err != nil {
		t.Fatal(err)
	}
	res, err := spec.Call(t.Context(), deps, raw)
	if err != nil {
		return tools.ErrorText(err), err
	}
	return res.Answer.View(deps).Compact(), nil
}

// creatingRow is the simulated cluster without a guest, and a login that may change it.
func creatingRow() *faultRow {
	return &faultRow{prepare: func(w *pvesim.World) {
		for _, g := range w.Guests() {
			w.RemoveGuest(g.VMID)
		}
		w.Storage("local")["content"] = "iso,vztmpl,import"
		if i, err := images.Find("image", "debian", "import"); err == nil {
			w.Downloads = map[string]int64{i.URL: 300 << 20}
		}
	}, login: func(c *config.Cluster) {
		c.ReadOnly, c.Token = false, redact.NewSecret(pvesim.New(pvesim.DemoWorld(time.Now())).RootToken())
	}}
}

// TestDebianWithDocker: from a cluster without a guest one sentence, "a Debian VM with docker, and its address", takes at most 3 calls, and an
// undo leaves nothing but the image.
func TestDebianWithDocker(t *testing.T) {
	t.Parallel()
	createBubble(t, func(t *testing.T, m *matrixRig, call func(string, map[string]any) (string, error)) {
		text, err := call("create_vm", map[string]any{"name": "docker", "image": "debian", "packages": []string{"docker.io"}, "wait_for": "address"})
		for n := 1; err == nil && n < 3 && !strings.Contains(text, "address: "); n++ {
			switch {
			case strings.Contains(text, "get_plan"):
				text, err = call("get_plan", map[string]any{"plan": planIn(text), "wait_s": 45})
			default:
				text, err = call("get_guest", map[string]any{"guest": "docker", "fresh": true})
				text = strings.Replace(text, "ip: ", "address: ", 1)
			}
		}
		if err != nil || !strings.Contains(text, "address: ") {
			t.Fatalf("%v\n%s", err, text)
		}
		m.sim.Update(func(w *pvesim.World) {
			g := w.Guests()[0]
			if g.Config["agent"] != "1" || g.Status() != "running" || !strings.Contains(g.Config["ide2"].(string), "proxmox-mcp-seed-") {
				t.Errorf("%s %v", g.Status(), g.Config)
			}
		})
	})
}

func planIn(text string) string { return strings.Fields(strings.SplitN(text, "plan ", 2)[1])[0] }

// TestCreateContainer: a container of a template that is fetched first; a password is named, not given, and appears nowhere.
func TestCreateContainer(t *testing.T) {
	t.Parallel()
	createBubble(t, func(t *testing.T, m *matrixRig, call func(string, map[string]any) (string, error)) {
		if text, err := call("create_container", map[string]any{"name": "a", "template": "alpine", "password": "hunter2"}); fault.CodeOf(err) != fault.Invalid || strings.Contains(text, "hunter2") {
			t.Errorf("%v\n%s", err, text)
		}
		text, err := call("create_container", map[string]any{"name": "files", "template": "alpine", "mounts": []string{"20,mp=/data"}, "ip": "192.168.1.90/24,gw=192.168.1.1", "start": true})
		if err != nil || !strings.Contains(text, "done (reversible)") {
			t.Fatalf("%v\n%s", err, text)
		}
		m.sim.Update(func(w *pvesim.World) {
			for _, g := range w.Guests() {
				if g.Config["hostname"] == "files" && (g.Status() != "running" || !strings.Contains(g.Config["mp0"].(string), "mp=/data") || !strings.Contains(g.Config["net0"].(string), "ip=192.168.1.90/24")) {
					t.Errorf("%s %v", g.Status(), g.Config)
				}
			}
		})
		text, err = call("create_container", map[string]any{"name": "leased", "template": "alpine", "ip": "dhcp", "wait_for": "address", "wait_s": 45})
		if err != nil || !strings.Contains(text, "address: 198.18.") {
			t.Errorf("%v\n%s", err, text)
		}
		if text, err := call("create_container", map[string]any{"name": "b", "template": "oci://docker.io/library/nginx:1.29"}); fault.CodeOf(err) != fault.Denied || !strings.Contains(text, "docker.io") {
			t.Errorf("%v\n%s", err, text)
		}
	})
}
