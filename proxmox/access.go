package proxmox

import (
	"context"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// Privileges are the effective rights of the client's identity: path, then privilege, then whether it propagates to paths below.
type Privileges map[string]map[string]bool

// privilegesAge is how long effective rights are believed: rights change by hand, and every 403 says what is missing anyway.
const privilegesAge = 5 * time.Minute

// Permissions reads GET /access/permissions (11/135) of the client's own identity. A privilege separated token without an ACL gets an
// empty map and empty lists everywhere: "0 visible" is then not "0 exist" (F07).
func (c *Client) Permissions(ctx context.Context) (Privileges, error) {
	raw, err := get[map[string]map[string]pve.Bool](ctx, c, nil, "access", "permissions")
	if err != nil {
		return nil, err
	}
	out := make(Privileges, len(raw))
	for path, privs := range raw {
		m := make(map[string]bool, len(privs))
		for p, propagate := range privs {
			m[p] = bool(propagate)
		}
		out[path] = m
	}
	return out, nil
}

// User reads GET /access/users/{userid} (12/005): a user's entry with its tokens. It takes Sys.Audit or User.Modify on a group of the
// user or on /access/groups; a token is not its user and has no right to its own entry.
func (c *Client) User(ctx context.Context, userid string) (pve.User, error) {
	return get[pve.User](ctx, c, nil, "access", "users", userid)
}

// EffectivePrivileges is Permissions, remembered for 5 minutes.
func (c *Client) EffectivePrivileges(ctx context.Context) (Privileges, error) {
	c.mu.Lock()
	p, at := c.privs, c.privsA
	c.mu.Unlock()
	if p != nil && c.opts.now().Sub(at) < privilegesAge {
		return p, nil
	}
	p, err := c.Permissions(ctx)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	c.privs, c.privsA = p, c.opts.now()
	c.mu.Unlock()
	return p, nil
}

// Missing says whether the client's identity lacks a privilege on a path; GrantLine then gives the line that grants it.
func (c *Client) Missing(ctx context.Context, priv, path string) (bool, error) {
	p, err := c.EffectivePrivileges(ctx)
	return err == nil && !p.Has(priv, path), err
}

// Has says whether a privilege holds on a path: listed there, or propagating from the nearest listed path above. A nearer entry
// replaces a farther one, as Proxmox VE's own lists already take in what propagates.
func (p Privileges) Has(priv, path string) bool {
	if privs, ok := p[path]; ok {
		_, has := privs[priv]
		return has
	}
	for path != "/" && path != "" {
		path = path[:max(strings.LastIndexByte(path, '/'), 0)]
		if path == "" {
			path = "/"
		}
		if privs, ok := p[path]; ok {
			return privs[priv]
		}
	}
	return false
}

// Missing lists those of the privileges that do not hold on path.
func (p Privileges) Missing(path string, privs ...string) []string {
	var out []string
	for _, priv := range privs {
		if !p.Has(priv, path) {
			out = append(out, priv)
		}
	}
	return out
}
