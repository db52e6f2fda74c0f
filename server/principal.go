package server

import (
	"context"
	"net/http"
	"os"
	"strconv"

	"github.com/proxmox-mcp/proxmox-mcp/internal/reach"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// Principal is who calls: local:<uid> over stdio and from the command line; later doors add token:<name>, oauth:<issuer>|<subject>
// and operator. Policy, rate limits and audit speak of principals, never of connections.
type Principal struct{ Kind, ID string }

// String is the principal as logs and audit rows show it.
func (p Principal) String() string { return p.Kind + ":" + p.ID }

// LocalPrincipal is the user that runs this process (uid -1 on Windows).
func LocalPrincipal() Principal { return Principal{"local", strconv.Itoa(os.Getuid())} }

// LoopbackPrincipal is whoever reaches the HTTP door on a loopback address without authentication: some user of this machine.
func LoopbackPrincipal() Principal { return Principal{"local", "http"} }

// Scope is what a caller's credential lets it reach at most. Policy may allow less, never more.
type Scope struct {
	Tier     tools.Tier // the highest
	Clusters []string   // nil: all
	Families []string   // nil: all
}

// Everything is the scope of callers that no credential limits.
func Everything() Scope { return Scope{Tier: tools.R4} }

// Identity is who calls and what it may reach.
type Identity struct {
	Principal Principal
	Scope     Scope
}

type identityKey struct{}

// WithIdentity binds the caller to the context, with the bound that every layer below enforces; a transport does it when it admits a request.
func WithIdentity(ctx context.Context, id Identity) context.Context {
	ctx = reach.With(ctx, reach.Reach{Tier: int(id.Scope.Tier), Clusters: id.Scope.Clusters})
	return context.WithValue(ctx, identityKey{}, id)
}

// IdentityOf returns the caller; where no transport said, it is "unknown:" with a scope of reading nothing but what R0 allows: policy
// treats it as nobody.
func IdentityOf(ctx context.Context) Identity {
	if id, ok := ctx.Value(identityKey{}).(Identity); ok {
		return id
	}
	return Identity{Principal: Principal{"unknown", ""}}
}

// PrincipalOf returns who calls.
func PrincipalOf(ctx context.Context) Principal { return IdentityOf(ctx).Principal }

// admitLoopback is admission without authentication.
func admitLoopback(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(WithIdentity(r.Context(), Identity{LoopbackPrincipal(), Everything()})))
	})
}
