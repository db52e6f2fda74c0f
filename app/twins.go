package app

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/change"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

const (
	// passportLimit bounds what a cluster is asked to be recognised: its members and their certificates.
	passportLimit = 10 * time.Second
	// firstTwinsLimit bounds it where a person waits.
	firstTwinsLimit = time.Second
	// twinsAgain is the pause between two looks at clusters of which one did not answer.
	twinsAgain = 5 * time.Minute
	// twinKey begins the names of the settings that keep what was merged.
	twinKey = "merged "
)

// twin is a decision that is kept: a configured cluster is another name of one before it. Login and addresses of both stand in it, so
// that another configuration is decided anew.
type twin struct {
	Into  string   `json:"into"`
	Of    string   `json:"of"`    // what was configured when it was decided
	Addrs []string `json:"addrs"` // proved by a handshake
	Pins  []string `json:"pins"`  // the certificates of the first one's nodes, told by itself
}

func configuredAs(a, b *proxmox.Client) string {
	return strings.Join(slices.Concat([]string{a.Identity()}, a.Addresses(), []string{b.Identity()}, b.Addresses()), " ")
}

// knownTwins takes over what earlier processes decided. Each connection of an address that was proved is held to the pins again.
func (p *parts) knownTwins(ctx context.Context, db *store.DB) {
	for _, name := range p.pool.Names()[1:] {
		text, ok, err := db.Setting(ctx, twinKey+name)
		var t twin
		if err != nil || !ok || json.Unmarshal([]byte(text), &t) != nil || t.Into == "" {
			continue
		}
		a, errA := p.pool.Get(t.Into)
		b, errB := p.pool.Get(name)
		if errA != nil || errB != nil || t.Of != configuredAs(a, b) || p.ruled(name) {
			continue
		}
		if err := p.inv.Merge(name, t.Into, false); err != nil {
			continue
		}
		a.Adopt(t.Addrs, t.Pins)
	}
}

// ruled says that the owner's rules for changes name a cluster: they must go on to mean its guests, so it keeps its name.
func (p *parts) ruled(name string) bool {
	r := rulesOf(p.cfg)
	return slices.ContainsFunc(slices.Concat(r.Deny, r.Allow, r.Protected), func(s change.Scope) bool { return s.Cluster == name })
}

// watchTwins looks for clusters that are given twice until every one has answered once.
func (p *parts) watchTwins(ctx context.Context) {
	for !p.findTwins(ctx) {
		select {
		case <-ctx.Done():
			return
		case <-time.After(twinsAgain):
		}
	}
}

// findTwins asks all clusters at once who they are and merges those that are one. It reports whether all have answered.
func (p *parts) findTwins(ctx context.Context) (all bool) {
	names := p.pool.Names()
	if len(names) < 2 {
		return true
	}
	clients, passports := make([]*proxmox.Client, len(names)), make([]*proxmox.Passport, len(names))
	asking, cancel := context.WithTimeout(ctx, passportLimit)
	defer cancel()
	var wg sync.WaitGroup
	for k, name := range names {
		wg.Go(func() {
			c, err := p.pool.Get(name)
			if err != nil {
				return
			}
			clients[k] = c
			if pass, err := c.Passport(asking); err == nil {
				passports[k] = &pass
			}
		})
	}
	wg.Wait()
	for k := range names {
		for j := range k {
			if passports[j] != nil && passports[k] != nil && p.inv.Merged()[names[j]] == "" && p.judgeTwin(ctx, clients[j], clients[k], *passports[j], *passports[k]) {
				break
			}
		}
	}
	return !slices.Contains(passports, nil)
}

// judgeTwin merges b into a when b is a by its passport and by the handshake, and takes a merge back when it is not. It reports a merge.
func (p *parts) judgeTwin(ctx context.Context, a, b *proxmox.Client, pa, pb proxmox.Passport) bool {
	merged := p.inv.Merged()[b.Name()] == a.Name()
	if why := pa.Differs(pb); why != "" {
		if merged {
			p.log.Warn("two clusters that were one are no longer: both are shown", "cluster", b.Name(), "other", a.Name(), "why", why)
			p.inv.Split(b.Name())
			p.keepTwin(ctx, b.Name(), twin{})
		}
		return false
	}
	switch {
	case merged:
		return true
	case a.Unchecked():
		p.log.Warn("the same cluster seems to be given twice; it is not merged while its certificates are not checked (insecure)", "cluster", b.Name(), "other", a.Name())
		return false
	case p.ruled(b.Name()):
		p.log.Warn("the same cluster is given twice; it is not merged while rules for changes name it", "cluster", b.Name(), "other", a.Name())
		return false
	}
	joined, err := a.Join(ctx, b.Addresses(), pa.Pins())
	if len(joined) == 0 {
		p.log.Warn("a cluster says to be another one and cannot prove it: both are shown", "cluster", b.Name(), "other", a.Name(), "err", err)
		return false
	}
	if err := p.inv.Merge(b.Name(), a.Name(), true); err != nil {
		return false
	}
	p.log.Warn("the same cluster is given twice: merged", "cluster", b.Name(), "into", a.Name(), "endpoints", joined)
	p.keepTwin(ctx, b.Name(), twin{Into: a.Name(), Of: configuredAs(a, b), Addrs: joined, Pins: pa.Pins()})
	return true
}

// keepTwin keeps a decision for later processes; where it cannot be kept the next one decides again.
func (p *parts) keepTwin(ctx context.Context, name string, t twin) {
	text, err := json.Marshal(t)
	if err != nil {
		return
	}
	db, err := p.openStore(ctx, p.clock)
	if err == nil {
		err = db.SetSetting(ctx, twinKey+name, string(text), store.AuditEntry{At: p.clock(), Principal: "server", Door: "server", Event: "merge",
			Cluster: name, Outcome: "ok", Detail: "into " + t.Into})
	}
	if err != nil {
		p.log.Warn("what was found out about clusters cannot be kept", "err", err)
	}
}

// firstTwins looks for twins before the first sync of a command, so that none is read twice. Clusters that answer do so at once; one
// that does not is looked at again at the next first sync or by a server.
func (p *parts) firstTwins(ctx context.Context) {
	if len(p.pool.Names()) < 2 || !p.inv.Unsynced(ctx) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, firstTwinsLimit)
	defer cancel()
	p.findTwins(ctx)
}
