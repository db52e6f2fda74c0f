package inventory

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// placeWorld has two nodes; the second has more memory free, and no storage for images to import.
func placeWorld() *world {
	w := newWorld(2, 4)
	storage := func(node, name, content string, used, total int64) pve.Resource {
		return pve.Resource{ID: "storage/" + node + "/" + name, Type: "storage", Node: pve.Text(node), Storage: pve.Text(name), PluginType: "dir", Status: "available",
			Content: pve.Text(content), Disk: pve.Ptr(pve.Int(used << 30)), MaxDisk: pve.Ptr(pve.Int(total << 30))}
	}
	w.extra = []pve.Resource{storage("pve1", "local", "iso,vztmpl,import", 10, 50), storage("pve1", "fast", "images,rootdir", 10, 100), storage("pve1", "small", "rootdir,images", 90, 100),
		storage("pve2", "local", "iso,vztmpl", 10, 50), storage("pve2", "fast", "images,rootdir", 10, 20)}
	w.used = map[string]int64{"pve1": 10 << 30, "pve2": 4 << 30}
	w.defs = []pve.StorageDef{{Storage: "local", Type: "dir", Raw: []byte(`{"storage":"local","type":"dir","content":"vztmpl,iso"}`)}}
	bridge := func(name, gateway string) pve.InterfaceRow {
		return pve.InterfaceRow{Iface: pve.Text(name), Type: "bridge", Active: pve.Ptr(pve.Bool(true)), Gateway: pve.Text(gateway)}
	}
	w.host.network = map[string]pve.NodeNetwork{"pve1": {Interfaces: []pve.InterfaceRow{bridge("vmbr0", ""), bridge("vmbr1", "10.0.0.1")}},
		"pve2": {Interfaces: []pve.InterfaceRow{bridge("vmbr0", "10.0.0.1")}}}
	w.host.content = map[string][]pve.VolumeRow{"pve1/local": {{VolID: "local:import/have.qcow2", Content: "import"}}}
	w.host.templates = []pve.Appliance{
		{Template: "debian-9-standard_9.7-1_amd64.tar.gz", Package: "debian-9-standard", OS: "debian-9", Section: "system", Version: "9.7-1"},
		{Template: "debian-13-standard_13.1-2_amd64.tar.zst", Package: "debian-13-standard", OS: "debian-13", Section: "system", Version: "13.1-2"},
		{Template: "debian-13-standard_13.0-1_amd64.tar.zst", Package: "debian-13-standard", OS: "debian-13", Section: "system", Version: "13.0-1"},
		{Template: "debian-13-turnkey-wiki_20-1_amd64.tar.gz", Package: "debian-13-turnkey-wiki", OS: "debian-13", Section: "turnkeylinux", Version: "20-1"},
		{Template: "almalinux-10-default_20250930_amd64.tar.xz", Package: "almalinux-10-default", OS: "almalinux", Section: "system", Version: "20250930"}}
	return w
}

func TestPlaceFor(t *testing.T) {
	t.Parallel()
	r := newRig(t, placeWorld())
	r.sync()
	for name, c := range map[string]struct {
		q    PlaceQuery
		want Place
		why  []string
	}{
		"the most memory": {q: PlaceQuery{Disks: "images", Room: 5 << 30, Net: true}, want: Place{Node: "pve2", Storage: "fast", Bridge: "vmbr0", VMID: 104},
			why: []string{"node pve2: the most memory free (12 GiB)"}},
		"room decides": {q: PlaceQuery{Disks: "images", Room: 50 << 30, Net: true}, want: Place{Node: "pve1", Storage: "fast", Bridge: "vmbr1", VMID: 104},
			why: []string{"bridge vmbr1: it has the way out"}},
		"an import": {q: PlaceQuery{Disks: "images", File: "import", Name: "x.qcow2"}, want: Place{Node: "pve1", Storage: "fast", VMID: 104, FileStorage: "local",
			FileName: "x.qcow2", File: "local:import/x.qcow2"}, why: []string{"storage fast: the most room (90 GiB)"}},
		"there already":     {q: PlaceQuery{File: "import", Name: "have.qcow2"}, want: Place{Node: "pve1", FileStorage: "local", FileName: "have.qcow2", File: "local:import/have.qcow2", There: true}},
		"named":             {q: PlaceQuery{Node: "pve1", Storage: "small", VMID: 900, Disks: "rootdir", Bridge: "vmbr0", Net: true}, want: Place{Node: "pve1", Storage: "small", VMID: 900, Bridge: "vmbr0"}},
		"given out already": {q: PlaceQuery{Disks: "images", Taken: []int{104, 105}}, want: Place{Node: "pve2", Storage: "fast", VMID: 106}},
		"a system":          {q: PlaceQuery{Node: "pve2", File: "vztmpl", Template: "debian-13"}, want: template("debian-13-standard_13.1-2_amd64.tar.zst")},
		"the newest":        {q: PlaceQuery{Node: "pve2", File: "vztmpl", Template: "debian"}, want: template("debian-13-standard_13.1-2_amd64.tar.zst")},
		"another name":      {q: PlaceQuery{Node: "pve2", File: "vztmpl", Template: "alma-10"}, want: template("almalinux-10-default_20250930_amd64.tar.xz")},
		"turnkey":           {q: PlaceQuery{Node: "pve2", File: "vztmpl", Template: "debian-13-turnkey-wiki"}, want: template("debian-13-turnkey-wiki_20-1_amd64.tar.gz")},
	} {
		got, err := r.PlaceFor(t.Context(), c.q)
		c.want.Cluster, c.want.Version = "lab", got.Version
		if diff := cmp.Diff(c.want, got, cmpopts.IgnoreFields(Place{}, "Why")); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", name, err, diff)
		}
		for _, why := range c.why {
			if !strings.Contains(strings.Join(got.Why, "\n"), why) {
				t.Errorf("%s: chosen because of %q, want %q", name, got.Why, why)
			}
		}
	}
}

