package checks

import (
	"bytes"
	"encoding/json"
	"slices"

	"github.com/proxmox-mcp/proxmox-mcp/iac"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// Target is the emitter's name.
const Target = "checks"

// SpecPath is where the declared state lies, below the target folder.
const SpecPath = "tests/spec.json"

// specVersion is that of spec.json's form; a reader refuses another.
const specVersion = 1

// Emitter implements iac.Emitter.
type Emitter struct{}

var _ iac.Emitter = Emitter{}

// Spec is the declared state: what run_checks compares the live cluster with.
type Spec struct {
	Version int        `json:"version"`
	World   *iac.World `json:"world"`
}

// Name implements iac.Emitter.
func (Emitter) Name() string { return Target }

// Emit implements iac.Emitter.
func (Emitter) Emit(w *iac.World) (iac.Result, error) {
	spec, err := encode(w)
	if err != nil {
		return iac.Result{}, err
	}
	checks, n := goss(w)
	tests, asserts := tftest(w)
	r := iac.Result{
		Files:  append([]iac.File{{Path: SpecPath, Data: spec}, {Path: "tests/goss.yaml", Data: checks}}, tests...),
		Counts: []iac.Count{{What: "objects declared", N: len(w.Selected()) + declared(w)}, {What: "goss checks", N: n}, {What: "terraform assertions", N: asserts}},
	}
	for _, g := range w.Selected() {
		c := iac.Coverage{Kind: store.KindGuest, ID: g.ID(), Name: g.Name, Status: iac.Written}
		if g.Unread != "" {
			c.Status, c.Why = iac.LeftOut, g.Unread
		}
		r.Coverage = append(r.Coverage, c)
	}
	return r, r.Finish()
}

// figures are kinds that are measured, not declared.
var figures = []store.Kind{store.KindNode, store.KindStorage, store.KindCluster, store.KindProbe}

func declared(w *iac.World) int {
	n := 0
	for i := range w.Objects {
		if !slices.Contains(figures, w.Objects[i].Kind) {
			n++
		}
	}
	return n
}

// encode writes the declared part of a world: no figures, no addresses that guests were seen with.
func encode(w *iac.World) ([]byte, error) {
	d := &iac.World{Cluster: w.Cluster, Identity: iac.Identity{Name: w.Identity.Name, Standalone: w.Identity.Standalone}, Unread: w.Unread}
	for _, g := range w.Selected() {
		one := *g
		one.Addresses = nil
		d.Guests = append(d.Guests, one)
	}
	for _, o := range w.Objects {
		if !slices.Contains(figures, o.Kind) {
			o.Known = true // declared as it was last seen: a node that is off now changes nothing of it
			d.Objects = append(d.Objects, o)
		}
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err := enc.Encode(Spec{Version: specVersion, World: d})
	return out.Bytes(), err
}

// Read reads a spec.json. Errors name what is wrong with the file.
func Read(data []byte) (*iac.World, error) {
	var s Spec
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	if err := dec.Decode(&s); err != nil || s.World == nil {
		return nil, fault.Wrap(fault.Invalid, err, "%s cannot be read", SpecPath).WithHint("export the code again")
	}
	if s.Version != specVersion {
		return nil, fault.New(fault.Invalid, "%s is of version %d, this program reads %d", SpecPath, s.Version, specVersion).WithHint("export the code again")
	}
	s.World.Sort()
	return s.World, nil
}
