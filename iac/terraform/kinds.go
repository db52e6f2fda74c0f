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
	{of: "network", file: "network.tf", part: Infrastructure, claims: networkClaims},
	{of: "node_dns", typ: "proxmox_virtual_environment_dns", file: "nodes.tf", part: Infrastructure, claims: dnsClaims},
	{of: "node_time", typ: "proxmox_virtual_environment_time", file: "nodes.tf", part: Infrastructure, claims: timeClaims},
	{of: "node_options", typ: "proxmox_node_config", file: "nodes.tf", part: Infrastructure, claims: nodeClaims},
	{of: "cluster_options", file: "cluster.tf", part: Infrastructure, claims: optionClaims},
	{of: "backup_job", file: "backup.tf", part: Infrastructure, claims: backupClaims},
	{of: "replication_job", file: "backup.tf", part: Infrastructure, claims: one(replication)},
	{of: "ha_resource", file: "ha.tf", part: Infrastructure, claims: one(haResource)},
	{of: "ha_group", file: "ha.tf", part: Infrastructure, claims: one(haGroup)},
	{of: "ha_rule", file: "ha.tf", part: Infrastructure, claims: one(haRule)},
	{of: "sdn_zone", file: "sdn.tf", part: Infrastructure, claims: zoneClaims},
	{of: "sdn_vnet", file: "sdn.tf", part: Infrastructure, claims: vnetClaims},
	{of: "mapping_pci", file: "mappings.tf", part: Infrastructure, claims: one(mappingPCI)},
	{of: "mapping_usb", file: "mappings.tf", part: Infrastructure, claims: one(mappingUSB)},
	{of: "mapping_dir", file: "mappings.tf", part: Infrastructure, claims: one(mappingDir)},
	{of: "firewall_options", file: "firewall.tf", part: Firewall, claims: clusterFirewall},
	{of: "firewall_alias", file: "firewall.tf", part: Firewall, claims: aliasClaims},
	{of: "firewall_ipset", file: "firewall.tf", part: Firewall, claims: one(ipset)},
	{of: "firewall_group", file: "firewall.tf", part: Firewall, claims: one(securityGroup)},
	{of: "group", file: "access.tf", part: Access, claims: one(group)},
	{of: "role", file: "access.tf", part: Access, claims: one(role)},
	{of: "user", file: "access.tf", part: Access, claims: userClaims},
	{of: "acl", file: "access.tf", part: Access, claims: aclClaims},
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
