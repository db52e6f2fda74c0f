package tools

import (
	"context"
	"strconv"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/inventory"
)

type clustersIn struct {
	Common
}

type clustersOut struct {
	Envelope
	Clusters []clusterInfoOut `json:"clusters"`
	src      inventory.ClusterList
}

type clusterInfoOut struct {
	Name      string               `json:"name"`
	Cluster   string               `json:"proxmox_name,omitempty"`
	Reachable bool                 `json:"reachable"`
	Failure   string               `json:"failure,omitempty"`
	Endpoints []inventory.Endpoint `json:"endpoints"`
	Version   string               `json:"version,omitempty"`
	Nodes     int                  `json:"nodes_total"`
	Online    int                  `json:"nodes_online"`
	Quorate   *bool                `json:"quorate,omitempty"`
	Guests    countsOut            `json:"guest_counts"`
	SyncedAt  string               `json:"last_sync"`
	AlsoAs    []string             `json:"also_given_as,omitempty"`
	SameAs    string               `json:"same_certificates_as,omitempty"`
	LooksLike string               `json:"same_name_other_certificates,omitempty"`
}

func listClusters() Spec {
	return define(Spec{
		Name: "list_clusters", Title: "Clusters", Family: "cluster", Command: "cluster list", Needs: []Need{needGuests, needCluster},
		Summary: "Configured clusters: reachable, endpoints, version, nodes, quorum, guests, last sync, duplicates.",
		Examples: []Example{
			{CLI: "cluster list", Args: map[string]any{}, Why: "what is configured and answers"},
		},
	}, func(ctx context.Context, d Deps, in *clustersIn) (*clustersOut, error) {
		l, err := d.Inventory.Clusters(ctx, in.read())
		if err != nil {
			return nil, err
		}
		out := &clustersOut{Envelope: envelope(d, l.Meta), Clusters: []clusterInfoOut{}, src: l}
		for _, c := range l.Clusters {
			out.Clusters = append(out.Clusters, clusterInfoOf(d, c))
		}
		return out, nil
	})
}

func clusterInfoOf(d Deps, c inventory.ClusterInfo) clusterInfoOut {
	o := clusterInfoOut{Name: c.Name, Cluster: c.ClusterName, Reachable: c.Reachable, Endpoints: c.Endpoints, Version: c.Version, Quorate: c.Quorate,
		Guests: countsOf(c.Guests), SyncedAt: stamp(d, c.SyncedAt), AlsoAs: c.AlsoAs, SameAs: c.SameAs, LooksLike: c.LooksLike, Nodes: len(c.Nodes)}
	if c.Failure != nil {
		o.Failure = cell(c.Failure.Error(), 300)
	}
	for _, n := range c.Nodes {
		if n.Status == "online" {
			o.Online++
		}
	}
	return o
}

// View implements Answer.
func (o *clustersOut) View(d Deps) View {
	v := View{Warnings: o.Warnings}
	v.Line("%s configured", counted(len(o.Clusters), "cluster"))
	t := Table{Name: "clusters", Main: true, Columns: []string{"name", "reachable", "is", "nodes", "guests", "synced", "endpoints"}}
	for k, c := range o.Clusters {
		nodes, guests, synced := "unknown", "unknown", "never"
		if !o.src.Clusters[k].SyncedAt.IsZero() {
			nodes = strconv.Itoa(c.Online) + "/" + strconv.Itoa(c.Nodes) + " online"
			guests, synced = strconv.Itoa(c.Guests.Total), ago(d, o.src.Clusters[k].SyncedAt)+" ago"
		}
		t.Rows = append(t.Rows, []string{cell(c.Name, 80), yesNo(&c.Reachable), clusterHead(o.src.Clusters[k].ClusterOverview), nodes, guests, synced, endpointText(c.Endpoints)})
	}
	v.Table(t)
	for _, c := range o.Clusters {
		if c.Failure != "" {
			v.Line("%s does not answer: %s", cell(c.Name, 80), c.Failure)
		}
		if len(c.AlsoAs) > 0 {
			v.Line("%s is also given as %s: the same cluster, its endpoints are used for both and its guests show once", cell(c.Name, 80), cell(strings.Join(c.AlsoAs, ", "), 200))
		}
		if c.SameAs != "" {
			v.Line("%s shows certificates of %s; whether both are one cluster is not proved, so they are kept apart (see doctor)", cell(c.Name, 80), cell(c.SameAs, 80))
		}
		if c.LooksLike != "" {
			v.Line("%s has the name of %s and is another cluster: its nodes have other certificates", cell(c.Name, 80), cell(c.LooksLike, 80))
		}
	}
	return v
}

// endpointText marks the one in use with a star.
func endpointText(all []inventory.Endpoint) string {
	var out []string
	for _, e := range all {
		text := cell(e.Address, 100)
		if e.Node != "" {
			text += " (" + cell(e.Node, 63) + ")"
		}
		if e.InUse {
			text += "*"
		}
		if e.Failing {
			text += " failing"
		}
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}
