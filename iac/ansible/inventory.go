package ansible

import (
	"maps"
	"slices"
	"strconv"

	"github.com/proxmox-mcp/proxmox-mcp/iac"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

const generated = "Written by proxmox-mcp; regeneration keeps your edits."

// files are all files of the project, below ansible/.
func files(w *iac.World, hosts []host) []iac.File {
	out := []iac.File{
		{Path: "ansible/inventory/hosts.yml", Data: inventory(hosts)},
		{Path: "ansible/inventory/group_vars/all/main.yml", Data: all(w)},
		{Path: "ansible/inventory/dynamic.proxmox.yml", Data: []byte(dynamic)},
	}
	for i := range hosts {
		out = append(out, iac.File{Path: "ansible/inventory/host_vars/" + hosts[i].name + ".yml", Data: hostVars(&hosts[i])})
	}
	for path, text := range fixed {
		out = append(out, iac.File{Path: "ansible/" + path, Data: []byte(text)})
	}
	if w.Options.With[GuestsPlaybook] {
		out = append(out, iac.File{Path: "ansible/playbooks/guests.yml", Data: []byte(guestsPlaybook)})
	}
	return out
}

// inventory is the list of hosts, and the groups of each as children of all.
func inventory(hosts []host) []byte {
	groups := map[string][]string{}
	for _, h := range hosts {
		for _, g := range h.groups {
			groups[g] = append(groups[g], h.name)
		}
	}
	y := iac.NewYAML(generated)
	y.In("all:", func() {
		if len(hosts) == 0 {
			y.Line("hosts: {}")
			return
		}
		y.In("hosts:", func() {
			for i := range hosts {
				hostLine(y, &hosts[i])
			}
		})
		y.In("children:", func() {
			for _, g := range slices.Sorted(maps.Keys(groups)) {
				y.In(g+":", func() {
					y.In("hosts:", func() {
						for _, h := range slices.Sorted(slices.Values(groups[g])) {
							y.Line("%s:", h)
						}
					})
				})
			}
		})
	})
	return y.Bytes()
}

func hostLine(y *iac.YAML, h *host) {
	if h.ip == "" {
		y.Line("%s:", h.name)
		return
	}
	y.In(h.name+":", func() { y.Line("ansible_host: %s", iac.Quoted(h.ip)) })
}

func all(w *iac.World) []byte {
	y := iac.NewYAML(generated, "Where Proxmox VE is and who asks comes from the environment, as for the Terraform provider.")
	y.Line("pve_cluster: %s", unsafe(w.Cluster))
	y.Line(`pve_endpoint: "{{ lookup('ansible.builtin.env', 'PROXMOX_VE_ENDPOINT') | regex_replace('/+$', '') }}"`)
	y.Line(`pve_validate_certs: "{{ lookup('ansible.builtin.env', 'PROXMOX_VE_INSECURE') | lower not in ['1', 'true', 'yes'] }}"`)
	return y.Bytes()
}

// hostVars is what is declared of one host.
func hostVars(h *host) []byte {
	y := iac.NewYAML(generated)
	y.Line("pve_node: %s", unsafe(h.node))
	g := h.guest
	if g == nil {
		return y.Bytes()
	}
	y.Line("pve_vmid: %d", g.VMID)
	y.Line("pve_type: %s", g.Type)
	y.Line("pve_name: %s", unsafe(g.Name))
	y.Line("pve_status: %s", iac.Quoted(g.Status))
	y.Line("pve_template: %t", g.Template)
	sizes(y, g)
	if h.ip != "" {
		y.Line("pve_address_from: %s", iac.Quoted(h.from))
	}
	list(y, "pve_tags", g.Tags)
	if g.Unread != "" {
		y.Line("pve_unread: %s", iac.Quoted(g.Unread))
		return y.Bytes()
	}
	masked := g.Masked()
	list(y, "pve_unchecked", masked)
	y.In("pve_config:", func() {
		for _, k := range g.Config.Keys() {
			if !slices.Contains(masked, k) {
				y.Line("%s: %s", k, unsafe(g.Config.Str(k)))
			}
		}
	})
	return y.Bytes()
}

// sizes are the two figures that playbooks ask for most; absent where the configuration does not name them.
func sizes(y *iac.YAML, g *iac.Guest) {
	if n, err := strconv.Atoi(g.Config.Str("cores")); err == nil {
		y.Line("pve_cores: %d", n)
	}
	key := "memory"
	if props, err := pve.ParseProperties(g.Config.Str(key)); err == nil && len(props) > 0 {
		if n, err := strconv.Atoi(props[0].Value); err == nil {
			y.Line("pve_memory_mb: %d", n)
		}
	}
}

func list(y *iac.YAML, name string, values []string) {
	if len(values) == 0 {
		y.Line("%s: []", name)
		return
	}
	y.In(name+":", func() {
		for _, v := range values {
			y.Line("- %s", unsafe(v))
		}
	})
}

// unsafe marks text that Ansible must never template: {{ in the name of a guest stays two braces.
func unsafe(text string) string { return "!unsafe " + iac.Quoted(text) }
