package terraform

import (
	"strconv"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/iac"
)

// device is a network device of a node, its puts behind those that all have.
func device(typ string, puts ...put) object {
	return object{
		typ: typ,
		id: func(o *iac.Object) string {
			node, name := onNode(o)
			return node + ":" + name
		},
		label: func(o *iac.Object) string { return strings.ReplaceAll(o.ID, "/", "_") },
		puts: append([]put{text("iface", "name"), text("cidr", "address"), text("gateway", "gateway"), text("cidr6", "address6"), text("gateway6", "gateway6"),
			yes("autostart", "autostart", false), number("mtu", "mtu"), line("comments", "comment")}, puts...),
		apart: []string{"type", "priority", "families", "method", "method6", "address", "netmask", "address6", "netmask6", "options", "options6"},
	}
}

// networks are the devices that the provider knows; bridge_stp, bridge_fd and what is empty have no attribute (facts 9).
var networks = map[string]object{
	"bridge": device("proxmox_network_linux_bridge", listed("bridge_ports", "ports"), on("bridge_vlan_aware", "vlan_aware"), text("bridge_vids", "vids")),
	"bond": device("proxmox_network_linux_bond", listed("slaves", "slaves"), text("bond_mode", "bond_mode"), text("bond-primary", "bond_primary"),
		text("bond_xmit_hash_policy", "bond_xmit_hash_policy")),
	"vlan": device("proxmox_network_linux_vlan", text("vlan-raw-device", "interface"), number("vlan-id", "vlan")),
}

// on writes a switch only where it is on.
func on(key, attr string) put { return func(k *keys) { k.flag(k.body, key, attr, false) } }

func networkClaims(x *export, o *iac.Object) []*claim {
	out := byType("type", networks, map[string]string{"eth": "a physical device: there is nothing to make", "alias": "the provider has no resource for aliases",
		"OVSBridge": "the provider has no resource for Open vSwitch", "OVSBond": "the provider has no resource for Open vSwitch",
		"OVSPort": "the provider has no resource for Open vSwitch", "OVSIntPort": "the provider has no resource for Open vSwitch"})(x, o)
	for _, c := range out {
		node, _ := onNode(o)
		write := c.write
		c.write = func(x *export, k *keys) {
			k.body.Set("node_name", node)
			write(x, k)
		}
	}
	return out
}

func dnsClaims(x *export, o *iac.Object) []*claim {
	c := x.of(o, o.ID, o.ID, func(_ *export, k *keys) {
		k.body.Set("node_name", o.ID)
		k.body.Set("domain", k.take("search", "domain"))
		var servers []string
		for _, key := range []string{"dns1", "dns2", "dns3"} {
			if k.has(key) {
				servers = append(servers, k.take(key, "servers"))
			}
		}
		k.body.Set("servers", servers)
	})
	if o.Config().Str("search") == "" {
		c.status, c.leave = iac.LeftOut, "the provider demands a search domain, the node has none"
	}
	return []*claim{c}
}

func timeClaims(x *export, o *iac.Object) []*claim {
	return []*claim{x.of(o, o.ID, o.ID, func(_ *export, k *keys) {
		k.body.Set("node_name", o.ID)
		k.body.Set("time_zone", k.take("timezone", "time_zone"))
	})}
}

// nodeClaims are the notes of a node, where it has any: its other options have no resource.
func nodeClaims(x *export, o *iac.Object) []*claim {
	c := x.of(o, o.ID, o.ID, func(_ *export, k *keys) {
		k.body.Set("node_name", o.ID)
		line("description", "description")(k)
	})
	if o.Config().Str("description") == "" {
		c.status, c.leave = iac.LeftOut, "the node has no notes, and the provider knows no other of its options"
	}
	return []*claim{c}
}

// storages are those whose whole definition can be read: that of CIFS and of a backup server needs a password, which is not.
var storages = map[string]object{
	"dir":     storage("proxmox_storage_directory", text("path", "path"), yes("shared", "shared", false), text("preallocation", "preallocation")),
	"nfs":     storage("proxmox_storage_nfs", text("server", "server"), text("export", "export"), text("options", "options"), text("preallocation", "preallocation")),
	"lvm":     storage("proxmox_storage_lvm", text("vgname", "volume_group"), yes("shared", "shared", false), on("saferemove", "wipe_removed_volumes")),
	"lvmthin": storage("proxmox_storage_lvmthin", text("vgname", "volume_group"), text("thinpool", "thin_pool")),
	"zfspool": storage("proxmox_storage_zfspool", text("pool", "zfs_pool"), on("sparse", "thin_provision"), text("blocksize", "blocksize")),
}

func storage(typ string, puts ...put) object {
	own := append([]put{text("storage", "id")}, puts...)
	own = append(own, set("content", "content"), set("nodes", "nodes"), on("disable", "disable"))
	apart := []string{"type"}
	if typ != "proxmox_storage_directory" {
		apart = append(apart, "path", "mountpoint")
	} else {
		own = append(own, keeps)
	}
	if typ == "proxmox_storage_nfs" {
		own = append(own, keeps)
	}
	return object{typ: typ, puts: own, apart: apart}
}

// keeps writes which backups a storage keeps.
func keeps(k *keys) {
	have := partsOf(k.conf, "prune-backups")
	var b *Body
	for _, p := range [][2]string{{"keep-all", "keep_all"}, {"keep-last", "keep_last"}, {"keep-hourly", "keep_hourly"}, {"keep-daily", "keep_daily"},
		{"keep-weekly", "keep_weekly"}, {"keep-monthly", "keep_monthly"}, {"keep-yearly", "keep_yearly"}} {
		v, ok := have[p[0]]
		if !ok {
			continue
		}
		if b == nil {
			b = k.body.Block("backups")
			k.skip("backups", "the provider does not read it when it imports")
		}
		k.take("prune-backups", "backups")
		if p[0] == "keep-all" {
			b.Set(p[1], textual(v) == "1")
		} else if n, err := strconv.Atoi(textual(v)); err == nil {
			b.Set(p[1], n)
		}
	}
}

var storageClaims = byType("type", storages, map[string]string{"cifs": "the provider demands its password, which cannot be read",
	"pbs": "the provider demands its password, which cannot be read"})
