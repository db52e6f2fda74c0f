package store_test

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

func TestDefaultPath(t *testing.T) {
	home := func() (string, error) { return "/home/u", nil }
	none := func() (string, error) { return "", errors.New("no home") }
	for name, tc := range map[string]struct {
		goos string
		env  map[string]string
		home func() (string, error)
		want string
	}{
		"linux":           {"linux", nil, home, "/home/u/.local/state/proxmox-mcp/state.db"},
		"linux xdg":       {"linux", map[string]string{"XDG_STATE_HOME": "/s"}, none, "/s/proxmox-mcp/state.db"},
		"relative xdg":    {"linux", map[string]string{"XDG_STATE_HOME": "s"}, home, "/home/u/.local/state/proxmox-mcp/state.db"},
		"macOS":           {"darwin", map[string]string{"XDG_STATE_HOME": "/s"}, home, "/home/u/Library/Application Support/proxmox-mcp/state.db"},
		"windows":         {"windows", map[string]string{"LocalAppData": "/l"}, none, "/l/proxmox-mcp/state.db"},
		"windows no env":  {"windows", nil, home, "/home/u/AppData/Local/proxmox-mcp/state.db"},
		"no home at all":  {"linux", nil, none, ""},
		"macOS homeless ": {"darwin", nil, none, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := store.DefaultPathFor(tc.goos, func(k string) string { return tc.env[k] }, tc.home)
			if diff := cmp.Diff(tc.want, filepath.ToSlash(got)); diff != "" {
				t.Error(diff)
			}
			if (err != nil) != (tc.want == "") || (err != nil && fault.CodeOf(err) != fault.Config) {
				t.Errorf("error %v", err)
			}
		})
	}
}
