package config

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// Changes are the owner's rules for what changes a cluster. The zero value is that of a file without the section: nothing is forbidden
// beyond what `proxmox-mcp allow` leaves out.
type Changes struct {
	Maximum      string  // reversible, disruptive, destructive or host: nothing above it, whatever is allowed; "" = host
	OperatorToo  bool    // approval.disruptive: operator; disruptive changes wait for an operator as well
	Deny         []Scope // wins over everything
	Allow        []Scope // when there are any, one of them has to fit
	Protected    []Scope // nothing above reversible
	Caps         Caps
	BackupWithin time.Duration // destructive changes need a backup younger than this (1h..8760h); 0 = none is demanded
	// SnapshotFirst: a snapshot before a change that disturbs a guest and that a snapshot can take back.
	SnapshotFirst bool
	// Images are the hosts that nodes may download from: a name for https, or http://name; nil = those of the built-in table of images.
	Images []string
	// SSHKeys are the public keys of who may log in to new guests, unless the call names others.
	SSHKeys []string
}

// Scope is a part of the clusters: every part that is given has to fit. At least one is.
type Scope struct {
	Cluster, Node, Pool, Tag string
	VMIDs                    [][2]int // ranges, both ends included
}

// Caps bound what is changed; 0 = the program's own.
type Caps struct {
	PerPlan, PerHour, DestroyPerHour, PerNode int
}

type rawChanges struct {
	maximum, disruptive                       setting
	backupWithin, snapshotFirst               setting
	deny, allow, protected                    []rawScope
	perPlan, perHour, destroyPerHour, perNode setting
	images, sshKeys                           settings
}

type rawScope struct {
	at                       spot
	cluster, node, pool, tag setting
	vmid                     settings
}

func (r *reader) changes(c *rawChanges) func(spot, ast.Node) {
	return func(at spot, n ast.Node) {
		r.mapping(at, n, fields{
			"maximum": r.text(&c.maximum), "backup_within": r.text(&c.backupWithin), "snapshot_first": r.text(&c.snapshotFirst),
			"images": r.list(&c.images, true), "ssh_keys": r.list(&c.sshKeys, false),
			"deny": r.scopes(&c.deny), "allow": r.scopes(&c.allow), "protected": r.scopes(&c.protected),
			"approval": func(at spot, n ast.Node) { r.mapping(at, n, fields{"disruptive": r.text(&c.disruptive)}) },
			"caps": func(at spot, n ast.Node) {
				r.mapping(at, n, fields{"per_plan": r.text(&c.perPlan), "per_hour": r.text(&c.perHour),
					"destroy_per_hour": r.text(&c.destroyPerHour), "per_node": r.text(&c.perNode)})
			},
		})
	}
}

func (r *reader) scopes(dst *[]rawScope) func(spot, ast.Node) {
	return func(at spot, n ast.Node) {
		seq, ok := n.(*ast.SequenceNode)
		if !ok {
			r.add(at, "must be a list: each scope starts with a dash, such as - tag: production")
			return
		}
		for i, e := range seq.Values {
			s := rawScope{at: spot{file: r.file, line: line(e), key: fmt.Sprintf("%s[%d]", at.key, i)}}
			r.mapping(s.at, e, fields{"cluster": r.text(&s.cluster), "node": r.text(&s.node), "pool": r.text(&s.pool), "tag": r.text(&s.tag),
				"vmid": r.list(&s.vmid, true)})
			*dst = append(*dst, s)
		}
	}
}

// changes checks the section; clusters are the names that a scope may give.
func (l *loader) changes(raw rawChanges, clusters []string) Changes {
	c := Changes{Maximum: l.oneOf(raw.maximum, "", "reversible", "disruptive", "destructive", "host"),
		OperatorToo: l.oneOf(raw.disruptive, "client", "client", "operator") == "operator",
		Deny:        l.scopes(raw.deny, clusters), Allow: l.scopes(raw.allow, clusters), Protected: l.scopes(raw.protected, clusters),
		SnapshotFirst: l.boolean(raw.snapshotFirst, false), Images: l.images(raw.images), SSHKeys: l.sshKeys(raw.sshKeys),
		Caps: Caps{PerPlan: l.count(raw.perPlan), PerHour: l.count(raw.perHour), DestroyPerHour: l.count(raw.destroyPerHour), PerNode: l.count(raw.perNode)}}
	if raw.backupWithin.set {
		c.BackupWithin = l.duration(raw.backupWithin, 48*time.Hour, time.Hour, 365*24*time.Hour)
	}
	return c
}

func (l *loader) scopes(raw []rawScope, clusters []string) []Scope {
	var out []Scope
	for _, r := range raw {
		s := Scope{Cluster: r.cluster.text, Node: r.node.text, Pool: r.pool.text, Tag: r.tag.text}
		// A rule that fits nothing protects nothing: a misspelt cluster must not pass in silence.
		if r.cluster.set && !slices.Contains(clusters, s.Cluster) {
			l.add(r.cluster.at, "is not the name of a configured cluster")
		}
		for _, item := range r.vmid.items {
			ids, ok := pve.ParseVMIDs(item.text)
			if item.set && !ok {
				l.add(r.vmid.at, "must be numbers from 100 or ranges of them, such as 105,200-210")
				break
			}
			s.VMIDs = append(s.VMIDs, ids...)
		}
		if !r.cluster.seen && !r.node.seen && !r.pool.seen && !r.tag.seen && !r.vmid.seen {
			l.add(r.at, "names nothing: give cluster, node, pool, tag or vmid")
			continue
		}
		out = append(out, s)
	}
	return out
}

// images checks hosts that nodes may download from.
func (l *loader) images(raw settings) []string {
	var out []string
	for _, item := range raw.items {
		host := strings.TrimPrefix(item.text, "http://")
		if u, err := url.Parse("https://" + host); err != nil || u.Host != host || u.Hostname() == "" {
			l.add(item.at, "must be a host, such as cloud.debian.org, or http://host where it has no https")
			continue
		}
		out = append(out, item.text)
	}
	return out
}

// sshKeys checks public keys: a type and a key in base64, then anything on the same line.
func (l *loader) sshKeys(raw settings) []string {
	var out []string
	for _, item := range raw.items {
		if !pve.PublicKey(item.text) {
			l.add(item.at, "must be a public key as in authorized_keys, such as ssh-ed25519 AAAA... me@home")
			continue
		}
		out = append(out, item.text)
	}
	return out
}

// maxCap is no limit to speak of; what is meant to be unlimited can say so.
const maxCap = 100_000

func (l *loader) count(s setting) int {
	if !s.set {
		return 0
	}
	n, err := strconv.Atoi(s.text)
	if err != nil || n < 1 || n > maxCap {
		l.add(s.at, "must be a number from 1 to %d", maxCap)
		return 0
	}
	return n
}
