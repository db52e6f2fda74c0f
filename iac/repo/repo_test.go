package repo_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/proxmox-mcp/proxmox-mcp/iac"
	"github.com/proxmox-mcp/proxmox-mcp/iac/repo"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

// rig is a folder that is written to.
type rig struct {
	*testing.T
	dir string
}

func (r *rig) plan(files ...iac.File) (*repo.Folder, *repo.Change) {
	r.Helper()
	f, err := repo.Open(r.dir)
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { _ = f.Close() })
	c, err := f.Plan(&iac.World{Cluster: "lab"}, []repo.Set{{Name: "terraform", Files: files}})
	if err != nil {
		r.Fatal(err)
	}
	return f, c
}

// write exports files and gives what became of each, with its conflicts.
func (r *rig) write(files ...iac.File) []string {
	r.Helper()
	_, c := r.plan(files...)
	if err := c.Write(); err != nil {
		r.Fatal(err)
	}
	var out []string
	for _, f := range c.Files {
		line := f.Path + " " + string(f.State)
		for _, k := range f.Conflicts {
			line += "; " + k.Where + ": " + k.Yours + "|" + k.Generated
		}
		out = append(out, line)
	}
	return out
}

func (r *rig) edit(path, text string) {
	r.Helper()
	full := filepath.Join(r.dir, path)
	if err := os.MkdirAll(filepath.Dir(full), 0o700); err != nil {
		r.Fatal(err)
	}
	if err := os.WriteFile(full, []byte(text), 0o600); err != nil {
		r.Fatal(err)
	}
}

func (r *rig) text(path string) string {
	r.Helper()
	raw, err := os.ReadFile(filepath.Join(r.dir, path))
	if err != nil {
		return "(none)"
	}
	return string(raw)
}

func (r *rig) same(want, got any) {
	r.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		r.Error(diff)
	}
}

func file(path, text string) iac.File { return iac.File{Path: path, Data: []byte(text)} }

const vms = `# What stands above.
resource "vm" "web" {
  name   = "web"
  memory = 2048

  disk {
    interface = "scsi0"
    size      = 4
  }

  disk {
    interface = "scsi1"
    size      = 8
  }
}

resource "vm" "db" {
  name = "db"
}
`

// TestStates goes through what can become of a file.
func TestStates(t *testing.T) {
	r := &rig{t, filepath.Join(t.TempDir(), "code")}
	r.same([]string{"a.tf new", "b.md new"}, r.write(file("a.tf", vms), file("b.md", "one\ntwo\nthree\n")))
	r.same([]string{"a.tf unchanged", "b.md unchanged"}, r.write(file("a.tf", vms), file("b.md", "one\ntwo\nthree\n")))
	r.same([]string{"a.tf unchanged", "b.md rewritten"}, r.write(file("a.tf", vms), file("b.md", "one\ntwo\nthree\nfour\n")))
	r.edit("b.md", "mine\none\ntwo\nthree\nfour\n")
	r.same([]string{"a.tf unchanged", "b.md edited"}, r.write(file("a.tf", vms), file("b.md", "one\ntwo\nthree\nfour\n")))
	r.same([]string{"a.tf unchanged", "b.md merged"}, r.write(file("a.tf", vms), file("b.md", "one\ntwo\nthree\nfive\n")))
	r.same("mine\none\ntwo\nthree\nfive\n", r.text("b.md"))
	r.same([]string{"a.tf unchanged", "b.md kept; b.md:1: mine\none|eins"}, r.write(file("a.tf", vms), file("b.md", "eins\ntwo\nthree\nfive\n")))
	r.same("mine\none\ntwo\nthree\nfive\n", r.text("b.md"))
	r.edit("c.tf", "# somebody's own\n")
	r.same([]string{"a.tf removed", "b.md edited", "c.tf kept; c.tf: |"}, r.write(file("b.md", "eins\ntwo\nthree\nfive\n"), file("c.tf", vms)))
	r.same([]string{"(none)", "# somebody's own\n"}, []string{r.text("a.tf"), r.text("c.tf")})
	if err := os.Remove(filepath.Join(r.dir, "b.md")); err != nil {
		t.Fatal(err)
	}
	r.same([]string{"b.md absent"}, r.write(file("b.md", "other\n")))
	r.same("(none)", r.text("b.md"))
}

