package resources

import (
	"net/url"
	"slices"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/docs"
	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/near"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// scheme begins every address.
const scheme = "pve://"

// maxAddress bounds an address: the longest of a file of code has some 300 characters.
const maxAddress = 1024

// kind is one kind of resource.
type kind struct {
	name     string // its word in the address
	variable string // of its template, "" where the address ends with the word
	value    tools.Completed
	title    string
	about    string
	mime     string
	priority float64
	ttl      int64  // milliseconds for which a reader may keep it
	tool     string // what is called; of a file what has to be offered
	argument string // of the tool that takes the variable's value
	watched  bool   // subscriptions are served
}

// The lives of answers: what is asked live moves every 10 s with Proxmox VE's own statistics; the rest is as fresh as a read of the store.
const (
	liveTTL = 10_000
	slowTTL = 60_000
	fileTTL = 3_600_000
)

const (
	plain    = "text/plain"
	markdown = "text/markdown"
	docsHost = "docs"
	codeKind = "code"
)

// kinds are the resources below a cluster, in the order in which they are listed.
func kinds() []kind {
	return []kind{
		{name: "overview", title: "Overview", about: "Nodes, guests, storages and the worst problems of a cluster.", mime: plain, priority: 1, ttl: liveTTL, tool: "get_overview", watched: true},
		{name: "health", title: "Health", about: "Problems of a cluster, worst first, with evidence.", mime: plain, priority: 0.9, ttl: slowTTL, tool: "check_health", watched: true},
		{name: "guests", variable: "vmid", value: tools.ByVMID, title: "Guest", about: "One VM or container, by vmid or name.", mime: plain, priority: 0.8, ttl: liveTTL, tool: "get_guest", argument: "guest", watched: true},
		{name: "nodes", variable: "node", value: tools.ByNode, title: "Node", about: "One node: load, disks, services, tasks.", mime: plain, priority: 0.6, ttl: liveTTL, tool: "get_node", argument: "node", watched: true},
		{name: "storage", variable: "id", value: tools.ByStorage, title: "Storage", about: "One storage: state and fill on its nodes.", mime: plain, priority: 0.6, ttl: liveTTL, tool: "list_storage", argument: "storage", watched: true},
		{name: "tasks", variable: "upid", value: tools.ByTask, title: "Task", about: "One task: state and the end of its log.", mime: plain, priority: 0.5, ttl: liveTTL, tool: "get_task", argument: "task", watched: true},
		{name: "operations", title: "Operations", about: "What was done, refused or approved through this server in the last 24 hours.", mime: plain, priority: 0.5, ttl: liveTTL, tool: "find_operations", watched: true},
		{name: codeKind, variable: "+path", value: tools.ByCode, title: "Code", about: "One generated file of the exported code, or what a folder of it holds.", mime: plain, priority: 0.3, ttl: slowTTL, tool: "describe_as_code"},
	}
}

func kindOf(name string) (kind, bool) {
	all := kinds()
	k := slices.IndexFunc(all, func(k kind) bool { return k.name == name })
	if k < 0 {
		return kind{}, false
	}
	return all[k], true
}

// template is the kind's address as a URI template.
func (k kind) template() string {
	if k.name == docsHost {
		return scheme + docsHost + "/{name}"
	}
	t := scheme + "{cluster}/" + k.name
	if k.variable != "" {
		t += "/{" + k.variable + "}"
	}
	return t
}

// address is a resource that a client named.
type address struct {
	cluster string // "" for a page
	kind    kind
	value   string // of the kind's variable; a page's name; "" for all code of a cluster
}

// String is the one spelling of the address: everything but letters, digits and -._~ is escaped, and slashes where a path is named.
func (a address) String() string {
	if a.cluster == "" {
		return scheme + docsHost + "/" + escape(a.value)
	}
	s := scheme + escape(a.cluster) + "/" + a.kind.name
	switch {
	case a.kind.variable == "" || a.value == "":
		return s
	case a.kind.name == codeKind:
		parts := strings.Split(a.value, "/")
		for k := range parts {
			parts[k] = escape(parts[k])
		}
		return s + "/" + strings.Join(parts, "/")
	}
	return s + "/" + escape(a.value)
}

// escape is strict where url.PathEscape is not: @ and : would end a host.
func escape(s string) string {
	return strings.ReplaceAll(url.QueryEscape(s), "+", "%20")
}

// parse reads an address. Escaped and plain spellings of the same name are the same address, and so is one with a slash at its end. Errors
// are fault.NotFound: what has no such form does not exist.
func parse(uri string) (address, error) {
	bad := func(why string) (address, error) {
		return address{}, fault.New(fault.NotFound, "%s; resources/templates/list names what there is", why)
	}
	rest, ok := strings.CutPrefix(uri, scheme)
	if page, _, _ := strings.Cut(rest, "#"); strings.HasPrefix(rest, docsHost+"/") {
		rest = page // as the pages link to each other
	}
	if !ok || len(uri) > maxAddress || strings.ContainsAny(rest, "?#") {
		return bad("an address begins with pve://, has at most 1,024 characters and no query")
	}
	parts := strings.Split(strings.TrimSuffix(rest, "/"), "/")
	for k := range parts {
		p, err := url.PathUnescape(parts[k])
		if err != nil || !decent(p) {
			return bad("a part of the address is empty, points elsewhere or holds what no name holds")
		}
		parts[k] = p
	}
	if len(parts) < 2 {
		return bad("there is nothing at this address")
	}
	k, ok := kindOf(parts[1])
	if parts[0] == docsHost && len(parts) == 2 {
		if page, err := pageAt(parts[1]); err == nil || !ok { // of a cluster with that name no page hides more than the top of its code
			return page, err
		}
	}
	switch {
	case !ok:
		return bad("there is no such kind of resource")
	case (k.variable == "" || k.name == codeKind) && len(parts) == 2:
		return address{cluster: parts[0], kind: k}, nil
	case k.variable != "" && (len(parts) == 3 || len(parts) > 3 && k.name == codeKind):
		return address{cluster: parts[0], kind: k, value: strings.Join(parts[2:], "/")}, nil
	}
	return bad("the address has too few or too many parts")
}

// pageAt is a page of the documentation, by its name or the file's.
func pageAt(name string) (address, error) {
	var names []string
	for _, p := range docs.Pages() {
		if p.Name == strings.TrimSuffix(name, ".md") {
			return address{value: p.Name, kind: kind{mime: markdown, ttl: fileTTL}}, nil
		}
		names = append(names, p.Name)
	}
	e := fault.New(fault.NotFound, "there is no page of this name; the pages are %s", strings.Join(names, ", "))
	if n := near.Word(name, names); n != "" {
		e.WithHint("did you mean %s%s/%s?", scheme, docsHost, n)
	}
	return address{}, e
}

// decent refuses what is no name: nothing, steps to other folders, separators, and characters that a reader does not see.
func decent(part string) bool {
	return part != "" && part != "." && part != ".." && !strings.ContainsAny(part, `/\`) && clean.Line(part, maxAddress) == part
}
