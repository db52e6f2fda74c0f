package repo_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/proxmox-mcp/proxmox-mcp/iac/repo"
)

// git runs git as a person would.
func git(t *testing.T, dir string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "git", append([]string{"-C", dir, "-c", "user.name=me", "-c", "user.email=me@example.org"}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func needGit(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("git is needed")
		}
		t.Skip("no git here")
	}
	// The person's own settings are no part of the test.
	t.Setenv("HOME", t.TempDir())
	t.Setenv("XDG_CONFIG_HOME", "")
}

// TestGit commits what was generated and nothing else.
func TestGit(t *testing.T) {
	needGit(t)
	r := &rig{t, t.TempDir()}
	r.write(file("a.tf", vms), file("b.md", "one\n"))
	g, err := repo.FindGit(r.dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Init(t.Context()); err != nil {
		t.Fatal(err)
	}
	commit := func(paths ...string) string {
		id, err := g.Commit(t.Context(), "export: two files", paths)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	r.edit("mine.txt", "my own")
	git(t, r.dir, "add", "mine.txt")
	if id := commit("a.tf", "b.md"); id == "" {
		t.Fatal("nothing was committed")
	}
	r.same("A  mine.txt\n?? .proxmox-mcp/", "A  "+strings.TrimPrefix(git(t, r.dir, "status", "--porcelain"), "A  "))
	r.same("proxmox-mcp <proxmox-mcp@localhost> export: two files", git(t, r.dir, "log", "--format=%an <%ae> %s"))
	r.same("", commit("a.tf", "b.md", "never-there.tf"))
	r.write(file("a.tf", vms))
	if id := commit("a.tf", "b.md"); id == "" {
		t.Error("a removed file was not committed")
	}
	inner := filepath.Join(r.dir, "inner")
	if err := os.Mkdir(inner, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := (&repo.Git{Dir: inner}).Init(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(inner, ".git")); err == nil {
		t.Error("a repository was made inside another one")
	}
}

// TestNoGit says what to do.
func TestNoGit(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if _, err := repo.FindGit(t.TempDir()); err == nil || !strings.Contains(err.Error(), "no program git") {
		t.Error(err)
	}
}
