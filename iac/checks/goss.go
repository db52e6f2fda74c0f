package checks

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/iac"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// shownKeys are the keys of a guest that goss checks: numbers and plain words that it compares well. The others are spec.json's.
var shownKeys = []string{"cores", "sockets", "memory", "swap", "onboot", "ostype", "cpu", "machine", "bios", "arch", "unprivileged"}

// goss writes checks that goss runs against the API of Proxmox VE, by GET alone; n counts them. Address and token come from the environment.
func goss(w *iac.World) (data []byte, n int) {
	y := iac.NewYAML("Written by proxmox-mcp. Run it with: goss -g tests/goss.yaml validate",
		"Needs PROXMOX_VE_ENDPOINT (without a slash at its end) and PROXMOX_VE_API_TOKEN in the environment; reads only.")
	if nodes := w.Of(store.KindNode); len(nodes) > 0 {
		y.In("addr:", func() {
			for i := range nodes {
				if ip := nodes[i].Config().Str("ip"); ip != "" {
					n++
					y.In(iac.Quoted("tcp://"+bracketed(ip)+":8006")+":", func() {
						y.Line("title: %s", text("node "+nodes[i].ID+" answers"))
						y.Line("reachable: true")
						y.Line("timeout: 5000")
					})
				}
			}
			if n == 0 {
				y.Line("{}")
			}
		})
	}
	guests := readable(w)
	if len(guests) == 0 {
		return y.Bytes(), n
	}
	y.In("http:", func() {
		for _, g := range guests {
			n += 2
			httpCheck(y, g, "config", "is configured as declared", configChecks(g))
			httpCheck(y, g, "status/current", "does what is declared", []string{"data.status: " + text(running(g.Status))})
		}
	})
	return y.Bytes(), n
}

func bracketed(ip string) string {
	if strings.Contains(ip, ":") {
		return "[" + ip + "]"
	}
	return ip
}

// readable are the guests whose declared state is known.
func readable(w *iac.World) []*iac.Guest {
	var out []*iac.Guest
	for _, g := range w.Selected() {
		if g.Unread == "" && g.Status != "unknown" {
			out = append(out, g)
		}
	}
	return out
}

// running is the status as status/current gives it: a paused VM reports running (pve-api.md 48).
func running(status string) string {
	if status == "stopped" {
		return status
	}
	return "running"
}

func httpCheck(y *iac.YAML, g *iac.Guest, path, title string, checks []string) {
	y.In(fmt.Sprintf(`"{{.Env.PROXMOX_VE_ENDPOINT}}/api2/json/nodes/%s/%s/%d/%s":`, g.Node, g.Type, g.VMID, path), func() {
		y.Line("title: %s", text(fmt.Sprintf("%s %d %s %s", g.Type.Short(), g.VMID, g.Name, title)))
		y.Line("status: 200")
		y.Line(`allow-insecure: {{getEnv "PROXMOX_VE_INSECURE" "false"}}`)
		y.Line("timeout: 30000")
		y.In("request-headers:", func() { y.Line(`- "Authorization: PVEAPIToken={{.Env.PROXMOX_VE_API_TOKEN}}"`) })
		if len(checks) == 0 {
			return
		}
		y.In("body:", func() {
			y.In("gjson:", func() {
				for _, c := range checks {
					y.Line("%s", c)
				}
			})
		})
	})
}

func configChecks(g *iac.Guest) []string {
	var out []string
	for _, k := range shownKeys {
		if !g.Config.Has(k) {
			continue
		}
		if n, ok := g.Config[k].(json.Number); ok {
			out = append(out, fmt.Sprintf("data.%s: %s", k, n))
		} else {
			out = append(out, fmt.Sprintf("data.%s: %s", k, text(g.Config.Str(k))))
		}
	}
	return out
}

// text is a scalar that goss's own templates leave alone: they run over the whole file before it is read as YAML.
func text(s string) string {
	return strings.ReplaceAll(iac.Quoted(s), "{{", `{{"{{"}}`)
}
