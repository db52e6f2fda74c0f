package inventory

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// PlaceQuery asks where something new can be made. What is empty is chosen. Sizes are bytes.
type PlaceQuery struct {
	Node, Storage, Bridge string
	Guest                 string // the new guest's name
	VMID                  int
	Taken                 []int  // vmids that are given out and not used yet
	Disks                 string // what the guest's disks are: images or rootdir; "" = no guest is made, only a file is fetched
	Room, Memory          int64  // what its disks and its memory take
	File                  string // content of the file that it is made of: import, iso or vztmpl; "" = none
	Name                  string // of that file; it may be there already
	Template              string // a template of Proxmox's list, by name or the begin of it, in place of Name
	FileStorage           string
	Seed                  bool // an ISO image is uploaded for it
	Net                   bool // it is on a bridge
	ReadOptions
}

// Place is where something new goes. File is the file's volume id, There says that it is there already. Why are the reasons of what was
// chosen, in words.
type Place struct {
	Cluster, Node, Storage, Bridge string
	VMID                           int
	File, FileStorage, FileName    string
	There                          bool
	ISO                            string // storage for ISO images
	Version                        string // of Proxmox VE on the node, "" = unknown
	Why                            []string
	Notes                          []string // what speaks against it and forbids nothing
}

// PlaceFor chooses deterministically: the node that is up, can do it and has the most memory free; on it the storage with the most room, the
// bridge with the way out. Errors: fault.Conflict that says what is missing where and how it would be allowed, fault.BadField for a name
// that is not known. Nodes and storages are those of the store; the free vmid (GET /cluster/nextid), contents and bridges are asked.
func (i *Inventory) PlaceFor(ctx context.Context, q PlaceQuery) (Place, error) {
	began := i.now()
	scope, err := i.ready(ctx, q.ReadOptions)
	if err != nil {
		return Place{}, err
	}
	if len(scope) > 1 {
		return Place{}, fault.BadField("cluster", "several are configured: one is needed", scope[0].name)
	}
	if err := cmp.Or(i.knownNode(scope, q.Node), i.knownStorage(scope, q.Storage), i.knownStorage(scope, q.FileStorage)); err != nil {
		return Place{}, err
	}
	ctx, cancel := i.budget(ctx, true, began)
	defer cancel()
	c := scope[0]
	s := &placing{c: c, cv: i.proj.cluster(c.name), q: &q}
	s.p = Place{Cluster: c.name, VMID: q.VMID}
	for _, step := range []func(context.Context) error{s.node, s.disks, s.file, s.seed, s.bridge, s.vmid, s.odd} {
		if err := step(ctx); err != nil {
			return Place{}, err
		}
	}
	return s.p, nil
}

// placing is one choice of a place.
type placing struct {
	c  *cluster
	cv *clusterView
	q  *PlaceQuery
	p  Place
}

func (s *placing) why(format string, args ...any) {
	s.p.Why = append(s.p.Why, fmt.Sprintf(format, args...))
}

// node takes the node with the most free memory of those that can do it.
func (s *placing) node(context.Context) error {
	type candidate struct {
		name string
		free int64
	}
	var fit []candidate
	var not []string
	for k := range s.cv.nodes {
		n := &s.cv.nodes[k]
		if s.q.Node != "" && n.name != s.q.Node {
			continue
		}
		if why := s.unfit(n); why != "" {
			not = append(not, why)
			continue
		}
		free := int64(-1)
		if n.st.Mem != nil && n.st.MaxMem != nil {
			free = *n.st.MaxMem - *n.st.Mem
		}
		fit = append(fit, candidate{n.name, free})
	}
	if len(fit) == 0 {
		e := fault.New(fault.Conflict, "no node can do it: %s", shortList(not, 6))
		if hint := s.lacking(); hint != "" {
			e = e.WithHint("%s", hint)
		}
		return e
	}
	slices.SortStableFunc(fit, func(a, b candidate) int { return cmp.Or(cmp.Compare(b.free, a.free), strings.Compare(a.name, b.name)) })
	s.p.Node = fit[0].name
	if s.q.Node == "" && len(s.cv.nodes) > 1 && fit[0].free >= 0 {
		s.why("node %s: the most memory free (%s)", s.p.Node, size(fit[0].free))
	}
	for k := range s.cv.nodes {
		if s.cv.nodes[k].name == s.p.Node {
			s.p.Version = cmp.Or(s.cv.nodes[k].st.Version, s.cv.state.Version)
		}
	}
	return nil
}