func template(file string) Place {
	return Place{Node: "pve2", FileStorage: "local", FileName: file, File: "local:vztmpl/" + file}
}

// TestNoPlace: what is refused says why for each node, and what the owner would do.
func TestNoPlace(t *testing.T) {
	t.Parallel()
	r := newRig(t, placeWorld())
	r.sync()
	for name, c := range map[string]struct {
		q    PlaceQuery
		code fault.Code
		says []string
	}{
		"no content":     {q: PlaceQuery{Node: "pve2", File: "import", Name: "x.qcow2"}, code: fault.Conflict, says: []string{"no storage of pve2 is active for import", "pvesm set local --content iso,vztmpl,import"}},
		"no room":        {q: PlaceQuery{Disks: "images", Room: 500 << 30}, code: fault.Conflict, says: []string{"no storage of pve1 for images has 500 GiB free", "pve2"}},
		"no memory":      {q: PlaceQuery{Disks: "images", Memory: 64 << 30}, code: fault.Conflict, says: []string{"pve1 has 6 GiB memory free", "pve2 has 12 GiB memory free"}},
		"wrong storage":  {q: PlaceQuery{Disks: "images", Storage: "local"}, code: fault.Conflict, says: []string{"storage local is not active for images on pve1"}},
		"no such node":   {q: PlaceQuery{Node: "pve3"}, code: fault.NotFound, says: []string{"pve3"}},
		"no such bridge": {q: PlaceQuery{Node: "pve2", Disks: "images", Bridge: "vmbr7", Net: true}, code: fault.Invalid, says: []string{"has no bridge vmbr7; it has vmbr0"}},
		"no template":    {q: PlaceQuery{Node: "pve2", File: "vztmpl", Template: "debain-13"}, code: fault.NotFound, says: []string{"did you mean debian-13"}},
	} {
		_, err := r.PlaceFor(t.Context(), c.q)
		text := ""
		if err != nil {
			text = err.Error() + " " + fault.Of(err).Hint
		}
		for _, says := range c.says {
			if fault.CodeOf(err) != c.code || !strings.Contains(text, says) {
				t.Errorf("%s: %s %q, want %s with %q", name, fault.CodeOf(err), text, c.code, says)
			}
		}
	}
	r.w.set(func() { r.w.nodes["pve1"].online = false })
	r.tick()
	if _, err := r.PlaceFor(t.Context(), PlaceQuery{File: "import", Name: "x.qcow2"}); fault.CodeOf(err) != fault.Conflict || !strings.Contains(err.Error(), "node pve1 is offline") {
		t.Errorf("a node that is off: %v", err)
	}
}

// TestPlaceTaken: a vmid that a guest has is refused when the plan is made, and a name that one has is noted.
func TestPlaceTaken(t *testing.T) {
	t.Parallel()
	r := newRig(t, placeWorld())
	r.sync()
	if _, err := r.PlaceFor(t.Context(), PlaceQuery{Disks: "images", VMID: 101}); fault.CodeOf(err) != fault.Conflict || !strings.Contains(err.Error(), "vmid 101 is taken: it is guest 101 vm101") {
		t.Errorf("a vmid that is taken: %v", err)
	}
	p, err := r.PlaceFor(t.Context(), PlaceQuery{Disks: "images", Guest: "VM101", Node: "pve1", Memory: 1 << 50})
	if notes := strings.Join(p.Notes, "; "); err != nil || !strings.Contains(notes, "guest 101 vm101 has the name VM101 already") || !strings.Contains(notes, "more memory than node pve1 has") {
		t.Errorf("%q, %v", notes, err)
	}
}
