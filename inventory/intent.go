package inventory

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// Intent is what a person said of an object, with the object's name as findings show it.
type Intent struct {
	store.Intent
	Object string // "guest 104 jellyfin"
	State  string // holds, ended, or void: the guest that it was said of is gone
}

// IntentRequest says what is to be set. Object is a vmid, a name, or kind/id (guest/104, node/pve3, storage/pve1/local, cluster).
type IntentRequest struct {
	Cluster string
	Object  string
	Want    store.Want
	Until   time.Time // zero = until it is cleared
	Note    string
	Who     string
}

// meant are the findings that off silences on an object; maintenance silences all of an object and of what is on it.
var meant = map[store.Kind][]string{
	store.KindGuest: {"onboot_stopped", "guests_unknown"},
	store.KindNode:  {"node_offline", "guests_unknown", "ha_error"},
}

// wants is what a person means an object to be now, "" when nobody said.
func (c *clusterView) wants(kind store.Kind, id string, now time.Time) store.Want {
	in, ok := c.intents[string(kind)+"/"+id]
	if !ok || c.stateOfIntent(in, now) != "holds" {
		return ""
	}
	return in.Want
}

func (c *clusterView) stateOfIntent(in store.Intent, now time.Time) string {
	if !in.Until.IsZero() && !now.Before(in.Until) {
		return "ended"
	}
	if in.Kind == store.KindGuest {
		id, _ := strconv.Atoi(in.ID)
		if r := c.byID[id]; r == nil || r.g.Life != in.Life {
			return "void"
		}
	}
	return "holds"
}

// silences says that a person means it to be as a finding says.
func (c *clusterView) silences(code string, on Subject, now time.Time) bool {
	if len(c.intents) == 0 {
		return false
	}
	if c.wants(store.KindCluster, clusterID, now) == store.WantMaintenance {
		return true
	}
	subjects := []Subject{on}
	if on.Node != "" && on.Kind != store.KindNode {
		subjects = append(subjects, Subject{Kind: store.KindNode, ID: on.Node})
	}
	return slices.ContainsFunc(subjects, func(s Subject) bool {
		w := c.wants(s.Kind, s.ID, now)
		return w == store.WantMaintenance || w == store.WantOff && slices.Contains(meant[s.Kind], code)
	})
}

// SetIntent keeps what a person means an object to be; it changes nothing in Proxmox VE. The object must be known to the store.
func (i *Inventory) SetIntent(ctx context.Context, q IntentRequest) (Intent, error) {
	c, ref, err := i.subject(ctx, q.Cluster, q.Object)
	if err != nil {
		return Intent{}, err
	}
	in := store.Intent{Ref: ref, Want: q.Want, Until: q.Until.UTC().Truncate(time.Millisecond), Note: clean.Line(q.Note, maxName), Who: q.Who, SetAt: i.now()}
	switch {
	case q.Want == store.WantOff && meant[ref.Kind] == nil:
		return Intent{}, fault.BadField("want", "only guests and nodes can be meant to be off; maintenance suits a "+string(ref.Kind), "maintenance")
	case q.Want == store.WantAwake && ref.Kind != store.KindNode:
		return Intent{}, fault.BadField("want", "awake is said of a node: its disks never sleep", "awake")
	case !slices.Contains([]store.Want{store.WantOff, store.WantMaintenance, store.WantAwake}, q.Want):
		return Intent{}, fault.BadField("want", "must be off, maintenance or awake", "maintenance")
	case !q.Until.IsZero() && !q.Until.After(i.now()):
		return Intent{}, fault.BadField("until", "must be in the future", "8h")
	}
	if ref.Kind == store.KindGuest {
		id, _ := strconv.Atoi(ref.ID)
		in.Life = c.byID[id].g.Life
	}
	st, err := i.openStore(ctx)
	if err != nil {
		return Intent{}, err
	}
	if err := st.SetIntent(ctx, in); err != nil {
		return Intent{}, err
	}
	return c.intent(in, i.now()), i.proj.refresh(ctx)
}

// ClearIntent forgets what was said of an object, also of one that is gone; fault.NotFound when nothing was.
func (i *Inventory) ClearIntent(ctx context.Context, cluster, object string) (Intent, error) {
	all, err := i.Intents(ctx, cluster)
	if err != nil {
		return Intent{}, err
	}
	at := slices.IndexFunc(all, func(in Intent) bool { return string(in.Kind)+"/"+in.ID == object || in.ID == object })
	if at < 0 {
		c, ref, err := i.subject(ctx, cluster, object)
		if err != nil {
			return Intent{}, err
		}
		at = slices.IndexFunc(all, func(in Intent) bool { return in.Ref == ref })
		if at < 0 {
			return Intent{}, fault.New(fault.NotFound, "nothing was said of %s", c.labelOf(ref)).WithHint("proxmox-mcp intent list")
		}
	}
	st, err := i.openStore(ctx)
	if err != nil {
		return Intent{}, err
	}
	ok, err := st.ClearIntent(ctx, all[at].Ref)
	if err == nil && !ok {
		err = fault.New(fault.NotFound, "nothing is said of %s any more", all[at].Object)
	}
	return all[at], err
}

