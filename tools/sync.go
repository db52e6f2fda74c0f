package tools

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/inventory"
)

type syncIn struct {
	Cluster string `json:"cluster" multi:"true" desc:"configured name"`
	Format  string `json:"format" enum:"text,json"`
}

func (in *syncIn) wantsJSON() bool { return in.Format == "json" }

type syncOut struct {
	Clusters []syncOf            `json:"clusters"`
	Warnings []inventory.Warning `json:"warnings,omitempty"`
}

type syncOf struct {
	Cluster  string                `json:"cluster"`
	State    string                `json:"state"` // complete, partial, running, failed
	Progress string                `json:"progress,omitempty"`
	Failure  string                `json:"failure,omitempty"`
	Calls    int                   `json:"calls"`
	TookS    float64               `json:"took_s"`
	Nodes    int                   `json:"nodes_total"`
	Guests   int                   `json:"guests_total"`
	Unknown  int                   `json:"guests_unknown"`
	Conflict int                   `json:"guests_on_several_nodes"`
	Kinds    []inventory.KindCount `json:"kinds"`
}

func syncInventory() Spec {
	return define(Spec{
		Name: "sync_inventory", Title: "Sync", Family: "cluster", Command: "sync", Needs: []Need{needGuests, needCluster, needNodes, needTasks, needStorages, needPools},
		Summary: "Reads guests, nodes, storages and pools anew and counts what was created, updated, gone; rarely needed, reads keep themselves fresh. Settings are read hourly.",
		Examples: []Example{
			{CLI: "sync", Args: map[string]any{}, Why: "all clusters"},
		},
	}, func(ctx context.Context, d Deps, in *syncIn) (*syncOut, error) {
		list, err := d.Inventory.SyncWithin(ctx, inventory.SyncRequest{Cluster: in.Cluster, Progress: syncProgress(d)}, callLimit)
		if err != nil {
			return nil, err
		}
		return syncIs(list), nil
	})
}

func syncProgress(d Deps) func(inventory.Progress) {
	if d.Progress == nil {
		return nil
	}
	return func(p inventory.Progress) { d.Progress(float64(p.Done), float64(p.Total), p.Cluster+": "+p.Phase) }
}

// SyncAnswer is the answer of syncs that have ended; the command waits for that, where the tool may answer that one runs.
func SyncAnswer(reports []inventory.SyncReport) Answer {
	var list []inventory.SyncOutcome
	for _, r := range reports {
		list = append(list, inventory.SyncOutcome{SyncReport: r})
	}
	return syncIs(list)
}

func syncIs(list []inventory.SyncOutcome) *syncOut {
	out := &syncOut{Clusters: []syncOf{}}
	for _, o := range list {
		s := syncOf{Cluster: o.Cluster, State: "complete", Calls: o.Calls, TookS: o.Elapsed.Seconds(), Nodes: o.Nodes, Guests: o.Guests, Unknown: o.Unknown,
			Conflict: o.Conflicts, Kinds: append([]inventory.KindCount{{Kind: "guest", Created: o.Created, Updated: o.Updated, Gone: o.Gone, Unchanged: o.Unchanged}}, o.Others...)}
		switch {
		case o.Running:
			s.State, s.Progress, s.Kinds = "running", progressText(o.Progress), nil
		case o.Failure != nil:
			s.State, s.Failure, s.Kinds = "failed", cell(o.Failure.Error(), 300), nil
			out.Warnings = append(out.Warnings, inventory.Warning{Code: "unreachable", Text: s.Failure})
		case !o.Complete:
			s.State = "partial"
		}
		out.Clusters = append(out.Clusters, s)
		out.Warnings = append(out.Warnings, o.Warnings...)
	}
	return out
}

// View implements Answer.
func (o *syncOut) View(d Deps) View {
	v := View{Warnings: o.Warnings}
	t := Table{Name: "sync", Main: true, Columns: []string{"cluster", "kind", "created", "updated", "gone", "unchanged"}}
	for _, s := range o.Clusters {
		switch s.State {
		case "running":
			v.Line("%s: still running (%s): it goes on by itself, call %s again to wait for it", cell(s.Cluster, 80), s.Progress, worded(d, "sync_inventory"))
			continue
		case "failed":
			v.Line("%s: failed", cell(s.Cluster, 80))
			continue
		}
		line := fmt.Sprintf("%s: %s, %s, %s; %d calls in %s", cell(s.Cluster, 80), s.State, counted(s.Nodes, "node"), counted(s.Guests, "guest"), s.Calls,
			time.Duration(s.TookS*float64(time.Second)).Round(10*time.Millisecond))
		if more := nonzero(s.Unknown, "unknown", s.Conflict, "listed on several nodes"); more != "" {
			line += "; " + more
		}
		v.Text(line)
		for _, k := range s.Kinds {
			t.Rows = append(t.Rows, []string{cell(s.Cluster, 80), k.Kind, strconv.Itoa(k.Created), strconv.Itoa(k.Updated), strconv.Itoa(k.Gone), strconv.Itoa(k.Unchanged)})
		}
	}
	v.Table(t)
	return v
}

// progressText is how far a sync is, as far as it has told yet.
func progressText(p inventory.Progress) string {
	switch {
	case p.Phase == "":
		return "no answer yet"
	case p.Total == 0:
		return p.Phase
	}
	return fmt.Sprintf("%s %d of %d", p.Phase, p.Done, p.Total)
}
