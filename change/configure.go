package change

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/lazy"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/internal/redact"
)

// Configure sets and deletes keys of a guest's configuration. Values are those of the API; a secret is a reference (secret:NAME).
type Configure struct {
	Set    map[string]string
	Delete []string
}

// Name implements Action.
func (c Configure) Name() string { return "guest.configure" }

// Title implements Action.
func (c Configure) Title() string {
	keys := slices.SortedFunc(maps.Keys(c.Set), pve.CompareKeys)
	for _, k := range c.Delete {
		keys = append(keys, "-"+k)
	}
	return "set " + strings.Join(keys, ", ")
}

// Needs implements Action.
func (c Configure) Needs() Needs {
	erases := func(k string) bool { return strings.HasPrefix(k, "unused") } // which no snapshot holds
	disturbs := func(k string) bool { return keyTier(k) >= Disruptive && !erases(k) }
	_, memory := c.Set["memory"]
	card := slices.ContainsFunc(slices.Collect(maps.Keys(c.Set)), func(k string) bool { return strings.HasPrefix(k, "net") })
	return Needs{Places: memory, Bridges: card, Backups: slices.ContainsFunc(c.Delete, erases),
		Savable: slices.ContainsFunc(c.Delete, disturbs) || slices.ContainsFunc(slices.Collect(maps.Keys(c.Set)), disturbs)}
}

// harmless keys only describe a guest: changing them disturbs nothing (R1).
var harmless = map[string]bool{"tags": true, "description": true}

// rootOnly keys are refused to everybody but root@pam, tokens included (pve-api.md 22, F36): said at plan time.
var rootOnly = map[string]bool{"args": true, "hookscript": true, "lock": true}

// requestOnly are parameters of the request that are no keys: with them a change of a key would be something else, the erasing of a disk
// for example (delete, force).
var requestOnly = map[string]bool{"delete": true, "force": true, "revert": true, "digest": true, "skiplock": true, "background_delay": true,
	"import-working-storage": true, "node": true, "vmid": true}

// configKey is the form of all keys of the schema.
var configKey = lazy.Regexp(`^[a-z][a-z0-9_-]{0,39}$`)

// Steps implements Action.
func (c Configure) Steps(l *Live) ([]Step, error) {
	if err := c.check(l); err != nil {
		return nil, err
	}
	s := l.step(c.Name(), Reversible, "PUT", "/config")
	s.Pending, s.Want.Set = true, map[string]string{}
	undo := configUndo{set: map[string]string{}}
	for _, k := range slices.SortedFunc(maps.Keys(c.Set), pve.CompareKeys) {
		c.set(l, &s, &undo, k, c.Set[k])
	}
	var gone []string
	for _, k := range c.Delete {
		if l.Config.Has(k) {
			gone = append(gone, k)
			c.remove(l, &s, &undo, k)
		}
	}
	if len(s.Diff) == 0 {
		s.Noop = "it is configured so already"
		return []Step{s}, nil
	}
	if len(gone) > 0 {
		s.Call.Params = append(s.Call.Params, Param{"delete", strings.Join(gone, ",")})
	}
	if l.Digest != "" {
		s.Call.Params = append(s.Call.Params, Param{"digest", l.Digest})
	}
	if len(undo.made) > 0 && l.Type == pve.LXC && l.Target.Status == "running" {
		undo.why = "a container lets go of a volume only when it is stopped"
	}
	s.NoUndo = undo.why
	if s.NoUndo == "" {
		s.Undo = undo.calls(l)
	}
	return []Step{s}, nil
}

// check refuses what Proxmox VE would refuse, or do otherwise than it sounds.
func (c Configure) check(l *Live) error {
	if len(c.Set)+len(c.Delete) == 0 {
		return fault.BadField("set", "at least one key to set or delete is needed", "memory=4096")
	}
	for k, v := range c.Set {
		switch {
		case requestOnly[k] || !configKey().MatchString(k):
			return fault.BadField("set", cleanLine(k)+" is no key of a configuration", "memory=4096").WithHint("keys to remove go into delete")
		case slices.Contains(c.Delete, k):
			return fault.BadField("delete", k+" is both set and deleted", "memory")
		case rootOnly[k]:
			return fault.New(fault.Forbidden, "only root@pam can set %s, no token can", k).WithHint("set it on the node itself")
		case redact.IsSecretKey(k) && !strings.HasPrefix(v, "secret:"):
			return fault.BadField("set", k+" takes a reference to a secret, never the secret itself", k+"=secret:NAME").
				WithHint("its owner stores it with: proxmox-mcp secret set NAME")
		case v == "":
			return fault.BadField("set", k+" has no value; an empty one does not remove a key", "delete: "+k)
		}
		if err := cmp.Or(plausible(l, k, v), occupied(l, k, v)); err != nil {
			return err
		}
	}
	return nil
}

