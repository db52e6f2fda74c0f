package cli

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestManuals: each command has a page that names all of its flags, and the formatter has nothing to complain about.
func TestManuals(t *testing.T) {
	pages := Manuals()
	commands := below(tree())
	if len(pages) != len(commands) || len(pages) < 50 {
		t.Errorf("%d pages for %d commands", len(pages), len(commands))
	}
	for _, c := range commands {
		text := pages[manualName(c)+".1"]
		for line := range strings.Lines(c.NonInheritedFlags().FlagUsages()) {
			name, _, _ := strings.Cut(strings.TrimLeft(line, " -"), " ")
			if name = strings.TrimSuffix(name, ","); len(name) > 1 && !strings.Contains(text, `\-\-`+strings.ReplaceAll(name, "-", `\-`)+`\fR`) {
				t.Errorf("%s: no --%s", c.CommandPath(), name)
			}
		}
	}
	groff, err := exec.LookPath("groff")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("groff is missing")
		}
		t.Skip("groff is missing")
	}
	for name, text := range pages {
		cmd := exec.CommandContext(t.Context(), groff, "-man", "-Tutf8", "-ww", "-z")
		cmd.Stdin = strings.NewReader(text)
		if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

// TestCompletions: bash can read its script, and each names the program.
func TestCompletions(t *testing.T) {
	files, err := Completions()
	if err != nil || len(files) != 4 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for name, text := range files {
		if !strings.Contains(text, "proxmox-mcp") {
			t.Errorf("%s does not name the program", name)
		}
	}
	cmd := exec.CommandContext(t.Context(), "bash", "-n")
	cmd.Stdin = strings.NewReader(files["proxmox-mcp.bash"])
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
