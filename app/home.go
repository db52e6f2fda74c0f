package app

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/change"
	"github.com/proxmox-mcp/proxmox-mcp/inventory"
)

const (
	// homeAge is how long it is remembered where this program runs: its guest may be moved.
	homeAge = time.Minute
	// awayAge is the same where it runs in no guest of the cluster: to look means to read all configurations.
	awayAge = 10 * time.Minute
)

// homes remembers where this program runs, by cluster.
type homes struct {
	mu    sync.Mutex
	known map[string]foundHome
}

type foundHome struct {
	home change.Home
	at   time.Time
}

// home is where this program runs, as far as a cluster's inventory knows.
func (p *parts) home(ctx context.Context, cluster string, now time.Time) change.Home {
	p.homes.mu.Lock()
	defer p.homes.mu.Unlock()
	was, ok := p.homes.known[cluster]
	age := awayAge
	if was.home.Node != "" {
		age = homeAge
	}
	if ok && now.Sub(was.at) < age {
		return was.home
	}
	h := p.lookHome(ctx, cluster)
	if p.homes.known == nil {
		p.homes.known = map[string]foundHome{}
	}
	p.homes.known[cluster] = foundHome{h, now}
	return h
}

func (p *parts) lookHome(ctx context.Context, cluster string) change.Home {
	why := ""
	r, ok := p.inv.FindResidence(ctx, cluster, func(r *inventory.Residence) bool {
		why = p.here.In(&change.Resident{Target: change.Target{Cluster: cluster, Type: r.Type, VMID: r.VMID, Life: r.UUID, MACs: r.MACs}, Addresses: r.Addresses})
		return why != ""
	})
	if ok {
		return change.Home{Cluster: cluster, VMID: r.VMID, Node: r.Node, Volumes: r.Volumes, Storages: r.Storages, Bridges: r.Bridges(), Why: why}
	}
	if node := p.inv.NodeAt(ctx, cluster, change.Owned(p.here.Addresses)); node != "" {
		return change.Home{Cluster: cluster, Node: node, Why: "this server runs on it"}
	}
	return change.Home{}
}

// ownAddresses are the addresses of this machine.
func ownAddresses() []string {
	list, err := net.InterfaceAddrs()
	if err != nil { // where it cannot be asked, nothing is known
		return nil
	}
	var out []string
	for _, a := range list {
		if n, ok := a.(*net.IPNet); ok {
			out = append(out, n.IP.String())
		}
	}
	return out
}
