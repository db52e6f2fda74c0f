package pvesim

import (
	"maps"
	"slices"
	"strings"
)

// usedVolume is what a configuration and its snapshots say of a volume, or of a device or CD that stands in its place.
type usedVolume struct {
	volid, key                     string
	size                           int64
	snaps                          Object // names of the snapshots that need it
	cdrom, cloudInit, tpm, vmstate bool
	attached, unused, pending      bool
	replicate, shared              bool
}

// usedVolumes goes through the drives of the present configuration, of what waits and of the snapshots, by volume
// (qemu-server, foreach_volid).
func (g *Guest) usedVolumes() []*usedVolume {
	found := map[string]*usedVolume{}
	look := func(config Object, note func(*usedVolume)) {
		for _, key := range slices.Sorted(maps.Keys(config)) {
			if !isDriveKey(key) && !isUnusedKey(key) && key != "vmstate" {
				continue
			}
			if d, ok := parseDrive(key, text(config[key])); ok {
				v := found[d.file]
				if v == nil {
					v = &usedVolume{volid: d.file, cdrom: true, snaps: Object{}}
					found[d.file] = v
				}
				v.see(d)
				note(v)
			}
		}
	}
	look(g.Config, func(v *usedVolume) { v.attached = v.attached || !v.unused })
	look(g.Pending, func(v *usedVolume) { v.pending = true })
	for _, s := range g.Snapshots {
		look(s.Config, func(v *usedVolume) { v.snaps[s.Name] = 1 })
	}
	return slices.SortedFunc(maps.Values(found), func(a, b *usedVolume) int { return strings.Compare(a.volid, b.volid) })
}

// see notes what one drive says of its volume.
func (v *usedVolume) see(d *drive) {
	v.cdrom = v.cdrom && d.isCDROM()
	v.cloudInit = v.cloudInit || d.isCloudInit()
	v.tpm = v.tpm || d.key == "tpmstate0"
	v.vmstate = v.vmstate || d.key == "vmstate"
	v.unused = v.unused || isUnusedKey(d.key)
	v.replicate = v.replicate || d.opts["replicate"] != "0"
	v.shared = v.shared || d.opts["shared"] == "1"
	if isDriveKey(d.key) {
		v.key = d.key
	}
	if v.size == 0 {
		v.size = parseSize(d.opts["size"])
	}
}

// row is the volume in the list of local disks of GET migrate (02/111).
func (v *usedVolume) row() Object {
	o := Object{"volid": v.volid, "cdrom": bit(v.cdrom), "is_attached": bit(v.attached), "is_cloudinit": bit(v.cloudInit), "is_tpmstate": bit(v.tpm),
		"is_unused": bit(v.unused), "is_vmstate": bit(v.vmstate), "replicate": bit(v.replicate), "shared": bit(v.shared)}
	if v.key != "" {
		o["drivename"] = v.key
	}
	if v.size > 0 {
		o["size"] = v.size
	}
	if len(v.snaps) > 0 {
		o["referenced_in_snapshot"] = v.snaps
	}
	if v.pending {
		o["referenced_in_pending"] = 1
	}
	return o
}

// store is the storage of the volume, "" for devices and CD drives.
func (v *usedVolume) store() string {
	if store, _, ok := strings.Cut(v.volid, ":"); ok && !strings.HasPrefix(v.volid, "/") {
		return store
	}
	return ""
}

// machinePreconditions is what GET migrate says before a migration: where to, and what stands in the way.
func machinePreconditions(c *call, g *Guest) (any, error) {
	if err := g.lockedError(); err != nil {
		return nil, err
	}
	devices := c.w.devicesOf(g)
	blocking := devices.local
	if g.Live.Running && driveOption(text(g.Config["vga"]), "clipboard") == "vnc" {
		blocking = append(blocking, "clipboard=vnc")
	}
	disks := []Object{}
	for _, v := range g.usedVolumes() {
		if def := c.w.Storage(v.store()); v.shared || v.cdrom && v.volid == "none" || def != nil && sharedStorage(def) {
			continue
		}
		disks = append(disks, v.row())
	}
	allowed, others := []string{}, Object{}
	for _, n := range c.w.Nodes {
		if n.Name == g.Node {
			continue
		}
		if reasons := c.w.keptFrom(n, g, devices); len(reasons) > 0 {
			others[n.Name] = reasons
			continue
		}
		allowed = append(allowed, n.Name)
	}
	return Object{"running": bit(g.Live.Running), "allowed_nodes": allowed, "not_allowed_nodes": others, "local_disks": disks,
		"local_resources": anyStrings(blocking), "mapped-resources": anyStrings(slices.Sorted(maps.Keys(devices.mapped))),
		"mapped-resource-info": devices.info(), "has-dbus-vmstate": 1}, nil
}

