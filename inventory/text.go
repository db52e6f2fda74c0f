package inventory

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
)

// The lengths at which untrusted text is cut (faults.md F51): names fit a table, notes a paragraph, log lines a terminal.
const (
	maxName = 100
	maxNote = 500
	maxTag  = 40
	maxLine = 300
)

// plainIP returns the address of "10.0.0.5/24" or "10.0.0.5"; dhcp, auto, manual and garbage are none.
func plainIP(s string) (string, bool) {
	addr, _, _ := strings.Cut(s, "/")
	ip, err := netip.ParseAddr(addr)
	if err != nil {
		return "", false
	}
	return ip.WithZone("").Unmap().String(), true
}

// useful says that an address is worth showing: no loopback, no link-local.
func useful(s string) bool {
	ip, err := netip.ParseAddr(s)
	return err == nil && !ip.IsLoopback() && !ip.IsLinkLocalUnicast() && !ip.IsUnspecified()
}

// ago writes a duration the way people say it: 40s, 12m, 3h, 2d.
func ago(d time.Duration) string {
	switch {
	case d < 0:
		return "0s"
	case d < 90*time.Second:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < 90*time.Minute:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}

func name(s string) string { return clean.Line(s, maxName) }

// size writes bytes in binary units: 512 MiB, 1.5 TiB.
func size(n int64) string {
	v, unit := float64(n), 0
	for v >= 1024 && unit < 5 {
		v, unit = v/1024, unit+1
	}
	s := fmt.Sprintf("%.1f", v)
	return strings.TrimSuffix(s, ".0") + " " + []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB"}[unit]
}
