package outside_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/proxmox-mcp/proxmox-mcp/iac"
	"github.com/proxmox-mcp/proxmox-mcp/iac/outside"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

// TestEmit runs programs that answer well, badly and outside their folder. What is in this process's environment does not reach them.
func TestEmit(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	t.Setenv("PROXMOX_VE_API_TOKEN", "canary")
	for name, c := range map[string]struct {
		script string
		files  []string
		code   fault.Code
	}{
		"good":    {`grep -q '"cluster":"home"' && echo '{"version":1,"files":[{"path":"a/b.txt","text":"hi"}],"warnings":["w"]}'`, []string{"good/a/b.txt hi"}, ""},
		"env":     {`echo "{\"version\":1,\"files\":[{\"path\":\"t\",\"text\":\"$PROXMOX_VE_API_TOKEN\"}]}"`, []string{"env/t "}, ""},
		"escapes": {`echo '{"version":1,"files":[{"path":"../x","text":"hi"}]}'`, nil, fault.Invalid},
		"version": {`echo '{"version":2,"files":[]}'`, nil, fault.BadAnswer},
		"junk":    {`echo junk`, nil, fault.BadAnswer},
		"fails":   {`echo "no luck" >&2; exit 3`, nil, fault.BadAnswer},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(dir, outside.Prefix+name)
			if err := os.WriteFile(path, []byte("#!/bin/sh\n"+c.script+"\n"), 0o700); err != nil { //nolint:gosec // a program
				t.Fatal(err)
			}
			r, err := outside.Emitter{Program: name, Env: []string{"PATH=" + os.Getenv("PATH")}}.Emit(&iac.World{Cluster: "home"})
			var files []string
			for _, f := range r.Files {
				files = append(files, f.Path+" "+string(f.Data))
			}
			if diff := cmp.Diff(c.files, files); diff != "" || (err != nil) != (c.code != "") || err != nil && fault.CodeOf(err) != c.code {
				t.Errorf("%v\n%s", err, diff)
			}
			if name == "fails" && !strings.Contains(err.Error(), "no luck") {
				t.Errorf("the program's words are lost: %v", err)
			}
		})
	}
	if _, err := (outside.Emitter{Program: "missing"}).Emit(&iac.World{}); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("a program that is not there: %v", err)
	}
}
