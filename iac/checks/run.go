package checks

import (
	"cmp"
	"slices"

	"github.com/proxmox-mcp/proxmox-mcp/iac"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// Sort is what a finding is about: the declaration (drift) or how the object does (health).
type Sort string

// The sorts of findings.
const (
	Drift   Sort = "drift"   // it is not configured as declared, or is there and not declared
	Health  Sort = "health"  // it is as declared and does not run as declared
	Unknown Sort = "unknown" // it could not be looked at
)

// Finding is one check that did not pass.
type Finding struct {
	Sort     Sort
	Kind     store.Kind
	ID, Name string
	Field    string // "" for an object that is new or gone
	Want, Is string
	Why      string // of unknown
}

// Report is what a run found. Checked counts the objects that were compared, Passed those that are as declared.
type Report struct {
	Checked, Passed int
	Findings        []Finding
}

// Run compares what is declared with how the cluster is now. Both are read only; nothing is asked of Proxmox VE.
func Run(declared, now *iac.World) Report {
	var r Report
	bad := map[string]bool{}
	add := func(f Finding) { r.Findings, bad[string(f.Kind)+"/"+f.ID] = append(r.Findings, f), true }
	unseen := unknown(declared, now, add)
	for _, d := range iac.Diff(declared, visible(declared, now)) {
		if d.First || unseen[string(d.Kind)+"/"+d.ID] {
			continue
		}
		add(found(d))
	}
	r.Checked = len(declared.Guests) + len(declared.Objects)
	r.Passed = r.Checked
	for i := range declared.Guests {
		if bad[string(store.KindGuest)+"/"+declared.Guests[i].ID()] {
			r.Passed--
		}
	}
	for i := range declared.Objects {
		if o := &declared.Objects[i]; bad[string(o.Kind)+"/"+o.ID] {
			r.Passed--
		}
	}
	slices.SortStableFunc(r.Findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Sort, b.Sort), cmp.Compare(a.Kind, b.Kind), pve.CompareKeys(a.ID, b.ID))
	})
	return r
}

// unknown finds what cannot be compared now: its node is silent, or it was never read.
func unknown(declared, now *iac.World, add func(Finding)) map[string]bool {
	unseen := map[string]bool{}
	for i := range declared.Guests {
		g := now.Guest(declared.Guests[i].VMID)
		if g == nil {
			continue
		}
		why := g.Unread
		if g.Status == "unknown" {
			why = "node " + g.Node + " does not answer"
		}
		if why != "" {
			unseen[string(store.KindGuest)+"/"+g.ID()] = true
			add(Finding{Sort: Unknown, Kind: store.KindGuest, ID: g.ID(), Name: g.Name, Why: why})
		}
	}
	for i := range declared.Objects {
		d := &declared.Objects[i]
		why := ""
		switch o := now.Find(d.Kind, d.ID); {
		case o == nil && now.Unread.Has(d.Kind, d.ID):
			why = "such settings were not read yet"
		case o != nil && !o.Known:
			why = "it cannot be seen now"
		}
		if why != "" {
			unseen[string(d.Kind)+"/"+d.ID] = true
			add(Finding{Sort: Unknown, Kind: d.Kind, ID: d.ID, Why: why})
		}
	}
	return unseen
}

// visible is now without the kinds that are not declared at all, which a narrower or older export does not speak of.
func visible(declared, now *iac.World) *iac.World {
	out := *now
	kinds := map[store.Kind]bool{}
	for i := range declared.Objects {
		kinds[declared.Objects[i].Kind] = true
	}
	out.Objects = slices.DeleteFunc(slices.Clone(now.Objects), func(o iac.Object) bool { return !kinds[o.Kind] })
	return &out
}

func found(d iac.Difference) Finding {
	f := Finding{Sort: Drift, Kind: d.Kind, ID: d.ID, Name: d.Name, Field: d.Field, Want: d.Old, Is: d.New}
	switch {
	case d.Kind == store.KindGuest && (d.Field == "status" || d.Field == "lock"):
		f.Sort = Health
	case d.Field == "" && d.Had:
		f.Want, f.Is = "exists", "is gone"
	case d.Field == "":
		f.Want, f.Is = "not declared", "exists"
	}
	return f
}