// TestHCL keeps all that a person added, and takes all that changed beside it.
func TestHCL(t *testing.T) {
	edited := strings.NewReplacer(`memory = 2048`, "memory = 2048 # enough\n  tags   = [\"mine\"]", `name = "db"`, "name = \"db\" # the big one\n\n  lifecycle {\n    ignore_changes = [name]\n  }",
		"size      = 8\n", "size      = 9\n").Replace(vms) + "\noutput \"mine\" {\n  value = 1\n}\n"
	for name, c := range map[string]struct{ now, want, state string }{
		"attribute":     {strings.Replace(vms, "2048", "4096", 1), strings.Replace(edited, "2048", "4096", 1), "merged"},
		"same attr":     {strings.Replace(vms, "= 8", "= 16", 1), edited, "kept; vm.web.disk(\"scsi1\").size: 9|16"},
		"same by hand":  {strings.Replace(vms, "= 8", "= 9", 1), edited, "edited"},
		"new attribute": {strings.Replace(vms, "memory = 2048", "memory = 2048\n  cores  = 2", 1), "", "merged"},
		"block gone":    {strings.Replace(vms, "  disk {\n    interface = \"scsi0\"\n    size      = 4\n  }\n\n", "", 1), "", "merged"},
		"edited gone":   {vms[:strings.Index(vms, `resource "vm" "db"`)], edited, "kept; vm.db: edited|"},
		"new block": {vms + "\nresource \"vm\" \"new\" {\n  name = \"new\"\n}\n", edited + "\nresource \"vm\" \"new\" {\n  name = \"new\"\n}\n",
			"merged"},
		"comment only": {strings.Replace(vms, "above", "over it", 1), edited, "edited"},
	} {
		t.Run(name, func(t *testing.T) {
			r := &rig{t, t.TempDir()}
			r.write(file("a.tf", vms))
			r.edit("a.tf", edited)
			r.same([]string{"a.tf " + c.state}, r.write(file("a.tf", c.now)))
			if c.want != "" {
				r.same(c.want, r.text("a.tf"))
			}
			for _, mine := range []string{"# enough", `["mine"]`, "# the big one", "ignore_changes", `output "mine"`, "= 9", "# What stands above."} {
				if !strings.Contains(r.text("a.tf"), mine) {
					t.Errorf("%s is lost:\n%s", mine, r.text("a.tf"))
				}
			}
			r.same([]string{"a.tf edited"}, r.write(file("a.tf", c.now))) // told once
		})
	}
	t.Run("imports were deleted after the apply", func(t *testing.T) {
		one, two := "import {\n  to = vm.a\n  id = \"1\"\n}\n", "\nimport {\n  to = vm.b\n  id = \"2\"\n}\n"
		r := &rig{t, t.TempDir()}
		r.write(file("imports.tf", one))
		if err := os.Remove(filepath.Join(r.dir, "imports.tf")); err != nil {
			t.Fatal(err)
		}
		r.same([]string{"imports.tf absent"}, r.write(file("imports.tf", one)))
		r.same([]string{"imports.tf merged"}, r.write(file("imports.tf", one+two)))
		r.same(strings.TrimPrefix(two, "\n"), r.text("imports.tf"))
	})
	t.Run("broken by hand", func(t *testing.T) {
		r := &rig{t, t.TempDir()}
		r.write(file("a.tf", vms))
		r.edit("a.tf", "resource {{{")
		if got := r.write(file("a.tf", vms+"# more\n")); !strings.HasPrefix(got[0], "a.tf kept") || r.text("a.tf") != "resource {{{" {
			t.Error(got, r.text("a.tf"))
		}
	})
}

