package proxmoxmcp_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/proxmox-mcp/proxmox-mcp"

// layers are the packages by height: imports point downwards only, and never sideways between the domain packages of one layer
// (DESIGN §1). A package that is not listed is refused, so that a new one has to find its place.
var layers = map[string]int{
	"cmd/proxmox-mcp": 9, "cli/refdocs": 9, "deploy": 9,
	"app": 8,
	"cli": 7, "server": 7, "server/auth": 7, "resources": 7, "prompts": 7,
	"tools":     6,
	"inventory": 5, "change": 5, "iac": 5, "iac/terraform": 5, "iac/ansible": 5, "iac/checks": 5, "iac/docs": 5, "iac/pulumi": 5, "iac/outside": 5, "iac/repo": 5, "iac/code": 5, "iac/runner": 5,
	"proxmox": 4, "store": 4,
	"proxmox/pvesim": 4, "proxmox/pvesim/replay": 4, "store/storetest": 4, "store/pgtest": 4, // simulator and conformance suite: app and tests use them
	"config":           2,
	"internal/logfile": 2, "internal/images": 2, "internal/nocloud": 2, "internal/argv": 1, "internal/clients": 2,
	"docs": 1, "internal/telemetry": 1, "internal/early": 1, "internal/reach": 1, "internal/sealed": 1, "internal/limits": 1, "internal/buildinfo": 1, "internal/lazy": 1, "internal/near": 1, "internal/globs": 1, "internal/rawjson": 1, "internal/words": 1, "internal/clean": 1, "internal/fault": 1, "internal/pve": 1, "internal/redact": 1,
	"e2e": 9, "e2e/echo": 9, "e2e/conformance": 9, "e2e/tasks": 9,
}

// sideways are the imports inside a layer that are meant: the parts of one package tree.
var sideways = map[string]bool{
	"proxmox/pvesim/replay -> proxmox/pvesim":  true,
	"store/storetest -> store":                 true,
	"iac/terraform -> iac":                     true,
	"iac/ansible -> iac":                       true,
	"iac/checks -> iac":                        true,
	"iac/checks -> iac/terraform":              true,
	"iac/docs -> iac":                          true,
	"iac/pulumi -> iac":                        true,
	"iac/outside -> iac":                       true,
	"iac/repo -> iac":                          true,
	"iac/code -> iac":                          true,
	"iac/code -> iac/repo":                     true,
	"iac/code -> iac/checks":                   true,
	"iac/code -> iac/runner":                   true,
	"server/auth -> server":                    true,
	"internal/pve -> internal/lazy":            true,
	"internal/redact -> internal/lazy":         true,
	"internal/telemetry -> internal/buildinfo": true,
	"internal/telemetry -> internal/fault":     true,
}

// homes are the outside modules that stop at one door, with the reason.
var homes = []struct {
	module, reason string
	packages       []string
}{
	{"github.com/luthermonson/go-proxmox", "its defects stop at package proxmox", []string{"proxmox"}},
	{"github.com/uptrace/bun", "SQL has one home", []string{"store"}},
	{"modernc.org/sqlite", "SQL has one home", []string{"store"}},
	{"github.com/jackc/pgx", "SQL has one home", []string{"store"}},
	{"github.com/mark3labs/mcp-go", "the domain does not know which door a call came through", []string{"server", "resources", "prompts", "tools", "e2e/echo", "e2e/conformance"}},
	{"github.com/hashicorp/hcl", "HCL is written and merged in one tree", []string{"iac"}},
	{"github.com/zclconf/go-cty", "HCL is written and merged in one tree", []string{"iac"}},
	{"github.com/spf13/cobra", "commands are made in one place", []string{"cli"}},
}

type listed struct {
	ImportPath string
	Imports    []string
}

func packages(t *testing.T) []listed {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports", "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	var all []listed
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// TestImports enforces the direction of imports and the homes of outside modules.
func TestImports(t *testing.T) {
	for _, p := range packages(t) {
		from := strings.TrimPrefix(p.ImportPath, module+"/")
		if p.ImportPath == module {
			continue
		}
		height, ok := layers[from]
		if !ok {
			t.Errorf("package %s has no place in the layers of imports_test.go", from)
			continue
		}
		for _, imp := range p.Imports {
			checkHome(t, from, imp)
			to, internal := strings.CutPrefix(imp, module+"/")
			if !internal || sideways[from+" -> "+to] {
				continue
			}
			if layers[to] >= height {
				t.Errorf("%s imports %s: imports point downwards only", from, to)
			}
		}
	}
}

func checkHome(t *testing.T, from, imp string) {
	t.Helper()
	for _, h := range homes {
		if imp != h.module && !strings.HasPrefix(imp, h.module+"/") {
			continue
		}
		allowed := false
		for _, p := range h.packages {
			allowed = allowed || from == p || strings.HasPrefix(from, p+"/")
		}
		if !allowed {
			t.Errorf("%s imports %s: %s", from, imp, h.reason)
		}
	}
}
