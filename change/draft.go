package change

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/internal/redact"
)

// Draft is a guest as a plan would make it: Config is what the plan says of it. What Proxmox VE chooses by itself (MAC addresses, uuids) is not
// in it, and neither are passwords.
type Draft struct {
	Target Target
	Config pve.Config
}

// Drafts are the guests that a plan would make. config gives the configuration of a guest that one is cloned from, nil where it is not known.
// Errors: fault.Conflict where a plan does not say what it makes, as a restore does not, fault.NotFound where it makes no guest.
func (b *Body) Drafts(config func(vmid int) pve.Config) ([]Draft, error) {
	var out []Draft
	for k := range b.Steps {
		s := &b.Steps[k]
		if !s.Makes || !s.Target.New || s.Noop != "" {
			continue
		}
		l, err := s.draft(config)
		if err != nil {
			return nil, err
		}
		if l, err = l.after(b.Steps[k+1:]); err != nil { // it is removed again
			continue
		}
		for key, v := range l.Config {
			if text, ok := v.(string); ok && redact.IsSecretKey(key) && text != "" {
				l.Config[key] = redact.Mask
			}
		}
		out = append(out, Draft{Target: l.Target, Config: l.Config})
	}
	if len(out) == 0 {
		return nil, fault.New(fault.NotFound, "this plan makes no guest").WithHint("its guests can be described by vmid or name")
	}
	return out, nil
}

// param is a parameter of a request, "" where it is not given.
func (c *Call) param(key string) string {
	k := slices.IndexFunc(c.Params, func(p Param) bool { return p.Key == key })
	if k < 0 {
		return ""
	}
	return c.Params[k].Value
}

// draft is the guest that a step makes, before the steps that follow.
func (s *Step) draft(config func(vmid int) pve.Config) (*Live, error) {
	unknown := func(why string) error {
		return fault.New(fault.Conflict, "what %s will be is not known before it is made: %s", s.Target.Label(), why)
	}
	switch {
	case s.Call.param("archive") != "" || s.Call.param("restore") != "":
		return nil, unknown("its backup holds its configuration")
	case !strings.HasSuffix(s.Call.Path, "/clone"):
		return &Live{Target: s.Target, Config: s.createdConfig()}, nil
	case s.Call.param("snapname") != "" || len(s.Also) == 0:
		return nil, unknown("its snapshot holds its configuration")
	}
	of := s.Also[0]
	was := config(of.VMID)
	if was == nil {
		return nil, unknown(fmt.Sprintf("the configuration of guest %d was never read", of.VMID))
	}
	l := Clone{NewName: s.Target.Name}.made(&Live{Target: of, NewID: s.Target.VMID, Config: maps.Clone(was)})
	l.Target = s.Target
	for _, d := range was.Disks() {
		if v := l.Config.Str(d.Slot); v != "" {
			l.Config[d.Slot] = copied(v, d.Storage, s.Call.param("storage"), of.VMID, s.Target.VMID)
		}
	}
	return l, nil
}

// copied is a disk of a clone: on another storage where one was asked for, named after its new owner. Images for drives stay what they are.
func copied(value, from, to string, was, is int) string {
	if from == "" || strings.Contains(value, "media=cdrom") && !strings.Contains(value, "cloudinit") {
		return value
	}
	source, rest, _ := strings.Cut(value, ",")
	_, name, _ := strings.Cut(source, ":")
	name = name[strings.LastIndexByte(name, '/')+1:]
	old, now := strconv.Itoa(was), strconv.Itoa(is)
	name = strings.Replace(strings.Replace(name, "base-"+old+"-", "vm-"+now+"-", 1), "vm-"+old+"-", "vm-"+now+"-", 1)
	if strings.Contains(source, "/") { // a storage of files keeps a folder for each guest
		name = now + "/" + name
	}
	if to == "" {
		to = from
	}
	return strings.TrimSuffix(to+":"+name+","+rest, ",")
}

// notConfigured are parameters of making a guest that its configuration does not hold (schema: POST /nodes/{node}/qemu and lxc).
var notConfigured = map[string]bool{"vmid": true, "pool": true, "start": true, "storage": true, "unique": true, "force": true, "bwlimit": true, "live-restore": true,
	"import-working-storage": true, "ostemplate": true, "password": true, "ssh-public-keys": true, "ignore-unpack-errors": true}

// createdConfig is the configuration of a guest that a request makes: disks that are allocated get a name and a size.
func (s *Step) createdConfig() pve.Config {
	cfg := pve.Config{}
	for _, p := range s.Call.Params {
		if !notConfigured[p.Key] {
			cfg[p.Key] = p.Value
		}
	}
	disks := cfg.Disks()
	slices.SortStableFunc(disks, func(a, b pve.Disk) int { return cmp.Compare(rank(a.Slot), rank(b.Slot)) })
	for n, d := range disks {
		cfg[d.Slot] = allocated(cfg.Str(d.Slot), s.Target.VMID, n)
	}
	if s.Target.Type == pve.LXC { // those are written down, whether they are asked for or not (recordings 06, container 9110)
		for _, key := range []string{"memory", "swap"} {
			if !cfg.Has(key) {
				cfg[key] = "512"
			}
		}
	}
	return cfg
}

// rank is the order in which a container's volumes are made: its root first.
func rank(slot string) int {
	if slot == "rootfs" {
		return 0
	}
	return 1
}

// allocated is a disk as it is stored after it was asked for: "local-lvm:32,ssd=1" makes "local-lvm:vm-310-disk-0,ssd=1,size=32G", and
// "local-lvm:cloudinit" the drive (schema: STORAGE_ID:SIZE_IN_GiB). An imported one has the size of its image, which is not known.
func allocated(value string, vmid, n int) string {
	source, rest, _ := strings.Cut(value, ",")
	storage, what, ok := strings.Cut(source, ":")
	if !ok {
		return value
	}
	var parts []string
	for p := range strings.SplitSeq(rest, ",") {
		if p != "" && !strings.HasPrefix(p, "import-from=") {
			parts = append(parts, p)
		}
	}
	switch gib, err := strconv.ParseFloat(what, 64); {
	case what == "cloudinit":
		return fmt.Sprintf("%s:vm-%d-cloudinit,media=cdrom", storage, vmid)
	case err != nil:
		return value
	case gib > 0:
		parts = append(parts, "size="+exactSize(int64(gib*(1<<30))))
	}
	return strings.Join(append([]string{fmt.Sprintf("%s:vm-%d-disk-%d", storage, vmid, n)}, parts...), ",")
}
