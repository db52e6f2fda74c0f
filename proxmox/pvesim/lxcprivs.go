package pvesim

import (
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/proxmox-mcp/proxmox-mcp/internal/lazy"
)

// denied is a refusal that names a reason in place of path and privileges.
func denied(reason string) error {
	return &apiError{status: 403, message: "Permission check failed (" + reason + ")\n"}
}

var devShape = lazy.Regexp(`^dev\d+$`)

// ctPrivs are the privileges of a container's options; options that are not listed need VM.Config.Options.
var ctPrivs = sync.OnceValue(func() map[string]string {
	return privsOf(map[string]string{
		"VM.Config.CPU":     "cores cpulimit cpuunits",
		"VM.Config.Memory":  "memory swap",
		"VM.Config.Network": "hostname nameserver searchdomain",
	})
})

// ctChange is a change of a container's options by somebody: what is set and what is deleted, beside what there is.
type ctChange struct {
	vmid         int
	pool         string // of a container that is to be made
	old          Object
	set          map[string]string
	del          []string
	unprivileged bool
}

// mayChangeContainer checks the privileges of each option (07/030, 11/096 to 11/098). root@pam itself may do all; its
// tokens may not.
func (c *call) mayChangeContainer(ch *ctChange) error {
	if c.isRoot() {
		return nil
	}
	for _, key := range slices.Sorted(maps.Keys(ch.set)) {
		if err := c.mayChangeOption(ch, key, false); err != nil {
			return err
		}
	}
	for _, key := range ch.del {
		if err := c.mayChangeOption(ch, key, true); err != nil {
			return err
		}
	}
	return nil
}

func (c *call) mayChangeOption(ch *ctChange, key string, del bool) error {
	switch {
	case isMount(key):
		return c.mayChangeMount(ch, key, del)
	case devShape().MatchString(key):
		return denied("configuring device passthrough is only allowed for root@pam")
	case isNIC(key):
		return firstError(c.wantsVM(ch.vmid, ch.pool, "VM.Config.Network"), c.mayUseBridge(text(ch.old[key])), c.mayUseBridge(ch.set[key]))
	case key == "features":
		return c.mayChangeFeatures(ch, del)
	case key == "hookscript":
		return denied("changing the hookscript is only allowed for root@pam")
	case key == "tags":
		return c.mayChangeTags(ch.vmid, text(ch.old[key]), ch.set[key])
	case has(ctPrivs(), key):
		return c.wantsVM(ch.vmid, ch.pool, ctPrivs()[key])
	}
	return c.wantsVM(ch.vmid, ch.pool, "VM.Config.Options")
}

func (c *call) mayChangeMount(ch *ctChange, key string, del bool) error {
	if err := c.wantsVM(ch.vmid, ch.pool, "VM.Config.Disk"); err != nil || del {
		return err
	}
	m, err := parseMountPoint(key, ch.set[key])
	if err != nil {
		return err
	}
	if kind := m.kind(); kind != mountVolume {
		return denied("mount point type " + kind + " is only allowed for root@pam")
	}
	if store, _, ok := m.asksNew(); ok {
		return c.wants("/storage/"+store, "Datastore.AllocateSpace")
	}
	return c.mayUseKind(ch.vmid, m.opts["volume"], contentRootDir)
}

// mayUseKind checks that a volume is of a kind, and the right to use it (06/017). Images pass for root directories.
func (c *call) mayUseKind(vmid int, volid, kind string) error {
	if strings.Contains(volid, ":") {
		p, err := c.w.volumeOf(volid)
		if err != nil {
			return err
		}
		if p.kind != kind && (kind != contentRootDir || p.kind != contentImages) {
			return fail("unable to use volume %s - content type needs to be '%s'", volid, kind)
		}
	}
	return c.mayUseVolume(vmid, volid)
}

// mayChangeFeatures leaves nesting to those who may allocate containers, everything else to root@pam (07/032, 07/033).
func (c *call) mayChangeFeatures(ch *ctChange, del bool) error {
	if !ch.unprivileged {
		return denied("changing feature flags for privileged container is only allowed for root@pam")
	}
	old, set := featuresIn(text(ch.old["features"])), featuresIn(ch.set["features"])
	if del {
		set = props{}
	}
	nesting := false
	for _, key := range slices.Concat(slices.Collect(maps.Keys(old)), slices.Collect(maps.Keys(set))) {
		if old[key] == set[key] {
			continue
		}
		if key != "nesting" {
			return denied("changing feature flags (except nesting) is only allowed for root@pam")
		}
		nesting = true
	}
	if nesting {
		return c.wantsVM(ch.vmid, ch.pool, "VM.Allocate")
	}
	return nil
}

func featuresIn(value string) props {
	if value == "" {
		return props{}
	}
	p, err := parseProperty(propertyOf(typeLXC, "features"), "features", value)
	if err != nil {
		return props{}
	}
	return p
}
