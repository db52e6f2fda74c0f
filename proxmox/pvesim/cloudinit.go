package pvesim

import (
	"maps"
	"slices"
	"strings"
)

func cloudInitRoutes() []route {
	base := "/nodes/{node}/qemu/{vmid}/cloudinit"
	audit := need("/vms/{vmid}", "VM.Audit")
	return append(daemon(put(base, need("/vms/{vmid}", "VM.Config.Cloudinit"), of(typeQEMU, regenerateCloudInit))),
		get(base, audit, of(typeQEMU, cloudInitPending)),
		get(base+"/dump", audit, of(typeQEMU, cloudInitDump)),
	)
}

// cloudInitKeys are the settings that GET cloudinit lists.
var cloudInitKeys = []string{"cicustom", "cipassword", "citype", "ciuser", "ciupgrade", "nameserver", "searchdomain", "sshkeys"}

// isCloudInitOption is whether an option goes into the cloud-init drive and nowhere else.
func isCloudInitOption(key string) bool {
	return contains(cloudInitKeys, key) || ipconfigShape().MatchString(key)
}

// cloudState is what the cloud-init drive of a running VM still says otherwise than the configuration.
type cloudState struct {
	old   Object // values that the drive has, of settings that were changed or removed
	added []string
}

// recordCloudInit notes that a setting changed while the VM runs, whose drive keeps the old one until it is written
// anew. nil stands for no value.
func (g *Guest) recordCloudInit(key string, old, value any) {
	if !isCloudInitOption(key) && key != "name" && !netShape().MatchString(key) {
		return
	}
	s := &cloudState{old: Object{}}
	if g.cloud != nil {
		s.old, s.added = clone(g.cloud.old), slices.Clone(g.cloud.added)
	}
	written, known := s.old[key]
	isNew := contains(s.added, key)
	switch {
	case known && value != nil && text(written) == text(value):
		delete(s.old, key)
	case known, isNew && value != nil, old == nil && value == nil:
	case isNew:
		s.added = slices.DeleteFunc(s.added, func(k string) bool { return k == key })
	case old == nil:
		s.added = append(s.added, key)
		slices.Sort(s.added)
	default:
		s.old[key] = old
	}
	if g.cloud = s; len(s.old)+len(s.added) == 0 {
		g.cloud = nil
	}
}

// section is the state as the configuration file has it.
func (s *cloudState) section() Object {
	o := clone(s.old)
	if len(s.added) > 0 {
		o["added"] = strings.Join(s.added, ",")
	}
	return o
}

// writeCloudInit writes the VM's cloud-init drive from the configuration in effect, as each start does; without such
// a drive nothing happens.
func (w *World) writeCloudInit(g *Guest) {
	if g.cloud != nil && g.cloudInitDrive() != nil {
		g.cloud = nil
		g.redigest()
	}
}

// cloudInitDrive is the VM's cloud-init drive, nil when it has none.
func (g *Guest) cloudInitDrive() *drive {
	for _, key := range driveKeys(g.Config) {
		if d, ok := parseDrive(key, text(g.Config[key])); ok && d.isCloudInit() {
			return d
		}
	}
	return nil
}

// cloudInitPending lists the settings that the drive is made from (03/011), those that it does not have yet with both
// values.
func cloudInitPending(_ *call, g *Guest) (any, error) {
	config, state := maskPassword(clone(g.Config)), &cloudState{old: Object{}}
	if g.cloud != nil {
		state = &cloudState{old: maskPassword(clone(g.cloud.old)), added: g.cloud.added}
	}
	list := []Object{}
	for _, key := range state.added {
		list = append(list, Object{"key": key, "pending": config[key]})
	}
	for _, key := range cloudInitKeys {
		value, ok := config[key]
		if !ok || text(value) == "0" || contains(state.added, key) {
			continue
		}
		if old, ok := state.old[key]; ok {
			list = append(list, Object{"key": key, "value": old, "pending": value})
		} else {
			list = append(list, Object{"key": key, "value": value})
		}
	}
	for _, key := range slices.Sorted(maps.Keys(state.old)) {
		if _, ok := config[key]; !ok {
			list = append(list, Object{"key": key, "delete": 1})
		}
	}
	return list, nil
}

// regenerateCloudInit writes the drive anew (04/124); a VM without one has nothing to do (04/120).
func regenerateCloudInit(c *call, g *Guest) (any, error) {
	if err := c.free(g); err != nil {
		return nil, err
	}
	if err := g.lockedError(); err != nil {
		return nil, err
	}
	c.w.writeCloudInit(g)
	return nil, nil
}
