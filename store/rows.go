package store

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/uptrace/bun"
)

// millis gives t as Unix milliseconds, 0 for the zero time.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// moment is the inverse of millis; times come back in UTC.
func moment(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// clean makes a text from outside fit for any engine: NUL bytes, which bun and PostgreSQL refuse, and broken UTF-8 are removed.
func clean(s string) string {
	if strings.IndexByte(s, 0) >= 0 {
		s = strings.ReplaceAll(s, "\x00", "")
	}
	return strings.ToValidUTF8(s, "")
}

type guestRow struct {
	bun.BaseModel `bun:"table:guests,alias:g"`

	Cluster       string   `bun:"cluster,pk"`
	VMID          int64    `bun:"vmid,pk"`
	Life          int64    `bun:"life,pk"`
	Type          string   `bun:"type"`
	Node          string   `bun:"node"`
	Name          string   `bun:"name"`
	Status        string   `bun:"status"`
	Lock          string   `bun:"lock"`
	Tags          string   `bun:"tags"`
	Pool          string   `bun:"pool"`
	HAState       string   `bun:"ha_state"`
	Template      bool     `bun:"template"`
	CPU           *float64 `bun:"cpu"`
	MaxCPU        *float64 `bun:"max_cpu"`
	Mem           *int64   `bun:"mem"`
	MaxMem        *int64   `bun:"max_mem"`
	Disk          *int64   `bun:"disk"`
	MaxDisk       *int64   `bun:"max_disk"`
	Uptime        *int64   `bun:"uptime"`
	NetIn         *int64   `bun:"net_in"`
	NetOut        *int64   `bun:"net_out"`
	ConfigHash    string   `bun:"config_hash"`
	Digest        string   `bun:"digest"`
	ConfigAt      int64    `bun:"config_at"`
	Facets        string   `bun:"facets"`
	Addresses     string   `bun:"addresses"`
	AddressesAt   int64    `bun:"addresses_at"`
	Snapshots     string   `bun:"snapshots"`
	SnapshotsAt   int64    `bun:"snapshots_at"`
	FirstSeen     int64    `bun:"first_seen"`
	LastSeen      int64    `bun:"last_seen"`
	UnknownSince  int64    `bun:"unknown_since"`
	UnknownReason string   `bun:"unknown_reason"`
	GoneAt        int64    `bun:"gone_at"`
	Gen           int64    `bun:"gen"`
}

func newGuestRow(g *Guest, cluster string, gen int64) guestRow {
	return guestRow{
		Cluster: cluster, VMID: int64(g.VMID), Life: int64(max(g.Life, 1)), Type: clean(g.Type), Node: clean(g.Node),
		Name: clean(g.Name), Status: clean(g.Status), Lock: clean(g.Lock), Tags: clean(g.Tags), Pool: clean(g.Pool),
		HAState: clean(g.HAState), Template: g.Template,
		CPU: g.CPU, MaxCPU: g.MaxCPU, Mem: g.Mem, MaxMem: g.MaxMem, Disk: g.Disk, MaxDisk: g.MaxDisk, Uptime: g.Uptime,
		NetIn: g.NetIn, NetOut: g.NetOut,
		ConfigHash: clean(g.ConfigHash), Digest: clean(g.Digest), ConfigAt: millis(g.ConfigAt), Facets: clean(g.Facets),
		Addresses: clean(g.Addresses), AddressesAt: millis(g.AddressesAt),
		Snapshots: clean(g.Snapshots), SnapshotsAt: millis(g.SnapshotsAt),
		FirstSeen: millis(g.FirstSeen), LastSeen: millis(g.LastSeen), UnknownSince: millis(g.UnknownSince),
		UnknownReason: clean(g.UnknownReason), GoneAt: millis(g.GoneAt), Gen: gen,
	}
}

func (r *guestRow) guest() Guest {
	return Guest{
		Cluster: r.Cluster, VMID: int(r.VMID), Life: int(r.Life), Type: r.Type, Node: r.Node, Name: r.Name, Status: r.Status,
		Lock: r.Lock, Tags: r.Tags, Pool: r.Pool, HAState: r.HAState, Template: r.Template,
		CPU: r.CPU, MaxCPU: r.MaxCPU, Mem: r.Mem, MaxMem: r.MaxMem, Disk: r.Disk, MaxDisk: r.MaxDisk, Uptime: r.Uptime,
		NetIn: r.NetIn, NetOut: r.NetOut,
		ConfigHash: r.ConfigHash, Digest: r.Digest, ConfigAt: moment(r.ConfigAt), Facets: r.Facets,
		Addresses: r.Addresses, AddressesAt: moment(r.AddressesAt), Snapshots: r.Snapshots, SnapshotsAt: moment(r.SnapshotsAt),
		FirstSeen: moment(r.FirstSeen), LastSeen: moment(r.LastSeen), UnknownSince: moment(r.UnknownSince),
		UnknownReason: r.UnknownReason, GoneAt: moment(r.GoneAt), Gen: r.Gen,
	}
}

type objectRow struct {
	bun.BaseModel `bun:"table:objects,alias:o"`

	Cluster      string `bun:"cluster,pk"`
	Kind         string `bun:"kind,pk"`
	ID           string `bun:"id,pk"`
	Life         int64  `bun:"life"`
	Hash         string `bun:"hash"`
	State        string `bun:"state"`
	FirstSeen    int64  `bun:"first_seen"`
	LastSeen     int64  `bun:"last_seen"`
	UnknownSince int64  `bun:"unknown_since"`
	GoneAt       int64  `bun:"gone_at"`
	Gen          int64  `bun:"gen"`
}

func newObjectRow(o *Object, cluster string, gen int64) objectRow {
	return objectRow{
		Cluster: cluster, Kind: clean(string(o.Kind)), ID: clean(o.ID), Life: int64(max(o.Life, 1)), Hash: clean(o.Hash),
		State: clean(string(o.State)), FirstSeen: millis(o.FirstSeen), LastSeen: millis(o.LastSeen),
		UnknownSince: millis(o.UnknownSince), GoneAt: millis(o.GoneAt), Gen: gen,
	}
}

func (r *objectRow) object() Object {
	o := Object{
		Ref: Ref{Cluster: r.Cluster, Kind: Kind(r.Kind), ID: r.ID}, Life: int(r.Life), Hash: r.Hash,
		FirstSeen: moment(r.FirstSeen), LastSeen: moment(r.LastSeen), UnknownSince: moment(r.UnknownSince),
		GoneAt: moment(r.GoneAt), Gen: r.Gen,
	}
	if r.State != "" {
		o.State = json.RawMessage(r.State)
	}
	return o
}

type contentRow struct {
	bun.BaseModel `bun:"table:contents"`

	Hash string `bun:"hash,pk"`
	Body string `bun:"body"`
}

type versionRow struct {
	bun.BaseModel `bun:"table:object_versions,alias:v"`

	Cluster   string `bun:"cluster,pk"`
	Kind      string `bun:"kind,pk"`
	ID        string `bun:"id,pk"`
	Life      int64  `bun:"life,pk"`
	Seq       int64  `bun:"seq,pk"`
	Hash      string `bun:"hash"`
	SeenAt    int64  `bun:"seen_at"`
	NotBefore int64  `bun:"not_before"`
	SyncID    int64  `bun:"sync_id"`
	Current   bool   `bun:"current"`
}

func (r *versionRow) version() Version {
	return Version{
		Ref: Ref{Cluster: r.Cluster, Kind: Kind(r.Kind), ID: r.ID}, Life: int(r.Life), Seq: int(r.Seq), Hash: r.Hash,
		SeenAt: moment(r.SeenAt), NotBefore: moment(r.NotBefore), SyncID: r.SyncID,
	}
}

type changeRow struct {
	bun.BaseModel `bun:"table:changes,alias:c"`

	ID        int64  `bun:"id,pk,autoincrement"`
	Cluster   string `bun:"cluster"`
	Kind      string `bun:"kind"`
	Object    string `bun:"object"`
	Life      int64  `bun:"life"`
	What      string `bun:"what"`
	Field     string `bun:"field"`
	Old       string `bun:"old"`
	New       string `bun:"new"`
	At        int64  `bun:"at"`
	NotBefore int64  `bun:"not_before"`
	SyncID    int64  `bun:"sync_id"`
}

func newChangeRow(c *Change, b *Batch) changeRow {
	at := c.At
	if at.IsZero() {
		at = b.At
	}
	return changeRow{
		Cluster: b.Cluster, Kind: clean(string(c.Kind)), Object: clean(c.Ref.ID), Life: int64(max(c.Life, 1)), What: clean(c.What),
		Field: clean(c.Field), Old: clean(c.Old), New: clean(c.New), At: millis(at), NotBefore: millis(c.NotBefore), SyncID: b.SyncID,
	}
}

func (r *changeRow) change() Change {
	return Change{
		ID: r.ID, Ref: Ref{Cluster: r.Cluster, Kind: Kind(r.Kind), ID: r.Object}, Life: int(r.Life), What: r.What, Field: r.Field,
		Old: r.Old, New: r.New, At: moment(r.At), NotBefore: moment(r.NotBefore), SyncID: r.SyncID,
	}
}
