package inventory

import (
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// setting is a kind of configuration that is read by listing it: what a cluster is beside guests, storages and pools. Path is below
// /api2/json, with {node} for one list per node that is online; below names a further list per row, whose rows belong to that row.
type setting struct {
	kind   store.Kind
	path   string
	id     func(row pve.Config) string // "" = not kept; nil = the answer is one object, called as the cluster's settings are
	apart  []string                    // keys that are measured or derived, not set
	priv   string                      // with which the whole list is seen; without it what is missing is not known to be gone
	absent string                      // words of the refusal of a Proxmox VE that does not have it any more (15)
	below  string                      // per row: what is listed there becomes the row's key belowAs
}

const (
	belowAs = "rules" // of a security group and of the cluster
	theOnly = "cluster"
)

func by(key string) func(pve.Config) string { return func(c pve.Config) string { return c.Str(key) } }

// settings are all such kinds. Their forms are those of the API's schema; recordings 12, 14 and 15 hold examples of each.
var settings = []setting{
	{kind: store.KindNetwork, path: "/nodes/{node}/network", id: by("iface"), apart: []string{"active", "exists", "altnames", "link-type"}, priv: "Sys.Audit"},
	{kind: store.KindNodeDNS, path: "/nodes/{node}/dns", priv: "Sys.Audit"},
	{kind: store.KindNodeTime, path: "/nodes/{node}/time", apart: []string{"time", "localtime"}, priv: "Sys.Audit"},
	{kind: store.KindNodeOptions, path: "/nodes/{node}/config", priv: "Sys.Audit"},
	{kind: store.KindBackupJob, path: "/cluster/backup", id: by("id"), apart: []string{"next-run", "type"}, priv: "Sys.Audit"},
	{kind: store.KindReplicationJob, path: "/cluster/replication", id: by("id"), priv: "VM.Audit"},
	{kind: store.KindHAResource, path: "/cluster/ha/resources", id: by("sid"), priv: "Sys.Audit"},
	{kind: store.KindHAGroup, path: "/cluster/ha/groups", id: by("group"), priv: "Sys.Audit", absent: "migrated to rules"},
	{kind: store.KindHARule, path: "/cluster/ha/rules", id: by("rule"), apart: []string{"order"}, priv: "Sys.Audit"},
	{kind: store.KindSDNZone, path: "/cluster/sdn/zones", id: by("zone"), priv: "SDN.Audit"},
	{kind: store.KindSDNVNet, path: "/cluster/sdn/vnets", id: by("vnet"), priv: "SDN.Audit", below: "/cluster/sdn/vnets/{id}/subnets"},
	{kind: store.KindSDNController, path: "/cluster/sdn/controllers", id: by("controller"), priv: "SDN.Audit"},
	{kind: store.KindClusterOptions, path: "/cluster/options", priv: "Sys.Audit"},
	{kind: store.KindMappingPCI, path: "/cluster/mapping/pci", id: by("id"), apart: []string{"checks"}, priv: "Mapping.Audit"},
	{kind: store.KindMappingUSB, path: "/cluster/mapping/usb", id: by("id"), apart: []string{"checks", "error"}, priv: "Mapping.Audit"},
	{kind: store.KindMappingDir, path: "/cluster/mapping/dir", id: by("id"), apart: []string{"checks"}, priv: "Mapping.Audit"},
	{kind: store.KindMetricServer, path: "/cluster/metrics/server", id: by("id"), priv: "Sys.Audit"},
	{kind: store.KindFirewallOptions, path: "/cluster/firewall/options", priv: "Sys.Audit"},
	{kind: store.KindFirewallAlias, path: "/cluster/firewall/aliases", id: by("name"), apart: []string{"ipversion"}, priv: "Sys.Audit"},
	{kind: store.KindFirewallIPSet, path: "/cluster/firewall/ipset", id: by("name"), priv: "Sys.Audit", below: "/cluster/firewall/ipset/{id}"},
	{kind: store.KindFirewallGroup, path: "/cluster/firewall/groups", id: by("group"), priv: "Sys.Audit", below: "/cluster/firewall/groups/{id}"},
	{kind: store.KindGroup, path: "/access/groups", id: by("groupid"), priv: "Sys.Audit"},
	{kind: store.KindRole, path: "/access/roles", id: ownRole, priv: "Sys.Audit"},
	{kind: store.KindRealm, path: "/access/domains", id: by("realm"), priv: "Sys.Audit"},
	{kind: store.KindUser, path: "/access/users?full=1", id: by("userid"), apart: []string{"totp-locked", "tfa-locked-until"}, priv: "Sys.Audit"},
	{kind: store.KindACL, path: "/access/acl", id: aclID, priv: "Sys.Audit"},
}

// ownRole leaves out those that Proxmox VE brings: they are its version's.
func ownRole(c pve.Config) string {
	if c.Bool("special") {
		return ""
	}
	return c.Str("roleid")
}

// aclID names an entry as the Terraform provider imports it: path, who, role.
func aclID(c pve.Config) string { return c.Str("path") + "?" + c.Str("ugid") + "?" + c.Str("roleid") }
