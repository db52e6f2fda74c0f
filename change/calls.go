package change

import (
	"net/url"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/lazy"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox"
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
	// Backups, and volumes of any kind: removing what the plan itself made is the inverse of making it.
	{"POST", "/nodes/{node}/vzdump", Reversible, "vzdump", "vzdump"},
	{"POST", "/cluster/backup", Disruptive, "", ""},
	{"PUT", "/cluster/backup/{id}", Disruptive, "", ""},
	{"DELETE", "/cluster/backup/{id}", Disruptive, "", ""},
	{"POST", "/nodes/{node}/{type}", Reversible, "qmcreate", "vzcreate"},
	{"DELETE", "/nodes/{node}/storage/{storage}/content/{volume}", Reversible, "imgdel", "imgdel"},
	// Clones, templates and disks. A grown disk of a guest that the plan itself made is Reversible.
	{"POST", "/nodes/{node}/{type}/{vmid}/clone", Reversible, "qmclone", "vzclone"},
	{"PUT", "/nodes/{node}/{type}/{vmid}/resize", Reversible, "resize", "resize"},
	{"POST", "/nodes/{node}/qemu/{vmid}/move_disk", Disruptive, "qmmove", ""},
	{"POST", "/nodes/{node}/lxc/{vmid}/move_volume", Disruptive, "", "move_volume"},
	{"POST", "/nodes/{node}/{type}/{vmid}/migrate", Disruptive, "qmigrate", "vzmigrate"},
	{"POST", "/nodes/{node}/{type}/{vmid}/template", Disruptive, "qmtemplate", ""},
	{"POST", "/nodes/{node}/wakeonlan", Host, "", ""},
	{"POST", "/nodes/{node}/qemu/{vmid}/agent/exec", Disruptive, "", ""},
	{"POST", "/pools", Reversible, "", ""},
	{"DELETE", "/pools", Reversible, "", ""},

	// What guests are made of.
	{"POST", "/nodes/{node}/storage/{storage}/download-url", Reversible, "download", "download"},
	{"POST", "/nodes/{node}/storage/{storage}/oci-registry-pull", Reversible, "ocipull", "ocipull"},
	{"POST", "/nodes/{node}/aplinfo", Reversible, "download", "download"},
	{"POST", "/nodes/{node}/storage/{storage}/upload", Reversible, "imgcopy", "imgcopy"},
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
	if head, ok := strings.CutSuffix(pattern, "{volume}"); ok { // a volume id may hold slashes, which stay as they are (pve-api.md 45)
		return isVolume(head, path)
	}
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
	case "{storage}":
		return storageName().MatchString(s) && !strings.Contains(s, "..")
	case "{upid}":
		plain, err := url.PathUnescape(s) // the ! of a token's name is escaped (F52)
		if err == nil {
			_, err = pve.ParseUPID(plain)
		}
		return err == nil && url.PathEscape(plain) == s && !strings.ContainsAny(plain, "/\\;?#% \t\r\n\x00") && !strings.Contains(plain, "..")
	}
	return strings.HasPrefix(placeholder, "{") && plainName().MatchString(s)
}

// isVolume says whether a path is a volume below the content of the storage that the volume id itself names.
func isVolume(head, path string) bool {
	k := strings.Index(path, "/content/")
	if k < 0 || !fits(strings.TrimSuffix(head, "/"), path[:k+len("/content")]) {
		return false
	}
	plain, err := url.PathUnescape(path[k+len("/content/"):])
	if err != nil {
		return false
	}
	v, ok := pve.ParseVolume(plain)
	if !ok {
		return false
	}
	again, err := proxmox.Path("nodes", "n", "storage", "s", "content", v)
	return err == nil && strings.HasSuffix(again, path[k:]) && strings.HasSuffix(path[:k], "/storage/"+v.Storage)
}

// storageName is the id of a storage, which may hold dots (schema: pve-storage-id).
var storageName = lazy.Regexp(`^[A-Za-z][A-Za-z0-9._-]*[A-Za-z0-9]$`)

// plainName is a node or a snapshot.
var plainName = lazy.Regexp(`^[A-Za-z0-9][A-Za-z0-9_-]*$`)
