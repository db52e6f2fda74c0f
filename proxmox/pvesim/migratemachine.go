package pvesim

import (
	"fmt"
	"strconv"
	"strings"
)

// prepareMachine looks for what keeps the VM on its node, devices first (QemuMigrate.pm, prepare).
func (m *migration) prepareMachine(g *Guest) error {
	if err := m.mayRun(g); err != nil {
		return m.failed(taskText(err))
	}
	for _, check := range []func(*Guest) error{m.devicesFree, m.clipboardFree, m.storagesThere, func(*Guest) error { return m.connect() }} {
		if err := check(g); err != nil {
			return m.failed(taskText(err))
		}
	}
	if m.running && !m.conntrack {
		m.log("conntrack state migration not supported or disabled, active connections might get dropped")
	}
	m.begin(g)
	m.scan(g)
	if err := m.refuseVolumes(g); err != nil {
		return m.failed("Problem found while scanning volumes - " + taskText(err))
	}
	if m.hasOffline() {
		m.log("copying local disk images")
	}
	return m.copyOffline(0, m.copied)
}

func (m *migration) hasOffline() bool {
	for _, v := range m.volumes {
		if !v.online {
			return true
		}
	}
	return false
}

// devicesFree refuses devices of the host, and mapped ones that the target does not have or that are in use.
func (m *migration) devicesFree(g *Guest) error {
	d := m.w.devicesOf(g)
	var local, busy []string
	for _, key := range d.local {
		if _, ok := d.mapped[key]; ok {
			busy = append(busy, key)
		} else {
			local = append(local, key)
		}
	}
	missing := d.missingOn(m.w, m.to)
	switch {
	case len(local) > 0 && (m.running || !m.force):
		return fail("can't migrate VM which uses local devices: %s", strings.Join(local, ", "))
	case len(busy) > 0 && m.running:
		return fail("can't migrate running VM which uses following mapped devices: %s", strings.Join(busy, ", "))
	case len(missing) > 0:
		return fail("can't migrate to '%s': missing mapped devices %s", m.to.Name, strings.Join(missing, ", "))
	case len(local) > 0:
		m.log("migrating VM which uses local devices")
	case len(d.mapped) > 0:
		m.log("migrating VM which uses mapped local devices")
	}
	return nil
}

func (m *migration) clipboardFree(g *Guest) error {
	if m.running && driveOption(text(g.Config["vga"]), "clipboard") == "vnc" {
		return fail("VMs with 'clipboard' set to 'vnc' are not live migratable!")
	}
	return nil
}

// storagesThere checks the storages of all volumes on both nodes, each by the name that it has there.
func (m *migration) storagesThere(g *Guest) error {
	for _, v := range g.usedVolumes() {
		store := v.store()
		if store == "" {
			continue
		}
		if err := m.w.enabled(m.from, store); err != nil {
			return err
		}
		target := store
		if !sharedStorage(m.w.Storage(store)) {
			target = m.stores.of(store)
		}
		if err := m.w.enabled(m.to, target); err != nil {
			return err
		}
		if p, err := m.w.volumeOf(v.volid); err == nil && !m.w.isFor(target, p.kind) {
			return fail("%s: content type '%s' is not available on storage '%s'", v.volid, p.kind, target)
		}
	}
	return nil
}

// scan finds the volumes that have to be copied.
func (m *migration) scan(g *Guest) {
	for _, u := range g.usedVolumes() {
		if u.store() == "" || sharedStorage(m.w.Storage(u.store())) {
			continue
		}
		v := m.moving(u.volid)
		v.key = u.key
		switch {
		case u.tpm || u.cloudInit:
			v.ref = "generated"
		case u.attached:
			v.ref = "attached"
		case u.unused:
			v.ref = "unused"
		case len(u.snaps) > 0:
			v.ref = "snapshot"
		default:
			v.ref = "pending"
		}
		v.online = m.running && v.ref == "attached"
		m.volumes = append(m.volumes, v)
	}
}

// foundAs is how the log names a volume by what needs it.
var foundAs = map[string]string{"attached": "found %s disk '%s' (attached)", "unused": "found %s, unused disk '%s'", "pending": "found %s disk '%s' (pending change)",
	"snapshot": "found %s disk '%s' (referenced by snapshot(s))", "volume config": "found %s volume '%s' (in current VM config)",
	"volume snapshot": "found %s volume '%s' (referenced by snapshot(s))"}

// refuseVolumes tells which volumes are found, and refuses those that cannot go (QemuMigrate.pm, scan_local_volumes).
func (m *migration) refuseVolumes(g *Guest) error {
	problems := map[string]string{}
	var others []string
	for _, u := range g.usedVolumes() {
		if reason := m.stuck(u); reason != "" {
			problems[u.volid] = reason
		}
		if u.cdrom && u.volid == "cdrom" {
			others = append(others, "can't migrate local cdrom drive")
		}
	}
	for _, v := range m.volumes {
		if v.ref == "attached" && m.running && !m.withDisks {
			problems[v.volid] = "can't live migrate attached local disks without with-local-disks option"
		}
		m.found(v)
	}
	for _, u := range g.usedVolumes() {
		if reason, ok := problems[u.volid]; ok {
			m.log("can't migrate local disk '%s': %s", u.volid, reason)
		}
	}
	for _, text := range others {
		m.log("%s", text)
	}
	if len(problems)+len(others) > 0 {
		return fail("can't migrate VM - check log")
	}
	return m.portable()
}

func (m *migration) found(v *movingVolume) {
	kind := "local"
	if v.replicated {
		kind = "local, replicated"
	}
	if v.ref == "generated" {
		m.log("found generated disk '%s' (in current VM config)", v.volid)
		return
	}
	m.log(foundAs[v.ref], kind, v.volid)
}

// stuck is why a local volume cannot be moved, "" when it can.
func (m *migration) stuck(u *usedVolume) string {
	if strings.HasPrefix(u.volid, "/") {
		if u.shared {
			return ""
		}
		return "local file/device"
	}
	def := m.w.Storage(u.store())
	if def == nil || sharedStorage(def) || u.cloudInit {
		return ""
	}
	p, err := m.w.volumeOf(u.volid)
	format := volumeFormat(text(def["type"]), u.volid)
	switch {
	case u.cdrom:
		return "local cdrom image"
	case err == nil && p.vmid != m.vmid:
		return fmt.Sprintf("owned by other VM (owner = VM %s)", ownerText(p.vmid))
	case u.vmstate:
		return ""
	case len(u.snaps) > 0 && m.running && !m.moving(u.volid).replicated:
		return "online storage migration not possible if non-replicated snapshot exists"
	case len(u.snaps) > 0 && def["type"] != "zfspool" && format != "qcow2" && (def["type"] != "btrfs" || format != "raw"):
		return "non-migratable snapshot exists"
	case len(m.from.linkedTo(u.volid)) > 0 && isBase(u.volid):
		return "referenced by linked clone(s)"
	}
	return ""
}

func ownerText(vmid int) string {
	if vmid == 0 {
		return ""
	}
	return strconv.Itoa(vmid)
}

// portable refuses storage types whose volumes stay where they are, and linked clones.
func (m *migration) portable() error {
	for _, v := range m.volumes {
		if kind := text(m.w.Storage(v.from)["type"]); !contains(movableTypes, kind) {
			return fail("can't migrate '%s' - storage type '%s' not supported", v.volid, kind)
		}
		if p, err := m.w.volumeOf(v.volid); err == nil && p.base != "" {
			return fail("can't migrate '%s' as it's a clone of '%s'", v.volid, volumeName(":"+p.base))
		}
	}
	return nil
}
