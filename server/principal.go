package server

import (
	"context"
	"os"
	"strconv"
)

// Principal is who calls: local:<uid> over stdio and from the command line; later doors add token:<name>, oauth:<issuer>|<subject>
// and operator. Policy, rate limits and audit speak of principals, never of connections.
type Principal struct{ Kind, ID string }

// String is the principal as logs and audit rows show it.
func (p Principal) String() string { return p.Kind + ":" + p.ID }

// LocalPrincipal is the user that runs this process (uid -1 on Windows).
func LocalPrincipal() Principal { return Principal{"local", strconv.Itoa(os.Getuid())} }

type principalKey struct{}

// WithPrincipal binds the caller to the context; a transport does it when it admits a request.
func WithPrincipal(ctx context.Context, p Principal) context.Context {
	return context.WithValue(ctx, principalKey{}, p)
}

// PrincipalOf returns the caller, "unknown:" where no transport said: policy then treats it as nobody.
func PrincipalOf(ctx context.Context) Principal {
	if p, ok := ctx.Value(principalKey{}).(Principal); ok {
		return p
	}
	return Principal{"unknown", ""}
}
