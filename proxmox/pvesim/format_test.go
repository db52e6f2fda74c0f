package pvesim

import (
	"strings"
	"testing"
)

// TestFormats: a good value for each format, and what a bad one is told; by the source of the real checks where no
// recording has them.
func TestFormats(t *testing.T) {
	for _, tt := range []struct{ format, good, bad, text string }{
		{"pve-configid-list", "a1,b2;c3 d4", "a1,x", "invalid configuration ID 'x'"},
		{"email-opt", "", "a@", "value does not look like a valid email address"},
		{"pve-vmid-list", "100,101", "100,99", "value does not look like a valid VM ID"},
		{"pve-userid", "a@pve", "@p", "user name '@p' is too short"},
		{"pve-userid", "joe@pam", strings.Repeat("x", 61) + "@pve", "user name '" + strings.Repeat("x", 61) + "@pve' is too long (65 > 64)"},
		{"pve-poolid", "a/b/c", "a/b/c/d", "pool name 'a/b/c/d' nested too deeply (max levels = 3)"},
		{"ipv4mask", "255.255.240.0", "255.0.255.0", "value does not look like a valid IPv4 netmask"},
		{"CIDR", "10.0.0.0/24", "10.0.0.0/4", "value does not look like a valid CIDR network"},
		{"pve-ipv6-config", "auto", "10.0.0.1/24", "value does not look like a valid ipv6 network configuration"},
		{"address-list", "10.0.0.1 host.lab", "10.0.0.1,-x", "value does not look like a valid address: -x"},
		{"pve-sdn-subnet-id", "z1-10.0.0.0-24", "z1-10.0.0.0", "value does not look like a valid CIDR network"},
		{"IPorCIDR", "10.0.0.5/24", "10.0.0.5/33", "Prefix length 33 is longer than IP address (32)"},
		{"pve-fw-addr-spec", "10.0.0.0/24", "10.0.0.5/24", "invalid IP address: Invalid prefix 00001010000000000000000000000101/24"},
		{"IPorCIDRorAlias", "dc/office", "10.x", "value does not look like a valid IP address or CIDR network"},
		{"pve-fw-addr-spec", "10.0.0.1-10.0.0.9", "10.0.0.1,fe80::1", "detected mixed ipv4/ipv6 addresses in address list '10.0.0.1,fe80::1'"},
		{"pve-fw-addr-spec", "+dc/set", "10.0.0.1,", "extraneous commas in list"},
		{"pve-fw-addr-spec", "office", "10.0.0.1-10.0.0.9,10.0.0.12", "you can't use a range in a list"},
		{"pve-fw-dport-spec", "22,80:90,https", "90:80", "backwards range '90:80' not allowed, did you mean '80:90'?"},
		{"pve-fw-sport-spec", "1024:65535", "70000", "invalid port '70000'"},
		{"pve-fw-dport-spec", "1,2,3,4,5,6,7,8:9,10,11,12,13,14", "1,2,3,4,5,6,7,8:9,10,11,12,13,14,15:16", "too many entries in port list (> 15 numbers)"},
		{"pve-fw-icmp-type-spec", "echo-request", "shout", "invalid icmp-type value 'shout'"},
		{"pve-fw-conntrack-helper", "ftp,tftp", "ftp,gopher", "unknown conntrack helper 'gopher'"},
		{"pve-lxc-mp-string", "local:1", "/a/../b", "/a/../b contains illegal character sequences"},
		{"pve-lxc-dev-string", "/dev/kvm", "dev/kvm", "dev/kvm is not a valid device path"},
		{"pve-ct-timezone", "Europe/Vienna", "Mars/Base", "invalid time zone 'Mars/Base'"},
		{"pve-startup-order", "order=1,down=5", "1,later=2", "unable to parse startup options"},
		{"pve-hotplug-features", "disk,network", "disk,soul", "unable to parse hotplug option"},
		{"pve-cpuset", "0,2-3", "3-1", "unable to parse cpuset option"},
		{"pve-phys-bits", "host", "7", "value must be an integer between 8 and 64 or 'host'"},
		{"pve-qm-bootdev-list", "scsi0;net0", "scsi31", "invalid boot device 'scsi31'"},
		{"pve-volume-id-or-qm-path", "cdrom", "32", "unable to parse volume ID '32'"},
		{"pve-vm-cpu-conf", "host,flags=+pcid;-aes", "host,flags=+sse9", "VM-specific CPU flags must be a subset of: " + strings.Join(cpuFlags(), ", ")},
		{"storage-pair-list", "local:other,tank", "local:o", "storage ID 'o' contains illegal characters"},
		{"pve-storage-path", "/mnt/x", "mnt", "value does not look like a valid path"},
		{"pve-storage-portal-dns-list", "10.0.0.1:3260 [fe80::1]:3260 san.lab", "10.0.0.1:x", "value does not look like a valid portal address"},
		{"pve-vlan-id-or-range-list", "2-5;7", "5-4095", "invalid VLAN ID '5-4095'"},
	} {
		if err := checkFormat(tt.format, tt.good, "x"); err != nil {
			t.Errorf("%s: %q: %v", tt.format, tt.good, err)
		}
		if err := checkFormat(tt.format, tt.bad, "x"); err == nil || err.Error() != tt.text+"\n" {
			t.Errorf("%s: %q: %v, want %s", tt.format, tt.bad, err, tt.text)
		}
	}
}
