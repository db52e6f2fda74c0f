package pvesim

import (
	"fmt"
	"math/big"
	"net/netip"
	"strconv"
	"strings"
	"sync"
)

// formatIPorCIDR words errors as the parser of addresses does that the firewall uses (14/050). Bits behind the prefix are
// no error: they are taken away, see cleanCIDR.
func formatIPorCIDR(s string) error {
	addr, _, _ := strings.Cut(s, "/")
	if _, err := netip.ParseAddr(addr); err != nil {
		return lineError("value does not look like a valid IP address or CIDR network")
	}
	if fault := addressFault(cleanCIDR(s)); fault != "" {
		return lineError(fault)
	}
	return nil
}

// addressFault says what is wrong with an address, a network or a range; "" when nothing is. A network has no bits set
// behind its prefix.
func addressFault(s string) string {
	low, high, isRange := strings.Cut(s, "-")
	if isRange {
		if fault := addressFault(strings.TrimSpace(low)); fault != "" {
			return fault
		}
		return addressFault(strings.TrimSpace(high))
	}
	addr, length, isNetwork := strings.Cut(s, "/")
	a, err := netip.ParseAddr(addr)
	if err != nil {
		return brokenAddress(addr)
	}
	if !isNetwork {
		return ""
	}
	n, err := strconv.Atoi(length)
	if err != nil || n < 0 {
		return "Invalid prefix length /" + length
	}
	if n > a.BitLen() {
		return fmt.Sprintf("Prefix length %d is longer than IP address (%d)", n, a.BitLen())
	}
	if p := netip.PrefixFrom(a, n); p.Masked().Addr() != a {
		return fmt.Sprintf("Invalid prefix %0*b/%d", a.BitLen(), new(big.Int).SetBytes(a.AsSlice()), n)
	}
	return ""
}

func brokenAddress(s string) string {
	quads := strings.Split(s, ".")
	for _, q := range quads {
		if n, err := strconv.Atoi(q); len(quads) == 4 && digitsOnly(q) && (err != nil || n > 255) {
			return "Invalid quad in IP address " + s + " - " + q // 14/020
		}
	}
	if strings.Contains(s, ":") {
		return "Invalid IP address " + s
	}
	return "Invalid chars in IP " + s
}

// Longest names (source).
const (
	maxIPSetName = 64
	maxAliasName = 64
)

var aliasShape = shaped(`((dc|guest)/)?[A-Za-z][A-Za-z0-9\-_]+`, "")

func formatIPorAlias(s string) error {
	if aliasShape(s) == nil {
		return nil
	}
	return formatIPorCIDR(s)
}

// formatAddrSpec is where a firewall rule applies: a set (+name), an alias, or a list of addresses, networks and
// ranges.
func formatAddrSpec(s string) error {
	switch {
	case len(s) > 1 && s[0] == '+' && !strings.ContainsAny(s, " \t\n"):
		if len(s) > maxIPSetName+1 {
			return lineError("ipset name too long")
		}
		return nil
	case s == "": // takes the key away
		return nil
	case aliasShape(s) == nil:
		if len(s) > maxAliasName {
			return lineError("alias name too long")
		}
		return nil
	}
	return addressList(s)
}

func addressList(s string) error {
	parts := strings.Split(s, ",")
	family := 0
	for _, part := range parts {
		if part == "" {
			return lineError("extraneous commas in list")
		}
		if fault := addressFault(part); fault != "" {
			return lineError("invalid IP address: " + fault)
		}
		mine := 4
		if strings.Contains(part, ":") {
			mine = 6
		}
		if family != 0 && family != mine {
			return lineError("detected mixed ipv4/ipv6 addresses in address list '" + s + "'")
		}
		family = mine
	}
	if len(parts) > 1 && strings.Contains(s, "-") {
		return lineError("you can't use a range in a list")
	}
	return nil
}

