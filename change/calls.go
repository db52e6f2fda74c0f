package change

import (
	"net/url"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/lazy"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// calls maps every write that this program can send to the lowest tier that it has and to the task that it starts; what is not listed
// is never sent (S02). A path segment in braces stands for one name.
var calls = []struct {
	method, path string
	tier         Tier
	qemu, lxc    string // task type by kind of guest, "" for a call that ends at once
}{
	{"POST", "/nodes/{node}/{type}/{vmid}/status/start", Reversible, "qmstart", "vzstart"},
	{"POST", "/nodes/{node}/{type}/{vmid}/status/resume", Reversible, "qmresume", "vzresume"},
	{"POST", "/nodes/{node}/{type}/{vmid}/status/suspend", Disruptive, "qmsuspend", "vzsuspend"},
	{"POST", "/nodes/{node}/{type}/{vmid}/status/shutdown", Disruptive, "qmshutdown", "vzshutdown"},
	{"POST", "/nodes/{node}/{type}/{vmid}/status/stop", Disruptive, "qmstop", "vzstop"},
	{"POST", "/nodes/{node}/{type}/{vmid}/status/reboot", Disruptive, "qmreboot", "vzreboot"},
	{"POST", "/nodes/{node}/{type}/{vmid}/status/reset", Disruptive, "qmreset", ""},
	{"PUT", "/nodes/{node}/{type}/{vmid}/config", Reversible, "", ""},
	{"POST", "/nodes/{node}/{type}/{vmid}/snapshot", Reversible, "qmsnapshot", "vzsnapshot"},
	{"DELETE", "/nodes/{node}/{type}/{vmid}/snapshot/{snapname}", Reversible, "qmdelsnapshot", "vzdelsnapshot"},
	{"POST", "/nodes/{node}/{type}/{vmid}/snapshot/{snapname}/rollback", Destructive, "qmrollback", "vzrollback"},
	{"DELETE", "/nodes/{node}/{type}/{vmid}", Destructive, "qmdestroy", "vzdestroy"},
	{"DELETE", "/nodes/{node}/tasks/{upid}", Disruptive, "", ""},
	{"PUT", "/pools", Reversible, "", ""},
}

// TierOfCall is the lowest tier of a write; false for one that this program does not send.
func TierOfCall(c Call) (Tier, bool) {
	for _, k := range calls {
		if k.method == c.Method && fits(k.path, c.Path) {
			return k.tier, true
		}
	}
	return Host, false
}

// taskOfCall is the type of the task that a write starts.
func taskOfCall(c Call, l *Live) string {
	for _, k := range calls {
		if k.method == c.Method && fits(k.path, c.Path) {
			if l.Type == pve.LXC {
				return k.lxc
			}
			return k.qemu
		}
	}
	return ""
}

func fits(pattern, path string) bool {
	p, s := strings.Split(pattern, "/"), strings.Split(path, "/")
	if len(p) != len(s) {
		return false
	}
	for k := range p {
		if p[k] != s[k] && !segment(p[k], s[k]) {
			return false
		}
	}
	return true
}

// segment says whether a name can stand for a placeholder. Kinds and numbers are exact, so that one call is never taken for another; names
// are what can be no other path after any number of decodings.
func segment(placeholder, s string) bool {
	switch placeholder {
	case "{type}":
		return s == string(pve.Qemu) || s == string(pve.LXC)
	case "{vmid}":
		return s != "" && strings.Trim(s, "0123456789") == ""
	case "{upid}":
		plain, err := url.PathUnescape(s) // the ! of a token's name is escaped (F52)
		if err == nil {
			_, err = pve.ParseUPID(plain)
		}
		return err == nil && url.PathEscape(plain) == s && !strings.ContainsAny(plain, "/\\;?#% \t\r\n\x00") && !strings.Contains(plain, "..")
	}
	return strings.HasPrefix(placeholder, "{") && plainName().MatchString(s)
}

// plainName is a node or a snapshot.
var plainName = lazy.Regexp(`^[A-Za-z0-9][A-Za-z0-9_-]*$`)
