package repo

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

// gitLimit bounds one call of git; adding a thousand files takes well below a second.
const gitLimit = 30 * time.Second

// Git drives the program git in a folder of code. It touches the generated files alone: what else a person has staged or changed stays.
type Git struct{ Dir string }

// FindGit looks for the program; fault.Config with the way out where there is none.
func FindGit(dir string) (*Git, error) {
	if _, err := exec.LookPath("git"); err != nil {
		return nil, fault.Wrap(fault.Config, err, "git was asked for, and there is no program git here").
			WithHint("install git, or leave git out")
	}
	return &Git{Dir: dir}, nil
}

// Inside says whether the folder lies in a git work tree, its own or one around it.
func (g *Git) Inside(ctx context.Context) bool {
	out, err := g.run(ctx, "rev-parse", "--is-inside-work-tree")
	return err == nil && strings.TrimSpace(out) == "true"
}

// Init makes the folder a repository unless it lies in one already.
func (g *Git) Init(ctx context.Context) error {
	if g.Inside(ctx) {
		return nil
	}
	_, err := g.run(ctx, "init", "--quiet")
	return err
}

// Commit commits these paths, and nothing else; "" where there was nothing to commit, else the short id of the commit.
func (g *Git) Commit(ctx context.Context, message string, paths []string) (string, error) {
	existing := []string{}
	for _, p := range paths {
		if _, err := os.Lstat(filepath.Join(g.Dir, p)); err == nil || g.Tracked(ctx, p) {
			existing = append(existing, p)
		}
	}
	if len(existing) == 0 {
		return "", nil
	}
	list := strings.Join(existing, "\x00")
	if _, err := g.feed(ctx, list, "add", "--all", "--pathspec-from-file=-", "--pathspec-file-nul"); err != nil {
		return "", err
	}
	// The exit code is 1 where something is staged.
	if _, err := g.run(ctx, append([]string{"diff", "--cached", "--quiet", "--"}, existing...)...); err == nil {
		return "", nil
	}
	args := []string{"commit", "--quiet", "--only", "--no-gpg-sign", "--message", message, "--pathspec-from-file=-", "--pathspec-file-nul"}
	if name, err := g.run(ctx, "config", "user.email"); err != nil || strings.TrimSpace(name) == "" {
		args = append([]string{"-c", "user.name=proxmox-mcp", "-c", "user.email=proxmox-mcp@localhost"}, args...)
	}
	if _, err := g.feed(ctx, list, args...); err != nil {
		return "", err
	}
	out, err := g.run(ctx, "rev-parse", "--short", "HEAD")
	return strings.TrimSpace(out), err
}

// Tracked says whether git knows a path.
func (g *Git) Tracked(ctx context.Context, p string) bool {
	_, err := g.run(ctx, "ls-files", "--error-unmatch", "--", p)
	return err == nil
}

func (g *Git) run(ctx context.Context, args ...string) (string, error) {
	return g.feed(ctx, "", args...)
}

// feed runs git with text on its standard input. It can ask nobody anything.
func (g *Git) feed(ctx context.Context, in string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, gitLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "git", args...) //nolint:gosec // a fixed program; its arguments are this package's own, paths come on standard input or behind --
	cmd.Dir = g.Dir
	cmd.Env = append(withoutGit(os.Environ()), "GIT_TERMINAL_PROMPT=0", "LC_ALL=C")
	cmd.Stdin = strings.NewReader(in)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = errors.Join(err, ctx.Err())
		}
		e := fault.Wrap(fault.Store, err, "git %s failed in %s", args[0], g.Dir)
		e.Cause = clean.Line(errOut.String(), maxCause)
		return out.String(), e
	}
	return out.String(), nil
}

// maxCause is how much of git's own words goes into an error.
const maxCause = 300

// withoutGit drops what would lead git to another repository.
func withoutGit(env []string) []string {
	var out []string
	for _, e := range env {
		if !strings.HasPrefix(e, "GIT_") {
			out = append(out, e)
		}
	}
	return out
}

// InWorkTree says whether a folder lies in a git repository's work tree: it, or one above it, has a .git.
func InWorkTree(dir string) bool {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return false
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, ".git")); err == nil {
			return true
		}
		up := filepath.Dir(dir)
		if up == dir {
			return false
		}
		dir = up
	}
}
