package terraform

import "github.com/proxmox-mcp/proxmox-mcp/internal/fault"

// release is one release of the provider: the tables that hold for it.
type release struct {
	version string
	vm      []func(*vm) // what writes a virtual machine, in the order of the file
	ct      []func(*ct)
	kinds   []kind
}

// Provider is the release of bpg/proxmox that code is written for unless another one is asked for.
const Provider = "0.112.0"

// releases are all that code can be written for, newest first.
var releases = []*release{
	{version: "0.112.0", vm: vmRules, ct: ctRules, kinds: kinds},
}

// New gives the emitter for a release of the provider ("" = Provider); fault.Invalid for one that is not known.
func New(provider string) (*Emitter, error) {
	if provider == "" {
		provider = Provider
	}
	for _, r := range releases {
		if r.version == provider {
			return &Emitter{r}, nil
		}
	}
	return nil, fault.BadField("provider", "it must be a release of bpg/proxmox that is known here", Provider)
}
