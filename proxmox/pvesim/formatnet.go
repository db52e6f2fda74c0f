package pvesim

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// netFormats are the formats of addresses and of the firewall.
var netFormats = map[string]format{
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
	if _, err := netip.ParseAddr(s); err == nil || namedFormats["dns-name"](s) == nil {
		return nil
	}
	return lineError("value does not look like a valid address: " + s)
}

// formatLinkLocal is the address of a name server of a container: also one of this link, named by its interface.
func formatLinkLocal(s string) error {
	if s == "host" {
		return nil
	}
	if a, err := netip.ParseAddr(s); err == nil && (a.Zone() == "" || a.IsLinkLocalUnicast()) {
		return nil
	}
	return lineError("value does not look like a valid IP address")
}

func formatServer(s string) error {
	if _, err := netip.ParseAddr(s); err == nil || namedFormats["dns-name"](s) == nil {
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

// formatIPorCIDR words errors as the parser of addresses does that the firewall uses (14/050, 14/020).
func formatIPorCIDR(s string) error {
	addr, length, ok := strings.Cut(s, "/")
	a, err := netip.ParseAddr(addr)
	if err != nil {
		return lineError(addressFault(addr))
	}
	if n, err := strconv.Atoi(length); ok && (err != nil || n > a.BitLen()) {
		return lineError(fmt.Sprintf("Prefix length %s is longer than IP address (%d)", length, a.BitLen()))
	}
	return nil
}

// addressFault says what is wrong with an address.
func addressFault(s string) string {
	quads := strings.Split(s, ".")
	for _, q := range quads {
		if n, err := strconv.Atoi(q); len(quads) == 4 && digitsOnly(q) && (err != nil || n > 255) {
			return "Invalid quad in IP address " + s + " - " + q
		}
	}
	if strings.Contains(s, ":") {
		return "Invalid address " + s
	}
	return "Invalid chars in IP " + s
}

func formatIPorAlias(s string) error {
	if alias := strings.TrimPrefix(strings.TrimPrefix(s, "dc/"), "guest/"); aliasShape(alias) == nil {
		return nil
	}
	return formatIPorCIDR(s)
}

var aliasShape = shaped(`[A-Za-z][A-Za-z0-9\-_]+`, "")

// formatAddrSpec is where a firewall rule applies: a set (+name), an alias, or a list of addresses, networks and
// ranges.
func formatAddrSpec(s string) error {
	if strings.HasPrefix(s, "+") || formatIPorAlias(s) == nil {
		return nil
	}
	for part := range strings.SplitSeq(s, ",") {
		low, high, isRange := strings.Cut(part, "-")
		err := formatIPorCIDR(low)
		if err == nil && isRange {
			err = formatIPorCIDR(high)
		}
		if err != nil {
			return lineError("invalid IP address: " + strings.TrimSuffix(err.Error(), "\n"))
		}
	}
	return nil
}

// protocols are those that firewall rules commonly name; any number up to 255 will do as well.
var protocols = strings.Fields("tcp udp icmp igmp ggp ipencap st egp igp pup hmp xns-idp rdp iso-tp4 dccp xtp ddp idpr-cmtp ipv6 " +
	"ipv6-route ipv6-frag idrp rsvp gre esp ah skip ipv6-icmp icmpv6 ipv6-nonxt ipv6-opts vmtp eigrp ospf ax.25 ipip etherip encap pim " +
	"ipcomp vrrp l2tp isis sctp fc mobility-header udplite mpls-in-ip hip shim6 wesp rohc")

func formatProtocol(s string) error {
	n, err := strconv.Atoi(s)
	if contains(protocols, s) || digitsOnly(s) && err == nil && n < 256 {
		return nil
	}
	return lineError("unknown protocol '" + s + "'")
}

var serviceName = shaped(`[a-z][a-z0-9\-_+.]*`, "")

// formatPorts is a list of ports, ranges (low:high) and names of services.
func formatPorts(s string) error {
	for part := range strings.SplitSeq(s, ",") {
		low, high, isRange := strings.Cut(part, ":")
		if serviceName(part) == nil && !isRange {
			continue
		}
		a, err := port(low)
		if err == nil && isRange {
			b, failed := port(high)
			if err = failed; err == nil && a >= b {
				err = lineError(fmt.Sprintf("backwards range '%d:%d' not allowed, did you mean '%d:%d'?", a, b, b, a))
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func port(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if !digitsOnly(s) {
		return 0, lineError("invalid port '" + s + "'")
	}
	if err != nil || n > 65535 {
		return 0, lineError("invalid port '" + s + "'")
	}
	return n, nil
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

// icmpTypes are the names of ICMP and ICMPv6 types; numbers will do as well.
var icmpTypes = strings.Fields("any echo-reply destination-unreachable network-unreachable host-unreachable protocol-unreachable " +
	"port-unreachable fragmentation-needed source-route-failed network-unknown host-unknown network-prohibited host-prohibited " +
	"TOS-network-unreachable TOS-host-unreachable communication-prohibited host-precedence-violation precedence-cutoff source-quench " +
	"redirect network-redirect host-redirect TOS-network-redirect TOS-host-redirect echo-request router-advertisement router-solicitation " +
	"time-exceeded ttl-zero-during-transit ttl-zero-during-reassembly parameter-problem ip-header-bad required-option-missing " +
	"timestamp-request timestamp-reply address-mask-request address-mask-reply no-route address-unreachable beyond-scope failed-policy " +
	"reject-route packet-too-big bad-header unknown-header-type unknown-option neighbor-solicitation neighbour-solicitation " +
	"neighbor-advertisement neighbour-advertisement")

func formatICMP(s string) error {
	if contains(icmpTypes, s) || digitsOnly(strings.Replace(s, "/", "", 1)) {
		return nil
	}
	return lineError("unknown icmp-type '" + s + "'")
}