// protocols are those that firewall rules commonly name; any number up to 255 will do as well.
var protocols = sync.OnceValue(func() []string {
	return strings.Fields("tcp udp icmp igmp ggp ipencap st egp igp pup hmp xns-idp rdp iso-tp4 dccp xtp ddp idpr-cmtp ipv6 " +
		"ipv6-route ipv6-frag idrp rsvp gre esp ah skip ipv6-icmp icmpv6 ipv6-nonxt ipv6-opts vmtp eigrp ospf ax.25 ipip etherip encap pim " +
		"ipcomp vrrp l2tp isis sctp fc mobility-header udplite mpls-in-ip hip shim6 wesp rohc")
})

func formatProtocol(s string) error {
	n, err := strconv.Atoi(s)
	if s == "" || contains(protocols(), s) || digitsOnly(s) && err == nil && n < 256 {
		return nil
	}
	return lineError("unknown protocol '" + s + "'")
}

// services are names of ports that are commonly used.
var services = sync.OnceValue(func() []string {
	return strings.Fields("domain ssh telnet smtp http https ftp ftp-data tftp pop3 pop3s imap2 imaps ntp snmp snmp-trap ldap ldaps syslog nfs " +
		"sunrpc bootps bootpc kerberos mysql postgresql rsync rtsp sip sip-tls xmpp-client xmpp-server microsoft-ds netbios-ns " +
		"netbios-dgm netbios-ssn ms-sql-s openvpn isakmp l2f mdns submission submissions git svn irc ircs-u auth finger whois " +
		"gopher time daytime echo discard chargen radius radius-acct nntp printer ipp zabbix-agent zabbix-trapper")
})

// maxPorts is how many numbers a list of ports may have, a range counting as two.
const maxPorts = 15

// formatPorts is a list of ports, ranges (low:high) and names of services.
func formatPorts(s string) error {
	if s == "" {
		return nil
	}
	count := 0
	for part := range strings.SplitSeq(s, ",") {
		low, high, isRange := strings.Cut(part, ":")
		switch {
		case part == "":
			return lineError("extraneous commas in list")
		case contains(services(), part), contains(icmpNames, part), contains(icmp6Names, part):
			continue
		case !portNumber(low):
			return lineError("invalid port '" + low + "'")
		case isRange && !portNumber(high):
			return lineError("invalid port '" + high + "'")
		case isRange && integer(low) > integer(high):
			return lineError(fmt.Sprintf("backwards range '%s:%s' not allowed, did you mean '%s:%s'?", low, high, high, low))
		}
		count += 1 + bit(isRange)
	}
	if count > maxPorts {
		return lineError("too many entries in port list (> 15 numbers)")
	}
	return nil
}

func portNumber(s string) bool {
	n, err := strconv.Atoi(s)
	return digitsOnly(s) && err == nil && n <= 65535
}

// Names of the types of ICMP and ICMPv6; numbers will do as well.
var (
	icmpNames = strings.Fields("any echo-reply destination-unreachable network-unreachable host-unreachable protocol-unreachable " +
		"port-unreachable fragmentation-needed source-route-failed network-unknown host-unknown network-prohibited host-prohibited " +
		"TOS-network-unreachable TOS-host-unreachable communication-prohibited host-precedence-violation precedence-cutoff " +
		"source-quench redirect network-redirect host-redirect TOS-network-redirect TOS-host-redirect echo-request " +
		"router-advertisement router-solicitation time-exceeded ttl-zero-during-transit ttl-zero-during-reassembly " +
		"parameter-problem ip-header-bad required-option-missing timestamp-request timestamp-reply address-mask-request " +
		"address-mask-reply")
	icmp6Names = strings.Fields("destination-unreachable no-route communication-prohibited beyond-scope address-unreachable " +
		"port-unreachable failed-policy reject-route packet-too-big time-exceeded ttl-zero-during-transit " +
		"ttl-zero-during-reassembly parameter-problem bad-header unknown-header-type unknown-option echo-request echo-reply " +
		"router-solicitation router-advertisement neighbor-solicitation neighbour-solicitation neighbor-advertisement " +
		"neighbour-advertisement redirect")
)

func icmpNumber(s string) bool { return digitsOnly(strings.Replace(s, "/", "", 1)) }

func formatICMP(s string) error {
	if s == "" || contains(icmpNames, s) || contains(icmp6Names, s) || icmpNumber(s) {
		return nil
	}
	return lineError("invalid icmp-type value '" + s + "'")
}
