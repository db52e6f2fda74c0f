package tools

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/inventory"
)

type agentIn struct {
	Guest   string `json:"guest" req:"true" rule:"must be a vmid or a name" example:"104" help:"vmid or name"`
	What    string `json:"what" enum:"all,os,addresses,filesystems,users" help:"default all"`
	Cluster string `json:"cluster" multi:"true" desc:"configured name"`
	Format  string `json:"format" enum:"text,json"`
}

func (in *agentIn) wantsJSON() bool { return in.Format == "json" }

type agentOut struct {
	Envelope
	VMID        int                  `json:"vmid"`
	Name        string               `json:"name"`
	Type        string               `json:"type"`
	Node        string               `json:"node"`
	OS          *agentOSOut          `json:"os,omitempty"`
	Interfaces  []agentInterfaceOut  `json:"interfaces,omitempty"`
	Filesystems []agentFilesystemOut `json:"filesystems,omitempty"`
	Users       []agentUserOut       `json:"users,omitempty"`
	src         *inventory.AgentInfo
}

type agentOSOut struct {
	Name     string `json:"name,omitempty"`
	Version  string `json:"version,omitempty"`
	Kernel   string `json:"kernel,omitempty"`
	Machine  string `json:"machine,omitempty"`
	HostName string `json:"host_name,omitempty"`
}

type agentInterfaceOut struct {
	Name      string   `json:"name"`
	MAC       string   `json:"mac,omitempty"`
	Addresses []string `json:"addresses"`
}

type agentFilesystemOut struct {
	Mount  string `json:"mount"`
	Type   string `json:"type,omitempty"`
	Device string `json:"device,omitempty"`
	Used   *int64 `json:"used_bytes,omitempty"`
	Total  *int64 `json:"total_bytes,omitempty"`
}

type agentUserOut struct {
	Name   string `json:"name"`
	Domain string `json:"domain,omitempty"`
	Since  string `json:"since,omitempty"`
}

// agentShown is how many rows of each list the text has; format json has up to 100.
const agentShown = 20

func getAgentInfo() Spec {
	return define(Spec{
		Name: "get_agent_info", Title: "Inside", Family: "guest", Command: "guest inside", Args: []string{"guest", "what"},
		Needs:   []Need{needAgent.above(), needGuests.above()},
		Summary: "What a running guest's agent tells, live: OS, addresses, file systems' fill, logged-in users.",
		Examples: []Example{
			{CLI: "guest inside 200", Args: map[string]any{"guest": "200"}, Why: "all that its agent tells"},
			{CLI: "guest inside 200 filesystems", Args: map[string]any{"guest": "200", "what": "filesystems"}, Why: "how full its file systems are"},
		},
	}, func(ctx context.Context, d Deps, in *agentIn) (*agentOut, error) {
		what := in.What
		if what == "all" {
			what = ""
		}
		a, err := d.Inventory.AgentInfo(ctx, inventory.AgentQuery{Guest: strings.TrimSpace(in.Guest), Cluster: in.Cluster, What: what})
		if err != nil {
			return nil, err
		}
		return agentOf(d, &a), nil
	})
}

func agentOf(d Deps, a *inventory.AgentInfo) *agentOut {
	out := &agentOut{Envelope: envelope(d, a.Meta), VMID: a.VMID, Name: a.Name, Type: a.Type.Short(), Node: a.Node, src: a}
	if a.OS != nil {
		o := agentOSOut(*a.OS)
		out.OS = &o
	}
	for _, n := range a.Interfaces {
		out.Interfaces = append(out.Interfaces, agentInterfaceOut(n))
	}
	for _, f := range a.Filesystems {
		out.Filesystems = append(out.Filesystems, agentFilesystemOut(f))
	}
	for _, u := range a.Users {
		one := agentUserOut{Name: u.Name, Domain: u.Domain}
		if !u.Since.IsZero() {
			one.Since = stamp(d, u.Since)
		}
		out.Users = append(out.Users, one)
	}
	return out
}

// View implements Answer.
func (o *agentOut) View(Deps) View {
	v := View{Warnings: o.Warnings}
	told := "its agent"
	if o.Type == "ct" {
		told = "its node"
	}
	v.Line("%s, as %s tells, as of %s", strings.TrimSpace(fmt.Sprintf("%s %d %s on %s", o.Type, o.VMID, o.Name, o.Node)), told, o.AsOf)
	if o.OS != nil {
		v.Line("os: %s", strings.Join(nonempty(o.OS.Name, "kernel "+o.OS.Kernel, o.OS.Machine, "host name "+o.OS.HostName), ", "))
	}
	o.rows(&v, "addresses", []string{"interface", "mac", "addresses"}, o.src.Interfaces != nil, len(o.Interfaces), func(k int) []string {
		n := &o.Interfaces[k]
		return []string{n.Name, n.MAC, strings.Join(n.Addresses, " ")}
	})
	o.rows(&v, "filesystems", []string{"mount", "type", "used", "device"}, o.src.Filesystems != nil, len(o.Filesystems), func(k int) []string {
		f := &o.Filesystems[k]
		return []string{f.Mount, f.Type, usage(f.Used, f.Total), f.Device}
	})
	o.rows(&v, "users", []string{"user", "since", "domain"}, o.src.Users != nil, len(o.Users), func(k int) []string {
		return []string{o.Users[k].Name, o.Users[k].Since, o.Users[k].Domain}
	})
	return v
}

func (o *agentOut) rows(v *View, name string, columns []string, asked bool, n int, row func(k int) []string) {
	if asked && n == 0 {
		v.Line("%s: none", name)
	}
	t := Table{Name: name, Columns: columns}
	for k := range min(n, agentShown) {
		t.Rows = append(t.Rows, row(k))
	}
	v.Table(t)
	if n > agentShown {
		v.Line("%s more %s: format json has up to 100", strconv.Itoa(n-agentShown), name)
	}
}

// nonempty are the texts that say something: one that ends in a blank is a label without its value.
func nonempty(texts ...string) []string {
	var out []string
	for _, s := range texts {
		if s != "" && !strings.HasSuffix(s, " ") {
			out = append(out, s)
		}
	}
	return out
}
