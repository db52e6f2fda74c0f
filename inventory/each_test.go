package inventory

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// side is an inventory over several worlds, in the order of names, on the bubble's clock.
func side(t *testing.T, names []string, worlds ...*world) *Inventory {
	t.Helper()
	st := newMemStore(time.Now)
	var list []NamedSource
	for k, name := range names {
		worlds[k].clock = time.Now
		list = append(list, NamedSource{name, func(context.Context) (Source, error) { return worlds[k], nil }})
	}
	inv, err := New(Options{Store: func(context.Context) (Store, error) { return st, nil }, Sources: list, Zone: time.UTC, Owner: t.Name()})
	if err != nil {
		t.Fatal(err)
	}
	return inv
}

// questions are all reads over several clusters, by name. Those of one object name guest vm100 of node pve1.
func questions(inv *Inventory) map[string]func(ctx context.Context, ro ReadOptions) (Meta, error) {
	return map[string]func(ctx context.Context, ro ReadOptions) (Meta, error){
		"overview": func(ctx context.Context, ro ReadOptions) (Meta, error) {
			a, err := inv.Overview(ctx, ro)
			return a.Meta, err
		},
		"nodes": func(ctx context.Context, ro ReadOptions) (Meta, error) {
			a, err := inv.Nodes(ctx, ro)
			return a.Meta, err
		},
		"clusters": func(ctx context.Context, ro ReadOptions) (Meta, error) {
			a, err := inv.Clusters(ctx, ro)
			return a.Meta, err
		},
		"access": func(ctx context.Context, ro ReadOptions) (Meta, error) {
			a, err := inv.Access(ctx, ro)
			return a.Meta, err
		},
		"guests": func(ctx context.Context, ro ReadOptions) (Meta, error) {
			a, err := inv.FindGuests(ctx, GuestQuery{ReadOptions: ro})
			return a.Meta, err
		},
		"guest": func(ctx context.Context, ro ReadOptions) (Meta, error) {
			a, err := inv.Guest(ctx, GuestRef{Name: "vm100", ReadOptions: ro})
			return a.Meta, err
		},
		"diagnose": func(ctx context.Context, ro ReadOptions) (Meta, error) {
			a, err := inv.Diagnose(ctx, GuestRef{Name: "vm100", ReadOptions: ro})
			return a.Meta, err
		},
		"metrics": func(ctx context.Context, ro ReadOptions) (Meta, error) {
			a, err := inv.Metrics(ctx, MetricQuery{Object: "vm100", ReadOptions: ro})
			return a.Meta, err
		},
		"node": func(ctx context.Context, ro ReadOptions) (Meta, error) {
			a, err := inv.NodeDetail(ctx, "pve1", ro)
			return a.Meta, err
		},
		"health": func(ctx context.Context, ro ReadOptions) (Meta, error) {
			a, err := inv.Health(ctx, HealthQuery{ReadOptions: ro})
			return a.Meta, err
		},
		"storages": func(ctx context.Context, ro ReadOptions) (Meta, error) {
			a, err := inv.Storages(ctx, StorageQuery{ReadOptions: ro})
			return a.Meta, err
		},
		"volumes": func(ctx context.Context, ro ReadOptions) (Meta, error) {
			a, err := inv.Volumes(ctx, VolumeQuery{ReadOptions: ro})
			return a.Meta, err
		},
		"backups": func(ctx context.Context, ro ReadOptions) (Meta, error) {
			a, err := inv.Backups(ctx, BackupQuery{ReadOptions: ro})
			return a.Meta, err
		},
		"networks": func(ctx context.Context, ro ReadOptions) (Meta, error) {
			a, err := inv.Networks(ctx, NetworkQuery{ReadOptions: ro})
			return a.Meta, err
		},
		"tasks": func(ctx context.Context, ro ReadOptions) (Meta, error) {
			a, err := inv.Tasks(ctx, TaskListQuery{ReadOptions: ro})
			return a.Meta, err
		},
		"changes": func(ctx context.Context, ro ReadOptions) (Meta, error) {
			a, err := inv.Changes(ctx, ChangeQuery{ReadOptions: ro})
			return a.Meta, err
		},
	}
}

// worlds of two clusters with other guests and nodes; the first answers each call within 20 ms.
func sideWorlds() (a, b *world) {
	a, b = newWorld(1, 5), newWorld(0, 0)
	a.delay, b.key = 20*time.Millisecond, "other-"
	b.nodes["hv1"] = &worldNode{name: "hv1", online: true}
	for k := range 5 {
		b.add(200+k, "hv1").typ = pve.Qemu
	}
	return a, b
}

// timed asks every question and returns how long each took. Between two of them the watching goes on.
func timed(t *testing.T, inv *Inventory, ro ReadOptions, idle time.Duration) map[string]time.Duration {
	t.Helper()
	took := map[string]time.Duration{}
	all := questions(inv)
	for _, name := range sortedNames(all) {
		time.Sleep(idle)
		began := time.Now()
		if _, err := all[name](t.Context(), ro); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		took[name] = time.Since(began)
	}
	return took
}

