package terraform

import (
	"slices"
	"strconv"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/iac"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// backupJob: notes_template has to be written (facts 9); a job without a storage has no resource.
var backupJob = object{typ: "proxmox_backup_job", puts: []put{text("id", "id"), text("schedule", "schedule"), text("storage", "storage"), yes("enabled", "enabled", true),
	on("all", "all"), listed("vmid", "vmid"), listed("exclude", "exclude"), text("pool", "pool"), text("node", "node"), text("mode", "mode"),
	text("compress", "compress"), text("notes-template", "notes_template"), listed("mailto", "mailto"), text("mailnotification", "mailnotification"),
	on("repeat-missed", "repeat_missed"), on("protected", "protected"), number("bwlimit", "bwlimit"), number("ionice", "ionice"), number("lockwait", "lockwait"),
	number("stopwait", "stopwait"), number("zstd", "zstd"), number("pigz", "pigz"), prune, inside("fleecing", "fleecing", [2]string{"enabled", "enabled"}, [2]string{"storage", "storage"})}}

func prune(k *keys) {
	have := partsOf(k.conf, "prune-backups")
	out := map[string]string{}
	for key, v := range have {
		out[key] = textual(v)
	}
	if len(out) > 0 {
		k.take("prune-backups", "prune_backups")
		k.body.Set("prune_backups", out)
	}
}

func backupClaims(x *export, o *iac.Object) []*claim {
	c := backupJob.claim(x, o)
	refer(c, referred{"storage", keyOf(store.KindStorageConfig), "id"}, referred{"pool", keyOf(store.KindPool), "pool_id"},
		referred{"vmid", guestKey, "id"}, referred{"exclude", guestKey, "id"})
	if o.Config().Str("storage") == "" {
		c.status, c.leave = iac.LeftOut, "the provider demands a storage, the job has none"
	}
	return []*claim{c}
}

var replication = object{typ: "proxmox_replication", puts: []put{text("id", "id"), text("target", "target"), text("type", "type"), text("schedule", "schedule"),
	number("rate", "rate"), text("comment", "comment"), on("disable", "disable")}, apart: []string{"guest", "jobnum", "source"}}

var haResource = object{typ: "proxmox_haresource", label: func(o *iac.Object) string { return strings.ReplaceAll(o.ID, ":", "_") },
	puts: []put{text("sid", "resource_id"), text("state", "state"), text("group", "group"), number("max_restart", "max_restart"), number("max_relocate", "max_relocate"),
		switched("failback", "failback"), text("comment", "comment")}, apart: []string{"type"}}

// switched writes a switch where Proxmox VE has it, whichever way it stands.
func switched(key, attr string) put {
	return func(k *keys) {
		if k.has(key) {
			k.take(key, attr)
			k.body.Set(attr, k.conf.Bool(key))
		}
	}
}

// compared is what the provider compares only where it is set: of an absent one it takes a default that an import does not read.
func compared(key, attr string, how func(key, attr string) put) put {
	return func(k *keys) {
		how(key, attr)(k)
		if !k.has(key) {
			k.skip(Ref(attr), "is not set in Proxmox VE")
		}
	}
}

var haGroup = object{typ: "proxmox_hagroup", puts: []put{text("group", "group"), priorities, on("restricted", "restricted"), on("nofailback", "no_failback"), text("comment", "comment")},
	apart: []string{"type"}}

var haRule = object{typ: "proxmox_harule", puts: []put{text("rule", "rule"), text("type", "type"), set("resources", "resources"), priorities, on("strict", "strict"),
	text("affinity", "affinity"), on("disable", "disable"), text("comment", "comment")}}

// ruleClaims are a rule of HA, which is about HA resources.
func ruleClaims(x *export, o *iac.Object) []*claim {
	c := haRule.claim(x, o)
	refer(c, referred{"resources", keyOf(store.KindHAResource), "resource_id"})
	return []*claim{c}
}

// priorities writes nodes with theirs: pve1:2,pve2.
func priorities(k *keys) {
	var out []Named
	for _, n := range split(k.conf.Str("nodes"), ", ") {
		name, prio, ok := strings.Cut(n, ":")
		p, err := strconv.Atoi(prio)
		switch {
		case !ok:
			out = append(out, Named{strconv.Quote(name), Ref("null")})
		case err == nil:
			out = append(out, Named{strconv.Quote(name), p})
		}
	}
	slices.SortFunc(out, func(a, b Named) int { return strings.Compare(a.Name, b.Name) })
	if len(out) > 0 {
		k.take("nodes", "nodes")
		k.body.Set("nodes", out)
	}
}

// zone is an SDN zone, its puts behind those that all have.
func zone(typ string, puts ...put) object {
	return object{typ: typ, puts: append(append([]put{text("zone", "id")}, puts...), number("mtu", "mtu"), set("nodes", "nodes"), text("ipam", "ipam"), text("dns", "dns"),
		text("dnszone", "dns_zone"), text("reversedns", "reverse_dns")), apart: []string{"type", "state", "pending"}}
}

var zones = map[string]object{
	"simple": zone("proxmox_sdn_zone_simple", text("dhcp", "dhcp")),
	"vlan":   zone("proxmox_sdn_zone_vlan", text("bridge", "bridge")),
	"qinq":   zone("proxmox_sdn_zone_qinq", text("bridge", "bridge"), number("tag", "service_vlan"), text("vlan-protocol", "service_vlan_protocol")),
	"vxlan":  zone("proxmox_sdn_zone_vxlan", set("peers", "peers")),
	"evpn": zone("proxmox_sdn_zone_evpn", text("controller", "controller"), number("vrf-vxlan", "vrf_vxlan"), set("exitnodes", "exit_nodes"), text("exitnodes-primary", "primary_exit_node"),
		switched("exitnodes-local-routing", "exit_nodes_local_routing"), switched("advertise-subnets", "advertise_subnets"),
		switched("disable-arp-nd-suppression", "disable_arp_nd_suppression"), text("rt-import", "rt_import")),
}

// controller is an SDN controller: of those the provider has the ones of EVPN.
var controllerClaims = byType("type", map[string]object{"evpn": {typ: "proxmox_sdn_controller_evpn", puts: []put{text("controller", "id"), number("asn", "asn"), text("fabric", "fabric"),
	set("peers", "peers")}, apart: []string{"type", "state", "pending"}}}, map[string]string{"bgp": "the provider has no resource for it", "isis": "the provider has no resource for it"})

// zoneClaims are those of byType, but for EVPN zones without all of their switches: the provider takes a default of those that are not set, which
// an import does not read and no ignore_changes keeps from being planned (tried).
func zoneClaims(x *export, o *iac.Object) []*claim {
	out := zonesByType(x, o)
	for _, key := range []string{"exitnodes-local-routing", "advertise-subnets", "disable-arp-nd-suppression"} {
		if conf := o.Config(); conf.Str("type") == "evpn" && !conf.Has(key) {
			out[0].status, out[0].leave = iac.LeftOut, "the provider cannot import an EVPN zone without changing it where "+key+" is not set"
		}
	}
	return out
}

var zonesByType = byType("type", zones, map[string]string{"faucet": "the provider has no resource for it"})

var vnet = object{typ: "proxmox_sdn_vnet", puts: []put{text("vnet", "id"), number("tag", "tag"), text("alias", "alias"), on("vlanaware", "vlan_aware"), on("isolate-ports", "isolate_ports")},
	apart: []string{"type", "state", "pending", "rules"}}

// vnetClaims are a virtual network and its subnets.
func vnetClaims(x *export, o *iac.Object) []*claim {
	c := vnet.claim(x, o)
	write := c.write
	zoneOf := func(x *export, conf pve.Config) any {
		return x.ref(iac.Key{Target: target, Kind: store.KindSDNZone, ID: conf.Str("zone")}, "id", conf.Str("zone"))
	}
	c.write = func(x *export, k *keys) {
		k.body.Set("zone", zoneOf(x, k.conf))
		k.take("zone", "zone")
		write(x, k)
	}
	out := []*claim{c}
	below, _ := o.Config()["rules"].([]any)
	for _, row := range below {
		if m, ok := row.(map[string]any); ok {
			out = append(out, subnetClaim(o, m))
		}
	}
	return out
}

var subnet = []put{text("cidr", "cidr"), text("gateway", "gateway"), switched("snat", "snat"), text("dhcp-dns-server", "dhcp_dns_server"), text("dnszoneprefix", "dns_zone_prefix")}

func subnetClaim(o *iac.Object, conf pve.Config) *claim {
	id := conf.Str("subnet")
	c := &claim{key: o.Key(target), typ: "proxmox_sdn_subnet", name: o.ID + "_" + conf.Str("cidr"), prefix: "subnet", suffix: iac.Name(id, "x"), importID: o.ID + "/" + id,
		title: id, conf: newKeys(conf, &Body{}), internal: func(key string) bool {
			return slices.Contains([]string{"subnet", "zone", "network", "mask", "id", "type", "vnet", "state", "pending"}, key)
		}}
	c.key.ID += "#" + id
	c.write = func(x *export, k *keys) {
		k.body.Set("vnet", x.ref(o.Key(target), "id", o.ID))
		for _, p := range subnet {
			p(k)
		}
		ranges, _ := conf["dhcp-range"].([]any)
		if len(ranges) == 1 {
			one := pve.Config{"r": ranges[0]}
			have := partsOf(one, "r")
			k.take("dhcp-range", "dhcp_range")
			k.body.Set("dhcp_range", []Named{{"start_address", textual(have["start-address"])}, {"end_address", textual(have["end-address"])}})
		}
	}
	return c
}

// options of the datacenter: an apply would take away those that are not written, so that all are or none.
var options = []put{text("keyboard", "keyboard"), text("language", "language"), text("console", "console"), text("email_from", "email_from"), text("http_proxy", "http_proxy"),
	text("mac_prefix", "mac_prefix"), number("max_workers", "max_workers"), spread("migration", [2]string{"type", "migration_type"}, [2]string{"network", "migration_cidr"}),
	spread("ha", [2]string{"shutdown_policy", "ha_shutdown_policy"}), text("description", "description"),
	inside("next-id", "next_id", [2]string{"lower", "lower"}, [2]string{"upper", "upper"}), inside("notify", "notify", [2]string{"package-updates", "package_updates"},
		[2]string{"fencing", "ha_fencing_mode"}, [2]string{"replication", "replication"})}

// optionKeys are those that options writes.
var optionKeys = []string{"keyboard", "language", "console", "email_from", "http_proxy", "mac_prefix", "max_workers", "migration", "ha", "description", "next-id", "notify"}

func optionClaims(x *export, o *iac.Object) []*claim {
	d := object{typ: "proxmox_cluster_options", puts: options, label: func(*iac.Object) string { return "datacenter" }}
	c := d.claim(x, o)
	conf := o.Config()
	if len(conf) == 0 {
		c.status, c.leave = iac.LeftOut, "no option of the datacenter is set"
	}
	for _, key := range conf.Keys() {
		if !slices.Contains(optionKeys, key) {
			c.status, c.leave = iac.LeftOut, "an apply would take away "+key+", which is not written"
			break
		}
	}
	return []*claim{c}
}

// mapping is a mapping of devices or folders to a name, one row per node.
func mapping(typ string, parts ...[2]string) object {
	return object{typ: typ, puts: []put{text("id", "name"), text("description", "comment"), on("mdev", "mediated_devices"), func(k *keys) {
		rows, _ := k.conf["map"].([]any)
		var out [][]Named
		for _, r := range rows {
			have := partsOf(pve.Config{"r": r}, "r")
			var row []Named
			for _, p := range parts {
				if v, ok := have[p[0]]; ok {
					row = append(row, Named{p[1], mapped(p[1], v)})
				}
			}
			out = append(out, row)
		}
		if len(out) > 0 {
			k.take("map", "map")
			k.body.Set("map", out)
		}
	}}, apart: []string{"type"}}
}

func mapped(attr string, v any) any {
	if attr == "iommu_group" {
		if n, err := strconv.Atoi(textual(v)); err == nil {
			return n
		}
	}
	return textual(v)
}

var (
	mappingPCI = mapping("proxmox_hardware_mapping_pci", [2]string{"node", "node"}, [2]string{"id", "id"}, [2]string{"path", "path"}, [2]string{"iommugroup", "iommu_group"},
		[2]string{"subsystem-id", "subsystem_id"}, [2]string{"description", "comment"})
	mappingUSB = mapping("proxmox_hardware_mapping_usb", [2]string{"node", "node"}, [2]string{"id", "id"}, [2]string{"path", "path"}, [2]string{"description", "comment"})
	mappingDir = mapping("proxmox_hardware_mapping_dir", [2]string{"node", "node"}, [2]string{"path", "path"})
)