// unfit says why a node cannot do it, "" where it can.
func (s *placing) unfit(n *nodeView) string {
	if why := s.cv.nodeAway(n.name); why != "" {
		return why
	}
	if free := s.q.Memory; s.q.Node == "" && free > 0 && n.st.Mem != nil && n.st.MaxMem != nil && *n.st.MaxMem-*n.st.Mem < free {
		return fmt.Sprintf("%s has %s memory free", n.name, size(*n.st.MaxMem-*n.st.Mem))
	}
	if s.q.Disks != "" && len(s.storages(n.name, s.q.Disks, s.q.Storage, s.q.Room)) == 0 {
		return s.noStorage(n.name, s.q.Disks, s.q.Storage, s.q.Room)
	}
	if s.q.File != "" && len(s.storages(n.name, s.q.File, s.q.FileStorage, 0)) == 0 {
		return s.noStorage(n.name, s.q.File, s.q.FileStorage, 0)
	}
	if s.q.Seed && len(s.storages(n.name, "iso", "", 0)) == 0 {
		return s.noStorage(n.name, "iso", "", 0)
	}
	return ""
}

func (s *placing) noStorage(node, content, only string, room int64) string {
	what := "no storage of " + node + " is active for " + content
	if only != "" {
		what = "storage " + only + " is not active for " + content + " on " + node
	}
	if room > 0 && len(s.storages(node, content, only, 0)) > 0 {
		what = fmt.Sprintf("no storage of %s for %s has %s free", node, content, size(room))
	}
	return what
}

// fileTypes are the types of storage that can hold images to import (pve-storage: DirPlugin, NFSPlugin, CIFSPlugin, BTRFSPlugin).
var fileTypes = []string{"dir", "nfs", "cifs", "btrfs"}

// lacking says how a storage would get the content that none has.
func (s *placing) lacking() string {
	content := s.q.File
	if content == "" && s.q.Seed {
		content = "iso"
	}
	if content == "" {
		return ""
	}
	have, could := "", ""
	for _, id := range sortedNames(s.cv.defs) {
		def, err := pve.DecodeConfig(s.cv.defs[id].State)
		if err != nil || def.Bool("disable") {
			continue
		}
		list := splitContent(def.Str("content"))
		switch {
		case slices.Contains(list, content):
			have = cmp.Or(have, fmt.Sprintf("%s has it, but not there or not now", id))
		case slices.Contains(fileTypes, def.Str("type")):
			could = cmp.Or(could, fmt.Sprintf("its owner runs: pvesm set %s --content %s", id, strings.Join(append(list, content), ",")))
		}
	}
	return cmp.Or(have, could)
}

func splitContent(text string) []string {
	list := strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
	slices.Sort(list)
	return list
}

// room is a storage on a node with its free bytes, -1 = unknown.
type room struct {
	name string
	free int64
}

// storages are those of a node that are active for a content and have that much room, the most room first.
func (s *placing) storages(node, content, only string, need int64) []room {
	var out []room
	for _, id := range sortedNames(s.cv.usage) {
		st := decodeState[storageState](s.cv.usage[id].State)
		if st.Node != node || only != "" && st.Name != only || st.Status != "available" || !slices.Contains(splitContent(st.Content), content) {
			continue
		}
		r := room{st.Name, -1}
		if st.Total != nil && st.Used != nil {
			r.free = *st.Total - *st.Used
		}
		if need == 0 || r.free >= need {
			out = append(out, r)
		}
	}
	slices.SortStableFunc(out, func(a, b room) int { return cmp.Compare(b.free, a.free) })
	return out
}

func (s *placing) disks(context.Context) error {
	if s.q.Disks == "" {
		return nil
	}
	list := s.storages(s.p.Node, s.q.Disks, s.q.Storage, s.q.Room)
	s.p.Storage = list[0].name
	if s.q.Storage == "" && len(list) > 1 {
		s.why("storage %s: the most room (%s)", s.p.Storage, size(list[0].free))
	}
	return nil
}

// file looks whether the file is there already, else where it goes.
func (s *placing) file(ctx context.Context) error {
	if s.q.File == "" {
		return nil
	}
	s.p.FileName = s.q.Name
	if s.q.Template != "" {
		if err := s.template(ctx); err != nil {
			return err
		}
	}
	rooms := s.storages(s.p.Node, s.q.File, s.q.FileStorage, 0)
	s.p.FileStorage = rooms[0].name
	suffix := ":" + s.q.File + "/" + s.p.FileName
	for _, r := range rooms {
		rows, at, err := s.c.content(ctx, listing{node: s.p.Node, storage: r.name}, []string{s.p.Node}, s.q.File, true)
		if at.IsZero() {
			return err
		}
		if slices.ContainsFunc(rows, func(v pve.VolumeRow) bool { return string(v.VolID) == r.name+suffix }) {
			s.p.FileStorage, s.p.There = r.name, true
			break
		}
	}
	s.p.File = s.p.FileStorage + suffix
	return nil
}

