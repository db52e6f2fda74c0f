package change

import (
	"context"
	"fmt"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/redact"
)

// reference is the name of the secret that a parameter refers to. Only what Proxmox VE itself keeps secret can: a reference in a description
// would lay the secret open.
func (p Param) reference() (name string, ok bool) {
	name, ok = strings.CutPrefix(p.Value, "secret:")
	return name, ok && redact.IsSecretKey(p.Key)
}

// secrets looks whether each secret that a plan refers to exists: its value is read when the request is sent, and not before.
func (e *Engine) secrets(ctx context.Context, b *Body) error {
	for k := range b.Steps {
		for _, p := range b.Steps[k].Call.Params {
			if err := e.secret(ctx, p); err != nil {
				return err
			}
		}
	}
	return nil
}

func (e *Engine) secret(ctx context.Context, p Param) error {
	name, ok := p.reference()
	switch {
	case !ok && strings.HasPrefix(p.Value, "secret:") && secretName().MatchString(name):
		return fault.BadField(p.Key, "a secret cannot be put there: everybody who may read the guest would see it", "").
			WithHint("secret:NAME is for what Proxmox VE keeps secret itself, such as cipassword")
	case !ok:
		return nil
	}
	has := false
	if secretName().MatchString(name) {
		var err error
		if has, err = e.opt.Secrets.Has(ctx, name); err != nil {
			return err
		}
	}
	if has {
		return nil
	}
	return fault.BadField(p.Key, "there is no secret of that name", "secret:NAME").
		WithHint("on a terminal, %s", OwnerRuns(e.opt.Program(), fmt.Sprintf("secret set %.64s", name)))
}
