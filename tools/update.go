package tools

import (
	"context"
	"strconv"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/change"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

type updateIn struct {
	Cores       *int     `json:"cores" min:"1" max:"8192" example:"4" help:"CPU cores"`
	Memory      *int     `json:"memory_mib" min:"16" example:"4096" help:"memory in MiB"`
	Name        string   `json:"name" example:"web" help:"its new name"`
	Tags        []string `json:"tags" example:"web" desc:"replaces all"`
	Description string   `json:"description" help:"its notes"`
	OnBoot      *bool    `json:"onboot" help:"start it when its node starts"`
	Protection  *bool    `json:"protection" help:"refuse that it or its disks are destroyed"`
	Pool        *string  `json:"pool" example:"lab" desc:"empty: none"`
	Set         []string `json:"set" lines:"true" example:"net0=virtio,bridge=vmbr0" desc:"any key=value of the Proxmox API; a secret as secret:NAME"`
	Delete      []string `json:"delete" example:"scsi1" desc:"keys; a disk becomes unused"`
	Write
}

func updateGuest() Spec {
	return writes(Spec{
		Name: "update_guest", Title: "Configure", Family: "change", Command: "guest update", Args: []string{"guest"}, Tier: R1,
		Needs:   []Need{needOptions, needCPU, needMemory, needDisks, needNICs, needHardware, needCDs, needCloudInit, needBridges, needPoolMembers, needGuests},
		Summary: "Change a guest's configuration; tells what waits for a restart.",
		Examples: []Example{
			{CLI: "guest update 208 --memory-mib 3072 --dry-run", Args: map[string]any{"guest": "208", "memory_mib": 3072, "dry_run": true}, Why: "plan more memory"},
			{CLI: "guest update 208 --tags test,web", Args: map[string]any{"guest": "208", "tags": []string{"test", "web"}}, Why: "set its tags"},
		},
	}, func(_ context.Context, _ Deps, in *updateIn) (change.Request, error) {
		a, err := in.action()
		return in.acting(a), err
	})
}

// action is what the inputs ask for: a configuration or a pool, which are different requests.
func (in *updateIn) action() (change.Action, error) {
	c, err := in.configure()
	if err != nil || in.Pool == nil {
		return c, err
	}
	if len(c.Set)+len(c.Delete) > 0 {
		return nil, fault.BadField("pool", "it is changed alone, without configuration keys", "lab")
	}
	return change.SetPool{Pool: strings.TrimSpace(*in.Pool)}, nil
}

// configure gathers the typed inputs and the free ones; a key that both name is refused.
func (in *updateIn) configure() (change.Configure, error) {
	set, err := pairs(in.Set)
	if err != nil {
		return change.Configure{}, err
	}
	c := change.Configure{Set: set, Delete: in.Delete}
	for key, value := range in.typed() {
		if _, ok := c.Set[key]; ok {
			return c, fault.BadField("set", key+" is given twice", "either the input of its own or set")
		}
		c.Set[key] = value
	}
	return c, nil
}

// pairs reads key=value entries.
func pairs(list []string) (map[string]string, error) {
	out := map[string]string{}
	for _, pair := range list {
		key, value, ok := strings.Cut(pair, "=")
		if key = strings.TrimSpace(key); !ok || key == "" {
			return nil, fault.BadField("set", "each entry is key=value", "net0=virtio,bridge=vmbr0")
		}
		out[key] = value
	}
	return out, nil
}

func (in *updateIn) typed() map[string]string {
	out := map[string]string{}
	put := func(key, value string, given bool) {
		if given {
			out[key] = value
		}
	}
	number := func(key string, n *int) {
		if n != nil {
			out[key] = strconv.Itoa(*n)
		}
	}
	flag := func(key string, b *bool) {
		if b != nil {
			out[key] = map[bool]string{true: "1", false: "0"}[*b]
		}
	}
	number("cores", in.Cores)
	number("memory", in.Memory)
	flag("onboot", in.OnBoot)
	flag("protection", in.Protection)
	put("name", in.Name, in.Name != "")
	put("description", in.Description, in.Description != "")
	put("tags", strings.Join(in.Tags, ";"), len(in.Tags) > 0)
	return out
}
