package terraform

import (
	"github.com/proxmox-mcp/proxmox-mcp/iac"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// kind is how objects of one kind become resources of one type. An object kind may have several rows, one per type.
type kind struct {
	of   store.Kind
	typ  string // the provider's resource type
	file string // where the blocks go, below terraform/
	part string // written only when asked for (iac.Options.With); "" = always
	// claims gives the resources of one object, mostly one. name, importID and write have to be set; id where an object has several
	// resources (then "ID#what"), suffix where the object's id is no suffix for a name.
	claims func(x *export, o *iac.Object) []*claim
}

// kinds are all objects that are no guests.
var kinds = []kind{
	{of: store.KindPool, typ: poolType, file: "pools.tf", claims: poolClaims},
	{of: store.KindStorageConfig, file: "storage.tf", part: Infrastructure, claims: storageClaims},
	{of: store.KindNetwork, file: "network.tf", part: Infrastructure, claims: networkClaims},
	{of: store.KindNodeDNS, typ: "proxmox_virtual_environment_dns", file: "nodes.tf", part: Infrastructure, claims: dnsClaims},
	{of: store.KindNodeTime, typ: "proxmox_virtual_environment_time", file: "nodes.tf", part: Infrastructure, claims: timeClaims},
	{of: store.KindNodeOptions, typ: "proxmox_node_config", file: "nodes.tf", part: Infrastructure, claims: nodeClaims},
	{of: store.KindClusterOptions, file: "cluster.tf", part: Infrastructure, claims: optionClaims},
	{of: store.KindBackupJob, file: "backup.tf", part: Infrastructure, claims: backupClaims},
	{of: store.KindReplicationJob, file: "backup.tf", part: Infrastructure, claims: one(replication)},
	{of: store.KindHAResource, file: "ha.tf", part: Infrastructure, claims: one(haResource)},
	{of: store.KindHAGroup, file: "ha.tf", part: Infrastructure, claims: one(haGroup)},
	{of: store.KindHARule, file: "ha.tf", part: Infrastructure, claims: ruleClaims},
	{of: store.KindSDNZone, file: "sdn.tf", part: Infrastructure, claims: zoneClaims},
	{of: store.KindSDNController, file: "sdn.tf", part: Infrastructure, claims: controllerClaims},
	{of: store.KindSDNVNet, file: "sdn.tf", part: Infrastructure, claims: vnetClaims},
	{of: store.KindMappingPCI, file: "mappings.tf", part: Infrastructure, claims: one(mappingPCI)},
	{of: store.KindMappingUSB, file: "mappings.tf", part: Infrastructure, claims: one(mappingUSB)},
	{of: store.KindMappingDir, file: "mappings.tf", part: Infrastructure, claims: one(mappingDir)},
	{of: store.KindFirewallOptions, file: "firewall.tf", part: Firewall, claims: clusterFirewall},
	{of: store.KindFirewallRules, file: "firewall.tf", part: Firewall, claims: clusterRules},
	{of: store.KindNodeFirewall, file: "firewall.tf", part: Firewall, claims: nodeFirewall},
	{of: store.KindGuestFirewall, file: "firewall.tf", part: Firewall, claims: guestFirewall},
	{of: store.KindFirewallAlias, file: "firewall.tf", part: Firewall, claims: aliasClaims},
	{of: store.KindFirewallIPSet, file: "firewall.tf", part: Firewall, claims: one(ipset)},
	{of: store.KindFirewallGroup, file: "firewall.tf", part: Firewall, claims: one(securityGroup)},
	{of: store.KindGroup, file: "access.tf", part: Access, claims: one(group)},
	{of: store.KindRole, file: "access.tf", part: Access, claims: one(role)},
	{of: store.KindUser, file: "access.tf", part: Access, claims: userClaims},
	{of: store.KindACL, file: "access.tf", part: Access, claims: aclClaims},
}

// claim is one resource to be written.
type claim struct {
	key      iac.Key
	typ      string
	file     string
	name     string // what the address is made of
	prefix   string // stands before a name that begins with a digit, and for one of which nothing is left
	suffix   string // tells it from others of its name
	importID string
	// leave says why it is not written; status is iac.Unreadable or iac.LeftOut then.
	leave  string
	status iac.Status
	// write fills the block; keys notes what becomes of the object's configuration. nil keys: there is none to tell of.
	write func(x *export, k *keys)
	conf  *keys
	// why gives the reason for a key that no attribute holds, internal says which are bookkeeping; nil = the general one, none.
	why      func(key string) string
	internal func(key string) bool
	title    string // what the report calls it
	protect  bool   // prevent_destroy
}

// of makes a claim for an object.
func (x *export) of(o *iac.Object, name, importID string, write func(x *export, k *keys)) *claim {
	return &claim{key: o.Key(target), name: name, suffix: iac.Name(o.ID, "x"), importID: importID, write: write, title: o.ID, conf: newKeys(o.Config(), &Body{})}
}
