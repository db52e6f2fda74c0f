package change

import (
	"cmp"
	"fmt"
	"net/url"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/images"
)

// Fetch brings a file onto a storage: from an address (download-url), a container template of Proxmox's own list (aplinfo), or an image of a
// registry (oci-registry-pull). Where the file goes was chosen beforehand.
type Fetch struct {
	Cluster, Node, Storage string
	Content                string // import, iso, vztmpl
	Filename               string
	URL, Sum, Algo         string // Sum "" = none is known
	Listed                 bool   // a template of Proxmox's list, which has its checksum
	Reference              string // of an image in a registry: docker.io/library/nginx:1.29
	Why                    []string
}

// Name implements Direct.
func (f Fetch) Name() string { return "image.download" }

// Title implements Direct.
func (f Fetch) Title() string {
	return "download " + cleanLine(f.Filename) + " to " + f.Storage + " of " + f.Node + reasons(f.Why)
}

// Volume is what it makes.
func (f Fetch) Volume() string { return f.Storage + ":" + f.Content + "/" + f.Filename }

// Steps implements Direct.
func (f Fetch) Steps(*Found) ([]Step, error) {
	s, err := f.step()
	return []Step{s}, err
}

// step is R1: it adds a file, and its inverse removes just that.
func (f Fetch) step() (Step, error) {
	if f.Filename == "" || !plainName().MatchString(f.Node) || !storageName().MatchString(f.Storage) {
		return Step{}, fault.BadField("storage", "a node, a storage and a file are needed", "local")
	}
	s := Step{Action: f.Name(), Tier: Reversible, Target: VolumeTarget(f.Cluster, f.Node, f.Volume(), nil), Call: f.call(), Task: "download"}
	s.Diff = []Diff{{Field: "from", New: f.from()}}
	s.Undo = []Call{volumeCall(f.Node, f.Storage, f.Volume())}
	switch {
	case f.Reference != "":
		s.Task, s.TaskID = "ocipull", f.Filename
	case f.URL != "":
		s.TaskID = f.Filename // 13/035
		s.Diff = append(s.Diff, Diff{Field: "checksum", New: cmp.Or(f.sum(), "none is known; TLS proves the host, which is what is trusted")})
	}
	return s, nil
}

func (f Fetch) from() string {
	return cmp.Or(f.Reference, f.URL, "Proxmox's list of templates, which has its checksum")
}

func (f Fetch) sum() string {
	if f.Sum == "" {
		return ""
	}
	return f.Algo + ":" + f.Sum[:min(12, len(f.Sum))] + "..."
}

func (f Fetch) call() Call {
	base := "/nodes/" + f.Node
	switch {
	case f.Reference != "":
		return Call{Method: "POST", Path: base + "/storage/" + f.Storage + "/oci-registry-pull", Params: []Param{{"reference", f.Reference}, {"filename", f.Filename}}}
	case f.Listed:
		return Call{Method: "POST", Path: base + "/aplinfo", Params: []Param{{"storage", f.Storage}, {"template", f.Filename}}}
	}
	params := []Param{{"content", f.Content}, {"filename", f.Filename}, {"url", f.URL}}
	if f.Sum != "" {
		params = append(params, Param{"checksum-algorithm", f.Algo}, Param{"checksum", f.Sum})
	}
	return Call{Method: "POST", Path: base + "/storage/" + f.Storage + "/download-url", Params: params}
}

// volumeCall removes a volume (recordings 13).
func volumeCall(node, storage, volid string) Call {
	return Call{Method: "DELETE", Path: "/nodes/" + node + "/storage/" + storage + "/content/" + volid}
}

func reasons(why []string) string {
	if len(why) == 0 {
		return ""
	}
	return " (" + strings.Join(why, "; ") + ")"
}

// sourceOf is the address that a request makes a node fetch from, "" where it fetches none that a caller chose.
func sourceOf(c Call) string {
	for _, p := range c.Params {
		switch {
		case p.Key == "url":
			return p.Value
		case p.Key == "reference":
			return "https://" + p.Value
		}
	}
	return ""
}

// foreign says why a node may not fetch what a step wants it to: it would reach out to wherever an agent says, also into the owner's own
// network (security.md 2).
func (r *Rules) foreign(s *Step) string {
	from := sourceOf(s.Call)
	if from == "" || images.Allowed(from, r.ImageHosts) {
		return ""
	}
	host := "that address"
	if u, err := url.Parse(from); err == nil && u.Host != "" {
		host = u.Host
		if u.Scheme == "http" {
			host = "http://" + u.Host
		}
	}
	return fmt.Sprintf("nodes do not download from %s", cleanLine(host))
}
