package inventory

import (
	"encoding/json"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// unreadSettings is what of the settings was never read by the last reading; nil where there was none.
func unreadSettings(s probeState) store.SettingsUnread {
	if s.At.IsZero() {
		return nil
	}
	out := store.SettingsUnread{}
	// A state of another version that cannot be read counts as all read.
	_ = json.Unmarshal(s.Data, &out)
	return out
}

// unreadPart names a kind, or the part of it that belongs to a node or guest.
func unreadPart(kind store.Kind, part string) string {
	return strings.TrimSpace(string(kind) + " " + part)
}

// first says whether an object is seen for the first time because nobody looked before.
func (r *settingsRun) first(kind store.Kind, id string) bool {
	part, _, _ := strings.Cut(id, "/")
	_, whole := r.before[unreadPart(kind, "")]
	_, some := r.before[unreadPart(kind, part)]
	return r.before == nil || whole || some
}

// whyUnread is why a list was not read, "" where there is nothing to read: an older Proxmox VE does not have it.
func whyUnread(err error) string {
	switch fault.CodeOf(err) {
	case fault.Unsupported, fault.NotFound:
		return ""
	case fault.Forbidden:
		return "not visible to this token"
	}
	return store.NotReadYet
}

// silentNode is why what belongs to a node was not read.
func silentNode(name string) string { return "node " + name + " did not answer" }

func (r *settingsRun) never(kind store.Kind, part, why string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.neverLocked(kind, part, why)
}

// neverLocked notes what was not read now, unless it was before.
func (r *settingsRun) neverLocked(kind store.Kind, part, why string) {
	id := part
	if part == "" {
		id = theOnly
	}
	if why != "" && r.first(kind, id) {
		r.unread[unreadPart(kind, part)] = why
	}
}