// TestCutOff: a write that ended in the middle is no edit of anybody.
func TestCutOff(t *testing.T) {
	r := &rig{t, t.TempDir()}
	r.write(file("a.tf", vms), file("b.md", "one\n"))
	old := r.text(".proxmox-mcp/manifest.json")
	r.write(file("a.tf", strings.Replace(vms, "2048", "4096", 1)), file("b.md", "two\n"))
	writing := r.text(".proxmox-mcp/manifest.json")
	// As after a crash: the files are new, the manifest holds the old hashes and what was about to be written.
	hashes := func(text string) []string {
		var out []string
		for part := range strings.SplitSeq(text, `"`) {
			if len(part) == 64 {
				out = append(out, part)
			}
		}
		return out
	}
	now := hashes(writing)
	r.edit(".proxmox-mcp/manifest.json", strings.Replace(old, `"files"`, `"writing": {"a.tf": "`+now[0]+`", "b.md": "`+now[1]+`"}, "files"`, 1))
	r.same([]string{"a.tf rewritten", "b.md rewritten"}, r.write(file("a.tf", strings.Replace(vms, "2048", "8192", 1)), file("b.md", "three\n")))
	if strings.Contains(r.text(".proxmox-mcp/manifest.json"), "writing") {
		t.Error("the manifest still says that a write is under way")
	}
}

// TestStaysInside: nothing leads out of the folder, whatever the names, the manifest or links say.
func TestStaysInside(t *testing.T) {
	outside := t.TempDir()
	secret := filepath.Join(outside, "keep.tf")
	if err := os.WriteFile(secret, []byte("keep"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]func(r *rig) error{
		"a name": func(r *rig) error { return tryWrite(r, file("../keep.tf", "x")) },
		"a link to a folder": func(r *rig) error {
			_ = os.Symlink(outside, filepath.Join(r.dir, "terraform"))
			return tryWrite(r, file("terraform/keep.tf", "x"))
		},
		"a link to a file": func(r *rig) error {
			_ = os.Symlink(secret, filepath.Join(r.dir, "keep.tf"))
			return tryWrite(r, file("keep.tf", "x"))
		},
		"the manifest": func(r *rig) error {
			r.edit(".proxmox-mcp/manifest.json", `{"version":1,"files":{"../`+filepath.Base(outside)+`/keep.tf":{"target":"terraform","sha256":"x"}}}`)
			return tryWrite(r)
		},
		"its own folder a link": func(r *rig) error {
			_ = os.Symlink(outside, filepath.Join(r.dir, ".proxmox-mcp"))
			return tryWrite(r, file("a.tf", "x = 1\n"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := &rig{t, t.TempDir()}
			if err := c(r); err == nil {
				t.Error("it was written")
			}
			left, err := os.ReadDir(outside)
			if raw, _ := os.ReadFile(secret); string(raw) != "keep" || err != nil || len(left) != 1 {
				t.Errorf("outside was touched: %q %v %v", raw, left, err)
			}
		})
	}
	if _, err := repo.Open("relative"); fault.CodeOf(err) != fault.Invalid {
		t.Errorf("a relative folder: %v", err)
	}
}

func tryWrite(r *rig, files ...iac.File) error {
	f, err := repo.Open(r.dir)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	c, err := f.Plan(&iac.World{Cluster: "lab"}, []repo.Set{{Name: "terraform", Files: files}})
	if err != nil {
		return err
	}
	return c.Write()
}

// TestMergeProperty: where one side alone changed a text, that side is the result.
func TestMergeProperty(outer *testing.T) {
	rapid.Check(outer, func(t *rapid.T) {
		draw := func(name string) string {
			return strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{"a\n", "b\n", "c\n", "d\n"}), 0, 8).Draw(t, name), "")
		}
		base, other := draw("base"), draw("other")
		dir := outer.TempDir()
		write := func(text string) string {
			f, err := repo.Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = f.Close() }()
			c, err := f.Plan(&iac.World{}, []repo.Set{{Name: "x", Files: []iac.File{file("a.md", text)}}})
			if err == nil {
				err = c.Write()
			}
			if err != nil || len(c.Conflicts()) > 0 {
				t.Fatal(err, c.Conflicts())
			}
			raw, err := os.ReadFile(filepath.Join(dir, "a.md"))
			if err != nil {
				t.Fatal(err)
			}
			return string(raw)
		}
		write(base)
		if err := os.WriteFile(filepath.Join(dir, "a.md"), []byte(other+"mine\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := write(base); got != other+"mine\n" {
			t.Fatalf("an edit alone became %q", got)
		}
	})
}
