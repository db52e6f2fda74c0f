package pvesim

import (
	"net/netip"
	"strconv"
	"strings"
	"sync"
)

// netFormats are the formats of addresses and of the firewall.
var netFormats = sync.OnceValue(func() map[string]format {
	return map[string]format{
		"ip":                     address("value does not look like a valid IP address", anyFamily),
		"ipv4":                   address("value does not look like a valid IPv4 address", v4),
		"ipv6":                   address("value does not look like a valid IPv6 address", v6),
		"ipv4mask":               formatMask,
		"CIDR":                   cidr,
		"CIDRv4":                 network("value does not look like a valid IPv4 network", v4),
		"CIDRv6":                 network("value does not look like a valid IPv6 network", v6),
		"pve-ipv4-config":        orWord(network("value does not look like a valid ipv4 network configuration", v4), "dhcp", "manual"),
		"pve-ipv6-config":        orWord(network("value does not look like a valid ipv6 network configuration", v6), "auto", "dhcp", "manual"),
		"address":                formatAddress,
		"lxc-ip-with-ll-iface":   formatLinkLocal,
		"pve-storage-server":     formatServer,
		"pve-storage-portal-dns": formatPortal,
		"IPorCIDR":               formatIPorCIDR,
		"IPorCIDRorAlias":        formatIPorAlias,
		"pve-fw-addr-spec":       formatAddrSpec,
		"pve-fw-protocol-spec":   formatProtocol,
		"pve-fw-sport-spec":      formatPorts,
		"pve-fw-dport-spec":      formatPorts,
		"pve-fw-icmp-type-spec":  formatICMP,
		"pve-fw-conntrack-helper": eachOf(choice("unknown conntrack helper '%s'",
			strings.Fields("amanda ftp irc netbios-ns pptp sane sip snmp tftp"))),
		"pve-sdn-subnet-id":    formatSubnet,
		"pve-vlan-id-or-range": formatVLANs,
	}
})

var cidr = network("value does not look like a valid CIDR network", anyFamily)

func v4(a netip.Addr) bool        { return a.Is4() }
func v6(a netip.Addr) bool        { return a.Is6() && a.Zone() == "" }
func anyFamily(a netip.Addr) bool { return a.Zone() == "" }

func address(message string, fits func(netip.Addr) bool) format {
	return func(s string) error {
		if a, err := netip.ParseAddr(s); err == nil && fits(a) {
			return nil
		}
		return lineError(message)
	}
}

// network is an address with a prefix length, which has to be 8 or more (source).
func network(message string, fits func(netip.Addr) bool) format {
	return func(s string) error {
		if p, err := netip.ParsePrefix(s); err == nil && fits(p.Addr()) && p.Bits() > 7 {
			return nil
		}
		return lineError(message)
	}
}

// formatSubnet is a network, or its id: zone-address-length (15/092).
func formatSubnet(s string) error {
	if zone, rest, ok := strings.Cut(s, "-"); ok && zone != "" && !strings.Contains(s, "/") {
		s = strings.Replace(rest, "-", "/", 1)
	}
	return cidr(s)
}

func orWord(f format, words ...string) format {
	return func(s string) error {
		if contains(words, s) {
			return nil
		}
		return f(s)
	}
}

func formatMask(s string) error {
	if a, err := netip.ParseAddr(s); err == nil && a.Is4() {
		b := a.As4()
		bits := strconv.FormatUint(uint64(b[0])<<24|uint64(b[1])<<16|uint64(b[2])<<8|uint64(b[3])|1<<32, 2)[1:]
		if rest := strings.TrimLeft(bits, "1"); strings.Trim(rest, "0") == "" {
			return nil
		}
	}
	return lineError("value does not look like a valid IPv4 netmask")
}

func formatAddress(s string) error {
	if _, err := netip.ParseAddr(s); err == nil || namedFormats()["dns-name"](s) == nil {
		return nil
	}
	return lineError("value does not look like a valid address: " + s)
}

// formatLinkLocal is the address of a name server of a container: also one of this link, named by its interface.
func formatLinkLocal(s string) error {
	if a, err := netip.ParseAddr(s); err == nil && (a.Zone() == "" || a.IsLinkLocalUnicast()) {
		return nil
	}
	return lineError("value does not look like a valid IP address")
}

func formatServer(s string) error {
	if _, err := netip.ParseAddr(s); err == nil || namedFormats()["dns-name"](s) == nil {
		return nil
	}
	return lineError("value does not look like a valid server name or IP address")
}

func formatPortal(s string) error {
	host, port := s, ""
	if i := strings.LastIndex(s, ":"); i >= 0 && (!strings.Contains(s[:i], ":") || strings.HasSuffix(s[:i], "]")) {
		host, port = strings.Trim(s[:i], "[]"), s[i+1:]
	}
	if formatServer(host) != nil || port != "" && !digitsOnly(port) {
		return lineError("value does not look like a valid portal address")
	}
	return nil
}

func formatVLANs(s string) error {
	low, high, isRange := strings.Cut(s, "-")
	for _, n := range []string{low, high} {
		if v, err := strconv.Atoi(n); (n != "" || isRange) && (err != nil || v < 1 || v > 4094) {
			return lineError("invalid VLAN ID '" + s + "'")
		}
	}
	return nil
}
