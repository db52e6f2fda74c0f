package pve

import "encoding/json"

// VolumeRow is a row of GET /nodes/{node}/storage/{storage}/content (recordings 02/093, 09/012). Size is bytes; storages that cannot tell it exactly send
// ApproxSize in its place. Used is told by few storages. Encrypted is a fingerprint or "1", Verification only on backup servers (schema).
type VolumeRow struct {
	VolID        Text          `json:"volid"`
	Content      Text          `json:"content"`
	Format       Text          `json:"format"`
	Subtype      Text          `json:"subtype"`
	Size         *Int          `json:"size"`
	ApproxSize   *Int          `json:"approximate-size"`
	Used         *Int          `json:"used"`
	VMID         *Int          `json:"vmid"`
	CTime        *Int          `json:"ctime"`
	Parent       Text          `json:"parent"`
	Notes        Text          `json:"notes"`
	Protected    *Bool         `json:"protected"`
	Encrypted    Text          `json:"encrypted"`
	Verification *Verification `json:"verification"`
}

// Verification is the last check of a backup on a backup server: ok or failed.
type Verification struct {
	State Text `json:"state"`
}

// DiskRow is a row of GET /nodes/{node}/disks/list (schema; recording 02/067). Wearout is what is left in percent, or "N/A"; Health is SMART's
// word (PASSED, FAILED, OK) or UNKNOWN; Used says what the disk is used for, "" = nothing.
type DiskRow struct {
	DevPath Text `json:"devpath"`
	Model   Text `json:"model"`
	Serial  Text `json:"serial"`
	Type    Text `json:"type"`
	Size    *Int `json:"size"`
	Health  Text `json:"health"`
	Wearout Text `json:"wearout"`
	Used    Text `json:"used"`
}

// ZFSRow is a row of GET /nodes/{node}/disks/zfs (schema). Sizes are bytes, Frag percent.
type ZFSRow struct {
	Name   Text `json:"name"`
	Health Text `json:"health"`
	Size   *Int `json:"size"`
	Alloc  *Int `json:"alloc"`
	Free   *Int `json:"free"`
	Frag   *Int `json:"frag"`
}

// ThinPoolRow is a row of GET /nodes/{node}/disks/lvmthin (schema), in bytes.
type ThinPoolRow struct {
	VG           Text `json:"vg"`
	LV           Text `json:"lv"`
	Size         *Int `json:"lv_size"`
	Used         *Int `json:"used"`
	MetadataSize *Int `json:"metadata_size"`
	MetadataUsed *Int `json:"metadata_used"`
}

// ServiceRow is a row of GET /nodes/{node}/services (recording 02/056): systemd's words.
type ServiceRow struct {
	Service     Text `json:"service"`
	State       Text `json:"state"`
	ActiveState Text `json:"active-state"`
	UnitState   Text `json:"unit-state"`
}

// UpdateRow is a row of GET /nodes/{node}/apt/update (recording 02/065): a package that waits for an update.
type UpdateRow struct {
	Package    Text `json:"Package"`
	Version    Text `json:"Version"`
	OldVersion Text `json:"OldVersion"`
	Origin     Text `json:"Origin"`
}

// CertificateRow is a row of GET /nodes/{node}/certificates/info (recording 02/062); times are Unix seconds.
type CertificateRow struct {
	Filename    Text `json:"filename"`
	Subject     Text `json:"subject"`
	Fingerprint Text `json:"fingerprint"`
	NotAfter    *Int `json:"notafter"`
	NotBefore   *Int `json:"notbefore"`
}

// NodeTime is GET /nodes/{node}/time (recording 02/047); Time is Unix seconds, LocalTime the same shifted by the zone.
type NodeTime struct {
	Time     *Int `json:"time"`
	Timezone Text `json:"timezone"`
}

// InterfaceRow is a row of GET /nodes/{node}/network (recordings 02/051, 15/135). Type is bridge, bond, eth, vlan, OVSBridge, ...; Active is absent
// on what is configured and not up.
type InterfaceRow struct {
	Iface     Text  `json:"iface"`
	Type      Text  `json:"type"`
	Active    *Bool `json:"active"`
	Autostart *Bool `json:"autostart"`
	CIDR      Text  `json:"cidr"`
	CIDR6     Text  `json:"cidr6"`
	Gateway   Text  `json:"gateway"`
	Gateway6  Text  `json:"gateway6"`
	Ports     Text  `json:"bridge_ports"`
	OVSPorts  Text  `json:"ovs_ports"`
	OVSBonds  Text  `json:"ovs_bonds"`
	Slaves    Text  `json:"slaves"`
	BondMode  Text  `json:"bond_mode"`
	VLANAware *Bool `json:"bridge_vlan_aware"`
	VLANs     Text  `json:"bridge_vids"`
	VLANID    Text  `json:"vlan-id"`
	VLANRaw   Text  `json:"vlan-raw-device"`
	MTU       Text  `json:"mtu"`
	Comments  Text  `json:"comments"`
}

// NodeNetwork is the interfaces of a node as they are configured. Changes is the difference to what is in effect, as a patch; "" = none waits.
type NodeNetwork struct {
	Interfaces []InterfaceRow
	Changes    string
}

// ZoneRow is a row of GET /cluster/sdn/zones?pending=1 (recording 15/089). State is new, changed, deleted or "" where nothing waits;
// Pending then holds what will be.
type ZoneRow struct {
	Zone    Text            `json:"zone"`
	Type    Text            `json:"type"`
	Bridge  Text            `json:"bridge"`
	Nodes   Text            `json:"nodes"`
	State   Text            `json:"state"`
	Pending json.RawMessage `json:"pending"`
}

// VnetRow is a row of GET /cluster/sdn/vnets?pending=1 (recording 15/088), like ZoneRow.
type VnetRow struct {
	Vnet      Text            `json:"vnet"`
	Zone      Text            `json:"zone"`
	Alias     Text            `json:"alias"`
	Tag       Text            `json:"tag"`
	VLANAware *Bool           `json:"vlanaware"`
	State     Text            `json:"state"`
	Pending   json.RawMessage `json:"pending"`
}

// Appliance is a container template that Proxmox VE offers to download (GET /nodes/{node}/aplinfo; fields: source, APLInfo.pm).
type Appliance struct {
	Template Text `json:"template"` // the file's name
	Package  Text `json:"package"`
	Version  Text `json:"version"`
	OS       Text `json:"os"`
	Section  Text `json:"section"` // system, turnkeylinux, mail
}

// BackupFileRow is a row of GET .../file-restore/list (schema; proxmox-backup, pbs-datastore catalog.rs). FilePath is base64 of the whole
// path, archive first; Type is d for a folder, f a file, l a link, h a hard link, v an archive or part of a disk, else b, c, p, s. MTime and Size are of files alone.
type BackupFileRow struct {
	FilePath Text `json:"filepath"`
	Text     Text `json:"text"`
	Type     Text `json:"type"`
	Size     *Int `json:"size"`
	MTime    *Int `json:"mtime"`
}