// One cluster that hangs, refuses or is slow delays no question that the others can answer: each takes as long as without it, watched or
// not, fresh or not; the first that meets the trouble takes as long as is needed to see it.
func TestATroubledClusterDelaysNothing(t *testing.T) {
	troubles := map[string]func(w *world){
		"hangs":   func(w *world) { w.delay, w.down = 30*time.Second, fault.New(fault.Unreachable, "no endpoint answers") },
		"refuses": func(w *world) { w.down = fault.New(fault.Unreachable, "no endpoint answers") },
		"slow":    func(w *world) { w.delay = 3 * time.Second },
	}
	alone := map[string]map[string]time.Duration{}
	run := func(t *testing.T, trouble func(w *world), mode string) (took map[string]time.Duration) {
		synctest.Test(t, func(t *testing.T) {
			a, b := sideWorlds()
			names, worlds := []string{"a", "b"}, []*world{a, b}
			if trouble == nil {
				names, worlds = names[:1], worlds[:1]
			}
			inv := side(t, names, worlds...)
			defer inv.Close()
			if _, err := inv.Sync(t.Context(), SyncRequest{}); err != nil {
				t.Fatal(err)
			}
			if trouble != nil {
				b.set(func() { trouble(b) })
			}
			time.Sleep(time.Minute)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			switch mode {
			case "watched":
				go inv.Serve(ctx)
				time.Sleep(time.Minute)
				took = timed(t, inv, ReadOptions{}, 7*time.Second)
			case "fresh":
				go inv.Serve(ctx)
				time.Sleep(time.Minute)
				took = timed(t, inv, ReadOptions{Fresh: true}, 7*time.Second)
			case "first":
				took = timed(t, inv, ReadOptions{}, time.Minute)
			}
			cancel()
			time.Sleep(time.Minute)
		})
		return took
	}
	for _, mode := range []string{"watched", "fresh", "first"} {
		alone[mode] = run(t, nil, mode)
		for name, trouble := range troubles {
			t.Run(mode+" "+name, func(t *testing.T) {
				for question, took := range run(t, trouble, mode) {
					limit := alone[mode][question]
					if mode == "first" {
						limit += stuck + stuckPoll
					}
					if mode == "first" && question == "access" {
						limit = accessBudget // nobody knew before, and whether it answers is what this one asks
					}
					if took > limit {
						t.Errorf("%s took %s, alone %s", question, took, alone[mode][question])
					}
				}
			})
		}
	}
}

// The command line's first question does not wait for a cluster that hangs when another has all it needs.
func TestCompleteBesideAHangingCluster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := sideWorlds()
		b.delay, b.down = 30*time.Second, fault.New(fault.Unreachable, "no endpoint answers")
		inv := side(t, []string{"a", "b"}, a, b)
		defer inv.Close()
		began := time.Now()
		if err := inv.Complete(t.Context(), "", nil); err != nil || time.Since(began) > time.Second {
			t.Errorf("the first sync of a was waited for %s, %v", time.Since(began), err)
		}
		p, err := inv.FindGuests(t.Context(), GuestQuery{})
		if err != nil || p.Counts.Total != 5 || !hasWarning(p.Warnings, "loading") || time.Since(began) > time.Second {
			t.Errorf("%d guests after %s: %v, %v", p.Counts.Total, time.Since(began), p.Warnings, err)
		}
	})
}

// A question about the cluster in trouble alone waits for it, as before.
func TestTheTroubledClusterAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := sideWorlds()
		inv := side(t, []string{"a", "b"}, a, b)
		defer inv.Close()
		if _, err := inv.Sync(t.Context(), SyncRequest{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		b.set(func() { b.delay = time.Second })
		began := time.Now()
		p, err := inv.FindGuests(t.Context(), GuestQuery{})
		if took := time.Since(began); err != nil || took > stuck+stuckPoll || p.Counts.Total != 10 || !hasWarning(p.Warnings, "stale") {
			t.Errorf("both: %s, %d guests, %v, %v", took, p.Counts.Total, p.Warnings, err)
		}
		p, err = inv.FindGuests(t.Context(), GuestQuery{ReadOptions: ReadOptions{Cluster: "b"}})
		if err != nil || hasWarning(p.Warnings, "stale") || fmt.Sprint(vmids(p)) != "[200 201 202 203 204]" {
			t.Errorf("b alone: %v, %v, %v", vmids(p), p.Warnings, err)
		}
	})
}

// One vmid or name in two clusters is never confused: the error names both, and cluster tells them apart.
func TestAGuestInTwoClusters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newWorld(1, 3), newWorld(1, 2)
		inv := side(t, []string{"a", "b"}, a, b)
		defer inv.Close()
		if _, err := inv.Sync(t.Context(), SyncRequest{}); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"100", "vm100"} {
			_, err := inv.Guest(t.Context(), GuestRef{Name: name})
			if e := fault.Of(err); e.Code != fault.Ambiguous || !strings.Contains(e.Message, "of cluster a") || !strings.Contains(e.Message, "of cluster b") {
				t.Errorf("%s: %v", name, err)
			}
			d, err := inv.Guest(t.Context(), GuestRef{Name: name, ReadOptions: ReadOptions{Cluster: "b"}})
			if err != nil || d.Cluster != "b" {
				t.Errorf("%s in b: %q, %v", name, d.Cluster, err)
			}
		}
		if d, err := inv.Guest(t.Context(), GuestRef{Name: "102"}); err != nil || d.Cluster != "a" {
			t.Errorf("102 is only in a: %q, %v", d.Cluster, err)
		}
		b.set(func() { b.delay = time.Minute })
		out, err := inv.SyncWithin(t.Context(), SyncRequest{}, 45*time.Second)
		if err != nil || len(out) != 2 || out[0].Running || out[0].Failure != nil || !out[1].Running || out[1].Cluster != "b" {
			t.Errorf("a sync of which one runs on: %+v, %v", out, err)
		}
	})
}