func (s *placing) seed(context.Context) error {
	if !s.q.Seed {
		return nil
	}
	// A guest on disks of its node should not need a server to start, one on shared disks should stay movable.
	list := s.storages(s.p.Node, "iso", "", 0)
	s.p.ISO = list[0].name
	for _, r := range list {
		if s.shared(r.name) == s.shared(s.p.Storage) {
			s.p.ISO = r.name
			break
		}
	}
	return nil
}

func (s *placing) shared(name string) bool {
	return slices.ContainsFunc(s.cv.storages, func(st Storage) bool { return st.Name == name && st.Shared })
}

// vmid asks for a free number. One that the caller named is compared with what is there when the plan is applied.
func (s *placing) vmid(ctx context.Context) error {
	if s.q.Disks == "" {
		return nil
	}
	if s.p.VMID != 0 {
		if r := s.cv.byID[s.p.VMID]; r != nil {
			return fault.New(fault.Conflict, "vmid %d is taken: it is %s", s.p.VMID, r.label()).WithHint("without vmid the next free one is chosen")
		}
		return nil
	}
	src, err := s.c.source(ctx)
	if err != nil {
		return err
	}
	s.p.VMID, err = src.NextID(ctx)
	for slices.Contains(s.q.Taken, s.p.VMID) || s.cv.byID[s.p.VMID] != nil { // what else is taken shows when it is sent
		s.p.VMID++
	}
	return err
}

// odd notes what Proxmox VE allows and hardly anybody means: a name that another guest has, more memory than the node has.
func (s *placing) odd(context.Context) error {
	for _, r := range s.cv.rows {
		if s.q.Guest != "" && strings.EqualFold(r.g.Name, s.q.Guest) {
			s.p.Notes = append(s.p.Notes, fmt.Sprintf("%s has the name %s already: both then go by their vmid alone", r.label(), clean.Line(s.q.Guest, maxName)))
		}
	}
	for k := range s.cv.nodes {
		if n := &s.cv.nodes[k]; n.name == s.p.Node && n.st.MaxMem != nil && s.q.Memory > *n.st.MaxMem {
			s.p.Notes = append(s.p.Notes, fmt.Sprintf("it gets more memory than node %s has (%s): it may not start there", n.name, size(*n.st.MaxMem)))
		}
	}
	return nil
}

// bridge takes the bridge with the way out, or looks whether the named one is there: Proxmox VE itself finds that out when the guest starts
// (pve-api.md 44).
func (s *placing) bridge(ctx context.Context) error {
	if !s.q.Net {
		return nil
	}
	users := s.cv.netUsers()
	r := netRead{}
	r.read(ctx, s.c, &NetworkQuery{Node: s.p.Node})
	var bridges []NetInterface
	for _, n := range r.ifaces {
		if netRank(n.Type) == 0 && (n.Active == nil || *n.Active) {
			bridges = append(bridges, n)
		}
	}
	slices.SortStableFunc(bridges, func(a, b NetInterface) int {
		return cmp.Or(cmp.Compare(min(len(b.Gateway), 1), min(len(a.Gateway), 1)), cmp.Compare(len(users[netKey{b.Node, b.Name}]), len(users[netKey{a.Node, a.Name}])))
	})
	names := []string{}
	for _, b := range bridges {
		names = append(names, b.Name)
	}
	for _, v := range r.vnets {
		names = append(names, v.Name)
	}
	switch {
	case s.q.Bridge != "" && (len(names) == 0 || slices.Contains(names, s.q.Bridge)):
		s.p.Bridge = s.q.Bridge
	case s.q.Bridge != "":
		return fault.BadField("nics", fmt.Sprintf("node %s has no bridge %s; it has %s", s.p.Node, clean.Line(s.q.Bridge, maxName), shortList(names, 8)), names[0])
	case len(names) == 0:
		return fault.New(fault.Conflict, "the bridges of node %s cannot be read: %s", s.p.Node, warningTexts(r.gaps.warnings("networks"))).WithHint("name one: nics [\"bridge=vmbr0\"]")
	default:
		s.p.Bridge = names[0]
		if len(names) > 1 {
			s.why("bridge %s: %s", names[0], map[bool]string{true: "it has the way out", false: "the first"}[bridges != nil && bridges[0].Gateway != ""])
		}
	}
	return nil
}

func warningTexts(list []Warning) string {
	var out []string
	for _, w := range list {
		out = append(out, w.Text)
	}
	return shortList(out, 3)
}
