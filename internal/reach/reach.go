// Package reach carries what a caller's credential lets it reach at most down to where it is enforced: the clusters of every read and write,
// and the tier that policy judges by. A door puts it on the context once, when it admits a request; so no tool, resource or prompt can forget it.
package reach

import (
	"context"
	"slices"
)

// Reach is the bound. A context without one is not bounded: callers on this machine that no credential limits.
type Reach struct {
	Tier     int      // the highest; the numbers are those of change.Tier
	Clusters []string // as they are stored; nil: all
}

type key struct{}

// With bounds what is done under the context. It never widens: a bound within a bound is both.
func With(ctx context.Context, r Reach) context.Context {
	if outer, ok := Of(ctx); ok {
		r.Tier = min(r.Tier, outer.Tier)
		if r.Clusters == nil {
			r.Clusters = outer.Clusters
		} else if outer.Clusters != nil {
			r.Clusters = slices.DeleteFunc(slices.Clone(r.Clusters), func(c string) bool { return !slices.Contains(outer.Clusters, c) })
		}
	}
	return context.WithValue(ctx, key{}, r)
}

// Of gives the bound; ok is false where there is none.
func Of(ctx context.Context) (r Reach, ok bool) {
	r, ok = ctx.Value(key{}).(Reach)
	return r, ok
}

// Cluster says whether a cluster may be read and changed, and be named at all.
func Cluster(ctx context.Context, name string) bool {
	r, ok := Of(ctx)
	return !ok || r.Clusters == nil || slices.Contains(r.Clusters, name)
}
