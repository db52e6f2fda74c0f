package app

import (
	"os"
	"path"
	"testing"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

// TestCodeFiles gives out what was generated, as it lies there, and nothing else of the folder.
func TestCodeFiles(t *testing.T) {
	t.Parallel()
	c := newCoder(t)
	c.sync()
	if _, list, err := c.p.code.Files(t.Context(), ""); err != nil || len(list) != 0 {
		t.Errorf("before the export: %v, %v", list, err)
	}
	c.says("export_code", `{}`)
	name, list, err := c.p.code.Files(t.Context(), "")
	if err != nil || name != "home" || len(list) < 20 {
		t.Fatalf("%s, %d files, %v", name, len(list), err)
	}
	for _, f := range list {
		if path.Dir(f.Path) == ".proxmox-mcp" {
			t.Errorf("%s is a record of the program's own", f.Path)
		}
		got, err := c.p.code.File(t.Context(), "home", f.Path)
		if err != nil {
			t.Fatal(err)
		}
		if got.Text != c.text(f.Path) || got.Size != f.Size || got.Target != f.Target {
			t.Errorf("%s is not what lies there", f.Path)
		}
	}
	c.edit("terraform/outputs.tf", "output", "# token: root@pam!x=11111111-2222-3333-4444-555555555555\noutput")
	if got, err := c.p.code.File(t.Context(), "", "terraform/outputs.tf"); err != nil || got.Text == c.text("terraform/outputs.tf") {
		t.Errorf("a token that its owner wrote is shown: %v", err)
	}

	c.write("terraform/terraform.tfstate", "secret")
	for p, want := range map[string]fault.Code{"terraform/terraform.tfstate": fault.NotFound, "terraform": fault.NotFound, ".proxmox-mcp/manifest.json": fault.NotFound,
		"../x": fault.Invalid, "/etc/passwd": fault.Invalid, "": fault.Invalid} {
		if _, err := c.p.code.File(t.Context(), "", p); fault.CodeOf(err) != want {
			t.Errorf("%q: %v", p, err)
		}
	}
	if err := os.Remove(c.file("README.md")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(c.file("terraform/terraform.tfstate"), c.file("README.md")); err != nil {
		t.Fatal(err)
	}
	if _, err := c.p.code.File(t.Context(), "", "README.md"); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("a link is followed: %v", err)
	}
}

// write puts a file of the owner's own into the folder.
func (c *coder) write(name, text string) {
	c.t.Helper()
	if err := os.WriteFile(c.file(name), []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
}
