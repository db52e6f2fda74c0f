package iac

import (
	"net/netip"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// Reached is where a guest can be reached, "" where that is not known, and from is what says so: what it was seen with (agent, container), then its static configuration (net0 of a container,
// ipconfig0 of cloud-init). Addresses of the loopback and of the link alone lead nowhere.
func (g *Guest) Reached() (ip, from string) {
	for _, six := range []bool{false, true} {
		for _, a := range g.Addresses {
			if addr, ok := usable(a.IP); ok && addr.Is6() == six {
				return addr.String(), a.Source
			}
		}
	}
	for _, key := range append(g.Series("net"), g.Series("ipconfig")...) {
		if g.Type == pve.Qemu && strings.HasPrefix(key, "net") {
			continue
		}
		for _, part := range []string{"ip", "ip6"} {
			if addr, ok := usable(PartOf(g.Config.Str(key), part)); ok {
				return addr.String(), key
			}
		}
	}
	return "", ""
}

// usable reads an address, with or without its prefix length; dhcp, auto and manual are none.
func usable(text string) (netip.Addr, bool) {
	text, _, _ = strings.Cut(text, "/")
	a, err := netip.ParseAddr(text)
	if err != nil || a.IsLoopback() || a.IsLinkLocalUnicast() || a.IsMulticast() || a.IsUnspecified() {
		return netip.Addr{}, false
	}
	return a.Unmap().WithZone(""), true
}
