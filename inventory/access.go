package inventory

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// accessBudget bounds the questions of one check of access. A refusal is answered after 3 s (pve-api.md 18) and must show as that. Where
// a ticket is refused and then the login too it takes 6 s: the login goes on without its caller, and the next check tells of it.
const accessBudget = 4 * time.Second

// Rights are effective privileges: path, then privilege, then whether it goes on below (11/034). They are never stored: rights are
// changed by hand, and what was true an hour ago explains nothing.
type Rights map[string]map[string]bool

// Everywhere says that, on every object below path, one of the privileges holds: given there or above, going on below, and nothing
// listed below takes it away. What an entry leaves nothing of is not listed by Proxmox VE, and so not seen here.
func (r Rights) Everywhere(path string, privs ...string) bool {
	return slices.ContainsFunc(privs, func(p string) bool { return seesAll(r, p, path) })
}

// On says that one of the privileges holds on path itself.
func (r Rights) On(path string, privs ...string) bool {
	here, listed := r[path]
	for !listed && path != "/" && path != "" {
		path = "/" + strings.Trim(path[:max(strings.LastIndexByte(path, '/'), 0)], "/")
		if here, listed = r[path]; listed {
			return slices.ContainsFunc(privs, func(p string) bool { return here[p] })
		}
	}
	return slices.ContainsFunc(privs, func(p string) bool { _, ok := here[p]; return ok })
}

// Under lists the paths at or below path where one of the privileges holds, sorted.
func (r Rights) Under(path string, privs ...string) []string {
	var out []string
	for _, p := range sortedNames(r) {
		within := path == "/" || p == path || strings.HasPrefix(p, path+"/")
		if within && slices.ContainsFunc(privs, func(priv string) bool { _, ok := r[p][priv]; return ok }) {
			out = append(out, p)
		}
	}
	return out
}

// Access is what one cluster lets this login do, asked now.
type Access struct {
	Cluster   string
	Identity  string // mcp@pve!agent, or mcp@pve
	ReadOnly  bool   // the client refuses to send anything but GET
	Version   string
	Major     int        // of Proxmox VE, 0 while unknown
	Separated *bool      // privilege separation of the token; nil for a user and while unknown
	Expires   *time.Time // of the token or user, the earlier one; the zero time = never; nil while unknown
	Hidden    string     // why expiry and separation are unknown
	Rights    Rights
	// Grant is the shell line that gives this login a privilege on a path, to be run as root on a node.
	Grant func(priv, path string) string
}

// AccessList is Access of all clusters in scope. Clusters that could not be asked are warnings, unless there is no other.
type AccessList struct {
	Meta
	Clusters []Access
}

// Access asks each cluster in scope what this login may do: three calls each, at once, 4 s at most. The error is that of Proxmox VE
// where no cluster answers.
func (i *Inventory) Access(ctx context.Context, ro ReadOptions) (AccessList, error) {
	scope, err := i.scope(ctx, ro.Cluster)
	if err != nil {
		return AccessList{}, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, accessBudget, fault.New(fault.Timeout, "Proxmox VE did not say within %s what this login may do", accessBudget).Retry())
	defer cancel()
	found, errs := make([]Access, len(scope)), make([]error, len(scope))
	i.each(ctx, scope, func(ctx context.Context, k int, c *cluster) { found[k], errs[k] = c.access(i.opt.Waiting(ctx)) })
	list := AccessList{Meta: Meta{AsOf: i.now()}}
	for k, c := range scope {
		if errs[k] == nil {
			list.Clusters = append(list.Clusters, found[k])
			continue
		}
		list.Warnings = append(list.Warnings, Warning{"unreachable", c.name + ": " + fault.Of(errs[k]).Error()})
	}
	if len(list.Clusters) == 0 {
		return AccessList{}, errs[0]
	}
	return list, nil
}

func (c *cluster) access(ctx context.Context) (Access, error) {
	src, err := c.source(ctx)
	if err != nil {
		return Access{}, err
	}
	a := Access{Cluster: c.name, Identity: src.Identity(), ReadOnly: src.ReadOnly()}
	var version pve.Version
	var perms map[string]map[string]bool
	var permErr error
	var wg sync.WaitGroup
	wg.Go(func() { version, _ = src.Version(ctx) }) // everybody may; if it fails the next call says why
	wg.Go(func() { perms, permErr = src.Permissions(ctx) })
	a.owner(src.User(ctx, ownerOf(a.Identity)))
	wg.Wait()
	if permErr != nil {
		return Access{}, c.silence(ctx, permErr)
	}
	a.Version, a.Major, a.Rights = version.Version, version.Major(), perms
	a.Grant = func(priv, path string) string { return src.Grant(priv, path, a.Separated) }
	return a, nil
}

// ownerOf is the user behind a token's id.
func ownerOf(identity string) string {
	user, _, _ := strings.Cut(identity, "!")
	return user
}

// owner takes what GET /access/users/{userid} says (12/005). It takes Sys.Audit or User.Modify on the user's groups; tokens are not
// shown their own user's entry without it, so the answer may well be unknown.
func (a *Access) owner(u pve.User, err error) {
	_, token, isToken := strings.Cut(a.Identity, "!")
	entry, known := u.Tokens[token]
	switch {
	case err != nil && fault.CodeOf(err) == fault.Forbidden:
		a.Hidden = "needs Sys.Audit on /access/groups"
	case err != nil:
		a.Hidden = fault.Of(err).Error()
	case isToken && !known:
		a.Hidden = fmt.Sprintf("Proxmox VE does not list the token %s", token)
	case isToken && entry.PrivSep != nil:
		a.Separated = pve.Ptr(bool(*entry.PrivSep))
	}
	if a.Hidden != "" {
		return
	}
	expires := expiry(u.Expire)
	if isToken {
		expires = sooner(expires, expiry(entry.Expire))
	}
	a.Expires = &expires
}

// expiry is an expire field: seconds, 0 or absent = never.
func expiry(v *pve.Int) time.Time {
	if v == nil || *v <= 0 {
		return time.Time{}
	}
	return time.Unix(int64(*v), 0).UTC()
}

func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
