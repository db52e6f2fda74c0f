package inventory

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// scatteredRow is a row whose strings and lists are pieces of their own; some are too long for a piece that is shared.
func scatteredRow(id int) *row {
	own := func(format string) string { return strings.Clone(fmt.Sprintf(format, id)) }
	r := &row{g: store.Guest{VMID: id, Name: own("web%d"), ConfigHash: own("hash%d"), Digest: own("digest%d"), Tags: "a;b", Mem: pve.Ptr(int64(id)), MaxCPU: pve.Ptr(float64(id))}}
	r.f = &facets{Name: own("web%d"), Note: strings.Repeat(own("%d"), 1+id%3*3000), Volumes: []string{own("local:vm-%d-disk-0"), own("local:vm-%d-disk-1")}, Nets: []string{"vmbr0"},
		IPs: []string{own("10.0.0.%d")}, Agent: pve.Ptr(id%2 == 0)}
	for range id % 2 * 100 {
		r.f.Loose = append(r.f.Loose, own("local:iso/%d.iso"))
	}
	if id%5 == 0 {
		r.g.Name, r.f = strings.ToUpper(r.g.Name), nil
	}
	r.finish()
	return r
}

// TestPack: packed rows say what they said, one that is kept alone too, and the rows that readers have are left as they were.
func TestPack(t *testing.T) {
	c := &clusterView{byID: map[int]*row{}}
	var readers, want []*row
	for id := range 700 {
		r := scatteredRow(id)
		c.rows, c.byID[id] = append(c.rows, r), r
		readers, want = append(readers, r), append(want, scatteredRow(id))
	}
	same := cmp.AllowUnexported(row{})
	for _, pack := range []func(){c.pack, func() { c.looseFacets = len(c.rows); c.packAll() }} {
		c.loose = len(c.rows)
		pack()
		if diff := cmp.Diff(want, c.rows, same); diff != "" || c.loose+c.looseFacets != 0 {
			t.Fatalf("%d rows and %d facets are loose: %s", c.loose, c.looseFacets, diff)
		}
	}
	packed := c.rows[1].f
	c.looseFacets = len(c.rows) / restShare
	if c.packAll(); c.rows[1].f != packed {
		t.Error("few changes made all be packed again")
	}
	if diff := cmp.Diff(want, readers, same); diff != "" {
		t.Errorf("the rows of readers: %s", diff)
	}
	for k, r := range readers {
		if r.f != nil && r.f == c.rows[k].f {
			t.Fatalf("the facets of %d were not packed", k)
		}
		if c.byID[k] != c.rows[k] {
			t.Fatalf("%d is not the one that is found", k)
		}
		if diff := cmp.Diff(want[k], c.rows[k].alone(), same); diff != "" {
			t.Fatalf("alone: %s", diff)
		}
	}
}
