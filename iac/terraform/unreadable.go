package terraform

import (
	"encoding/json"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/iac"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// unreadable says why the provider would fail on a guest, which breaks the whole plan: such a guest is left out (rules A1 to A6). "" = it
// can be read.
func (x *export) unreadable(g *iac.Guest) string {
	if g.Type == pve.LXC {
		return ""
	}
	c := g.Config
	if c.Has("migrate_downtime") {
		return "migrate_downtime is set, which the provider cannot read"
	}
	if strings.Contains(c.Str("memory"), "=") {
		return "memory is written as a property string, which the provider cannot read"
	}
	for _, key := range g.Series("net") {
		if strings.Contains(g.Props(key).Str("trunks"), "-") {
			return key + " has a range in trunks, which the provider cannot read"
		}
	}
	if why := speedFault(g); why != "" {
		return why
	}
	if why := smbiosFault(g); why != "" {
		return why
	}
	return x.volumeFault(g)
}

// speedFault: the provider reads limits of disks as whole numbers; Proxmox VE takes decimals (schema: mbps_rd of qemu scsiN).
func speedFault(g *iac.Guest) string {
	for _, d := range g.Config.Disks() {
		p := g.Props(d.Slot)
		for _, s := range speeds {
			if strings.Contains(p.Str(s[1]), ".") {
				return d.Slot + " has a decimal in " + s[1] + ", which the provider cannot read"
			}
		}
	}
	return ""
}

// smbiosFault: the provider decodes these texts as base64 whatever they are (rule A4).
func smbiosFault(g *iac.Guest) string {
	p := g.Props("smbios1")
	for _, f := range []string{"family", "manufacturer", "product", "serial", "sku", "version"} {
		if _, ok := unbase64(p.Str(f)); !ok || p.Str(f) != "" && !p.Bool("base64") {
			return "smbios1 holds " + f + " without base64, which the provider cannot read"
		}
	}
	return ""
}

// volumeFault: the provider asks the storage for the format of a volume whose name does not tell it, and always for that of efidisk0; a
// storage that does not answer makes the plan fail (rules A5, A6).
func (x *export) volumeFault(g *iac.Guest) string {
	for _, d := range g.Config.Disks() {
		p := g.Props(d.Slot)
		if d.CDROM || d.Storage == "" || strings.HasPrefix(d.Slot, "unused") || strings.HasPrefix(d.Slot, "tpmstate") {
			continue
		}
		_, long := p.Properties.Get("file") // of file=VOLUME the provider does not take the format from the name
		if d.Slot != "efidisk0" && (p.Str("format") != "" || extension(d.Source) != "" && !long) {
			continue
		}
		if x.storageDown(g.Node, d.Storage) {
			return "storage " + d.Storage + " of " + d.Slot + " is off line on " + g.Node + ", and the provider has to ask it for the volume's format"
		}
	}
	return ""
}

// storageDown says whether a storage is defined and was not available when its node was last asked.
func (x *export) storageDown(node, name string) bool {
	if x.Find(store.KindStorageConfig, name) == nil {
		return false
	}
	o := x.Find(store.KindStorage, node+"/"+name)
	if o == nil {
		return false
	}
	var state struct {
		Status string `json:"status"`
	}
	// A state that cannot be read tells nothing.
	if json.Unmarshal(o.Raw, &state) != nil {
		return false
	}
	return state.Status != "" && state.Status != "available"
}