// occupied refuses another volume in a slot that has one: Proxmox VE moves the old disk to an unused slot without a word (pve-api.md 42).
func occupied(l *Live, key, value string) error {
	was := volumeOf(l.Config, key)
	now := volumeOf(pve.Config{key: value}, key)
	if was == "" || now == "" || was == now || strings.Contains(was+now, "cdrom") || was == "none" {
		return nil
	}
	return fault.New(fault.Conflict, "%s of %s holds %s", key, l.Label(), cleanLine(was)).
		WithHint("another volume would push it aside unasked: detach it first (delete %s), or use a free slot", key)
}

// volumeOf is the volume of a disk key, "" for every other key; a CD drive counts as none.
func volumeOf(c pve.Config, key string) string {
	if len(pve.Config{key: c[key]}.Disks()) == 0 || strings.Contains(c.Str(key), "media=cdrom") {
		return ""
	}
	volume, _, _ := strings.Cut(c.Str(key), ",")
	return volume
}

func (c Configure) set(l *Live, s *Step, undo *configUndo, k, v string) {
	old := l.Config.Str(k)
	if l.Config.Has(k) && (old == v || holds(k, v, l.Config) && k == "tags") {
		return
	}
	s.Call.Params = append(s.Call.Params, Param{k, v})
	s.Want.Set[k] = v
	s.Diff = append(s.Diff, Diff{k, cleanLine(old), cleanLine(v)})
	s.Tier = max(s.Tier, keyTier(k))
	undo.changed(k, l.Config, v)
}

func (c Configure) remove(l *Live, s *Step, undo *configUndo, k string) {
	s.Want.Unset = append(s.Want.Unset, k)
	s.Diff = append(s.Diff, Diff{Field: k, Old: cleanLine(l.Config.Str(k))})
	s.Tier = max(s.Tier, keyTier(k))
	if strings.HasPrefix(k, "unused") {
		s.Tier = Destructive
		s.Lost = append(s.Lost, fmt.Sprintf("the volume %s is erased", cleanLine(l.Config.Str(k))))
		undo.why = "an erased volume cannot be brought back"
		return
	}
	undo.changed(k, l.Config, "")
	if _, own := c.Set["boot"]; !own && bootsFrom(l.Config, k) { // Proxmox VE takes a drive that goes out of the boot order by itself
		undo.set["boot"] = l.Config.Str("boot")
	}
}

// bootsFrom says whether a device is in the boot order.
func bootsFrom(c pve.Config, key string) bool {
	_, order, _ := strings.Cut(c.Str("boot"), "order=")
	return slices.Contains(strings.Split(order, ";"), key)
}

func keyTier(k string) Tier {
	if harmless[k] {
		return Reversible
	}
	return Disruptive
}

// configUndo gathers the way back of a configuration change.
type configUndo struct {
	set  map[string]string
	gone []string
	made []string // disks that are allocated: taking them back removes the volume
	why  string
}

func (u *configUndo) changed(k string, old pve.Config, value string) {
	switch {
	case redact.IsSecretKey(k), strings.Contains(old.Str(k), redact.Mask):
		u.why = "the old value of " + k + " is not known: secrets are never read"
	case old.Has(k):
		u.set[k] = old.Str(k)
	case allocates(k, value):
		u.made = append(u.made, k)
	default:
		u.gone = append(u.gone, k)
	}
}

// allocates says that a disk value makes a new volume: storage:size in place of a volume's name.
func allocates(k, value string) bool {
	volume := volumeOf(pve.Config{k: value}, k)
	_, size, ok := strings.Cut(volume, ":")
	return ok && size != "" && strings.Trim(size, "0123456789.") == ""
}

func (u *configUndo) calls(l *Live) []Call {
	back := Call{Method: "PUT", Path: l.path("/config")}
	for _, k := range slices.SortedFunc(maps.Keys(u.set), pve.CompareKeys) {
		back.Params = append(back.Params, Param{k, u.set[k]})
	}
	if len(u.gone) > 0 {
		back.Params = append(back.Params, Param{"delete", strings.Join(u.gone, ",")})
	}
	var out []Call
	if len(back.Params) > 0 {
		out = append(out, back)
	}
	if len(u.made) > 0 && l.Type == pve.LXC { // a container's volume becomes an unused one first (07)
		out = append(out, Call{Method: "PUT", Path: l.path("/config"), Params: []Param{{"delete", strings.Join(u.made, ",")}}},
			Call{Method: "PUT", Path: l.path("/config"), Params: []Param{{"delete", strings.Join(freeUnused(l.Config, len(u.made)), ",")}}})
	}
	if len(u.made) > 0 && l.Type == pve.Qemu { // force removes the volume as well: this change made it
		out = append(out, Call{Method: "PUT", Path: l.path("/config"), Params: []Param{{"delete", strings.Join(u.made, ",")}, {"force", "1"}}})
	}
	return out
}

// freeUnused are the keys that the next volumes get which a guest lets go of.
func freeUnused(c pve.Config, n int) []string {
	var out []string
	for k := 0; len(out) < n; k++ {
		if key := fmt.Sprintf("unused%d", k); !c.Has(key) {
			out = append(out, key)
		}
	}
	return out
}
