package app

import (
	"strings"
	"testing"

	"github.com/proxmox-mcp/proxmox-mcp/config"
)

// TestStoreName: what the environment points to is stored by what it is, what the file names by its name.
func TestStoreName(t *testing.T) {
	pin := strings.Repeat("AB:", 31) + "CD"
	for _, c := range []struct {
		want string
		c    config.Cluster
	}{
		{"home", config.Cluster{Name: "home", Endpoints: []string{"https://192.0.2.10:8006"}}},
		{"default@192.0.2.10:8006", config.Cluster{Name: "default", FromEnv: true, Endpoints: []string{"https://192.0.2.10:8006"}, Fingerprints: []string{pin}}},
		{"default@127.0.0.1:8006#abababab", config.Cluster{Name: "default", FromEnv: true, Endpoints: []string{"https://127.0.0.1:8006"}, Fingerprints: []string{pin}}},
		{"default@localhost:8006", config.Cluster{Name: "default", FromEnv: true, Endpoints: []string{"https://localhost:8006"}}},
		{"default", config.Cluster{Name: "default", FromEnv: true}},
	} {
		if got := storeName(c.c); got != c.want {
			t.Errorf("%+v is stored as %q, want %q", c.c.Endpoints, got, c.want)
		}
	}
}