// Intents lists what was said, from the store alone.
func (i *Inventory) Intents(ctx context.Context, cluster string) ([]Intent, error) {
	scope, err := i.scope(ctx, cluster)
	if err != nil {
		return nil, err
	}
	if err := i.proj.refresh(ctx); err != nil {
		return nil, err
	}
	out, now := []Intent{}, i.now()
	for _, c := range scope {
		v := i.proj.cluster(c.name)
		for _, key := range sortedNames(v.intents) {
			out = append(out, v.intent(v.intents[key], now))
		}
	}
	return out, nil
}

func (c *clusterView) intent(in store.Intent, now time.Time) Intent {
	return Intent{in, c.labelOf(in.Ref), c.stateOfIntent(in, now)}
}

func (c *clusterView) labelOf(ref store.Ref) string {
	if ref.Kind == store.KindGuest {
		id, _ := strconv.Atoi(ref.ID)
		if r := c.byID[id]; r != nil {
			return r.label()
		}
	}
	if ref.Kind == store.KindCluster {
		return "cluster " + c.name
	}
	return string(ref.Kind) + " " + ref.ID
}

// subject finds the object that a person names, in the store alone.
func (i *Inventory) subject(ctx context.Context, cluster, object string) (*clusterView, store.Ref, error) {
	scope, err := i.scope(ctx, cluster)
	if err != nil {
		return nil, store.Ref{}, err
	}
	if err := i.proj.refresh(ctx); err != nil {
		return nil, store.Ref{}, err
	}
	var found []store.Ref
	var labels []string
	for _, c := range scope {
		v := i.proj.cluster(c.name)
		for _, ref := range v.named(object) {
			found, labels = append(found, ref), append(labels, v.labelOf(ref)+" ("+string(ref.Kind)+"/"+ref.ID+")")
		}
	}
	switch len(found) {
	case 0:
		return nil, store.Ref{}, fault.New(fault.NotFound, "the store knows no guest, node or storage %q", object).
			WithHint("guest/104, node/pve3, storage/pve1/local or cluster; a new object is known after: proxmox-mcp sync")
	case 1:
		return i.proj.cluster(found[0].Cluster), found[0], nil
	}
	return nil, store.Ref{}, fault.New(fault.Ambiguous, "%q names several objects: %s", object, shortList(labels, 10)).
		WithHint("name one as kind/id, or with --cluster")
}

// named are the objects that a name may mean. A kind before it decides; a vmid is a guest's.
func (c *clusterView) named(object string) (out []store.Ref) {
	add := func(kind store.Kind, id string) { out = append(out, store.Ref{Cluster: c.name, Kind: kind, ID: id}) }
	kind, id, ok := strings.Cut(object, "/")
	if !ok || !slices.Contains([]string{"guest", "node", "storage", "cluster"}, kind) {
		kind, id = "", object
	}
	if kind == "cluster" && (id == "" || id == c.name) || object == clusterID {
		add(store.KindCluster, clusterID)
		return out
	}
	if _, ok := c.nodeObjs[id]; ok && (kind == "" || kind == "node") {
		add(store.KindNode, id)
	}
	if kind == "" || kind == "storage" {
		for _, s := range c.storages {
			if sid := storageID(s); sid == id || s.Name == id && kind == "storage" {
				add(store.KindStorage, sid)
			}
		}
	}
	if kind == "" || kind == "guest" {
		vmid, _ := strconv.Atoi(id)
		for _, r := range c.rows {
			if r.g.VMID == vmid || r.lower != "" && r.lower == strings.ToLower(id) {
				add(store.KindGuest, strconv.Itoa(r.g.VMID))
			}
		}
	}
	return out
}

// storageID is a storage in findings and intents: node/name, or the name alone when it is shared.
func storageID(s Storage) string {
	if s.Shared || len(s.Nodes) == 0 {
		return s.Name
	}
	return s.Nodes[0] + "/" + s.Name
}

// intentText is an intent in words, "" for none.
func (c *clusterView) intentText(kind store.Kind, id string, now time.Time, zone *time.Location) string {
	w := c.wants(kind, id, now)
	if w == "" {
		return ""
	}
	in := c.intents[string(kind)+"/"+id]
	text := map[store.Want]string{store.WantOff: "intentionally off", store.WantMaintenance: "maintenance", store.WantAwake: "disks never sleep"}[w]
	if !in.Until.IsZero() {
		text += " until " + in.Until.In(zone).Format("2006-01-02 15:04")
	}
	if in.Note != "" {
		text += fmt.Sprintf(" (%s)", in.Note)
	}
	return text
}