// keptFrom is what keeps a VM from a node: storages that are not there while it is off, mapped devices without an entry.
func (w *World) keptFrom(n *Node, g *Guest, devices *guestDevices) Object {
	reasons := Object{}
	if missing := devices.missingOn(w, n); len(missing) > 0 {
		reasons["unavailable-resources"] = missing
	}
	if g.Live.Running {
		return reasons
	}
	var stores []string
	for _, key := range driveKeys(g.Config) {
		store := (&usedVolume{volid: driveVolume(text(g.Config[key]))}).store()
		if def := w.Storage(store); def != nil && (truth(def["disable"]) || !storedOn(def, n.Name)) && !slices.Contains(stores, store) {
			stores = append(stores, store)
		}
	}
	if len(stores) > 0 {
		slices.Sort(stores)
		reasons["unavailable_storages"] = stores
	}
	return reasons
}

// containerPreconditions are short: only HA's rules count there.
func containerPreconditions(c *call, g *Guest) (any, error) {
	allowed := []string{}
	for _, n := range c.w.Nodes {
		if n.Name != g.Node {
			allowed = append(allowed, n.Name)
		}
	}
	return Object{"running": bit(g.Live.Running), "allowed-nodes": allowed, "not-allowed-nodes": Object{}}, nil
}

// stringsIn gives a list of strings, whether it was decoded or made here.
func stringsIn(v any) []string {
	if list, ok := v.([]string); ok {
		return list
	}
	list, _ := v.([]any)
	out := make([]string, len(list))
	for i, e := range list {
		out[i] = text(e)
	}
	return out
}

func anyStrings(list []string) []any {
	out := []any{}
	for _, s := range list {
		out = append(out, s)
	}
	return out
}

// guestDevices are the devices of the host that a VM uses: those that bind it to its node, and those that a mapping gives
// on each node.
type guestDevices struct {
	local  []string
	mapped map[string]mappedDevice
}

// mappedDevice is a device by its mapping.
type mappedDevice struct {
	kind, id string
	live     bool
}

// devicesOf reads the devices of a VM (qemu-server, check_local_resources). Those by mapping are in both lists, unless their
// mapping says that they can be migrated live.
func (w *World) devicesOf(g *Guest) *guestDevices {
	d := &guestDevices{mapped: map[string]mappedDevice{}}
	for _, key := range slices.Sorted(maps.Keys(g.Config)) {
		value, kind := text(g.Config[key]), ""
		switch {
		case key == "ivshmem":
			d.local = append(d.local, key)
			continue
		case usbShape().MatchString(key):
			kind = "usb"
		case hostpciShape().MatchString(key):
			kind = "pci"
		case virtiofsShape().MatchString(key):
			kind = "dir"
		case serialShape().MatchString(key) && value == "socket", !serialShape().MatchString(key) && !parallelShape().MatchString(key):
			continue
		}
		d.add(w, key, kind, value)
	}
	return d
}

func (d *guestDevices) add(w *World, key, kind, value string) {
	first, _, _ := strings.Cut(value, ",")
	if kind == "usb" && strings.EqualFold(strings.TrimPrefix(first, "host="), "spice") {
		return
	}
	id := driveOption(value, "mapping")
	if kind == "dir" {
		id = strings.TrimPrefix(first, "dirid=")
	}
	if kind != "" && id != "" {
		m := mappedDevice{kind: kind, id: id}
		if def := w.mapping(kind, id); kind == "pci" && truth(def["live-migration-capable"]) {
			m.live = true
		}
		d.mapped[key] = m
		if m.live {
			return
		}
	}
	d.local = append(d.local, key)
}

func (d *guestDevices) info() Object {
	out := Object{}
	for key, m := range d.mapped {
		out[key] = Object{"name": m.id}
		if m.live {
			out[key] = Object{"name": m.id, "live-migration": 1}
		}
	}
	return out
}

// missingOn are the mapped devices that a node has no entry for.
func (d *guestDevices) missingOn(w *World, n *Node) []string {
	var list []string
	for _, key := range slices.Sorted(maps.Keys(d.mapped)) {
		entries := stringsIn(w.mapping(d.mapped[key].kind, d.mapped[key].id)["map"])
		if !slices.ContainsFunc(entries, func(e string) bool { return driveOption(e, "node") == n.Name }) {
			list = append(list, key)
		}
	}
	return list
}

// mapping is a resource mapping by its id, nil when there is none.
func (w *World) mapping(kind, id string) Object {
	for _, o := range w.Cluster.Lists["mapping_"+kind] {
		if o["id"] == id {
			return o
		}
	}
	return nil
}
