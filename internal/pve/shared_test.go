package pve

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// shared gives the paths that match in the recordings beside the project; without them the test is skipped, in CI it fails.
func shared(t *testing.T, pattern ...string) []string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if filepath.Dir(dir) == dir {
			t.Fatal("no go.mod above the test")
		}
		dir = filepath.Dir(dir)
	}
	found, err := filepath.Glob(filepath.Join(append([]string{dir, "..", "shared"}, pattern...)...))
	if err != nil {
		t.Fatal(err)
	}
	if len(found) > 0 {
		return found
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("the recordings are missing: %v", pattern)
	}
	t.Skipf("the recordings are missing: %v", pattern)
	return nil
}

func readJSON(t *testing.T, path string, into any) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// recordedConfigs are all configurations of guests that the real API showed: those of the starting world with their snapshots, the
// answers to GET .../config of all scenarios, and the zoo.
func recordedConfigs(t *testing.T) map[string]json.RawMessage {
	t.Helper()
	out := map[string]json.RawMessage{}
	add := func(name string, raw json.RawMessage) {
		if len(raw) > 0 && raw[0] == '{' {
			out[name] = raw
		}
	}
	for _, path := range shared(t, "pve", "recordings", "*", "world.json") {
		var w struct {
			Guests []struct {
				VMID      json.Number     `json:"vmid"`
				Config    json.RawMessage `json:"config"`
				Snapshots []struct {
					Name   string          `json:"name"`
					Config json.RawMessage `json:"config"`
				} `json:"snapshots"`
			} `json:"guests"`
		}
		readJSON(t, path, &w)
		name := filepath.Base(filepath.Dir(path))
		for _, g := range w.Guests {
			add(name+"/"+g.VMID.String(), g.Config)
			for _, s := range g.Snapshots {
				add(name+"/"+g.VMID.String()+"@"+s.Name, s.Config)
			}
		}
	}
	for _, path := range shared(t, "pve", "recordings", "*", "[0-9]*.json") {
		var x struct {
			Request  struct{ Method, Path string }
			Response struct {
				Status int
				JSON   struct{ Data json.RawMessage }
			}
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		// An answer that is no object with data is the business of the client's tests.
		if json.Unmarshal(raw, &x) != nil || x.Request.Method != "GET" || x.Response.Status != 200 {
			continue
		}
		if p := x.Request.Path; strings.HasSuffix(p, "/config") && (strings.Contains(p, "/qemu/") || strings.Contains(p, "/lxc/")) {
			add(filepath.Base(filepath.Dir(path))+"/"+filepath.Base(path), x.Response.JSON.Data)
		}
	}
	for _, path := range shared(t, "terraform", "zoo", "*", "config.json") {
		var x struct{ Data json.RawMessage }
		readJSON(t, path, &x)
		add("zoo/"+filepath.Base(filepath.Dir(path)), x.Data)
	}
	return out
}
