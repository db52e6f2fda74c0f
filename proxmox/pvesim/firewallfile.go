package pvesim

import (
	"crypto/sha1" //nolint:gosec // PVE's digest is SHA-1
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// newFirewall is that of a guest that nobody gave one: there is no file.
func newFirewall() *Firewall { return &Firewall{Options: Object{}} }

// firewallOf gives the firewall of a guest, also of one that is not there: its file may be all the same, as requests make
// one for any vmid (14/103). It is a new one where there is none.
func (w *World) firewallOf(vmid int) *Firewall {
	if g := w.Guest(vmid); g != nil && g.Firewall != nil {
		return g.Firewall
	}
	if f := w.strays[vmid]; f != nil {
		return f
	}
	return newFirewall()
}

// copied is a firewall for another guest. Nobody changes a list or an object of one in place.
func (f *Firewall) copied() *Firewall {
	c := *f
	return &c
}

// empty is whether a firewall has no file: one without content is removed.
func (f *Firewall) empty() bool {
	return len(without(f.Options, "digest")) == 0 && len(f.Rules)+len(f.Aliases)+len(f.Sets)+len(f.Groups) == 0
}

// computed are the keys that answers add to what is stored.
var computed = []string{"digest", "pos", "ipversion", "errors"}

// listDigest is the digest of a list as the firewall's methods compute it: over its entries' keys in order, without those
// that are no scalars. Each list of a file has its own (14/003, 14/045, 14/056).
func listDigest(list []Object) string {
	h := sha1.New() //nolint:gosec // see above
	for _, o := range list {
		for _, key := range slices.Sorted(maps.Keys(o)) {
			if _, nested := o[key].(Object); nested || o[key] == nil {
				continue
			}
			fmt.Fprintf(h, "%s:%s\n", key, text(o[key]))
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

// stamped are copies of a list's entries with its digest.
func stamped(list []Object) []Object {
	digest, out := listDigest(list), []Object{}
	for _, o := range list {
		o = clone(o)
		o["digest"] = digest
		out = append(out, o)
	}
	return out
}

// perlTrue is what Perl takes for true.
func perlTrue(s string) bool { return s != "" && s != "0" }

// oneLine is a comment as the file keeps it, which is behind a # to the end of its line.
func oneLine(comment string) string {
	first, _, _ := strings.Cut(comment, "\n")
	if first = strings.TrimSpace(first); perlTrue(first) {
		return first
	}
	return ""
}

// setComment stores a comment, or takes it away when nothing of it is left.
func setComment(o Object, comment string) {
	delete(o, "comment")
	if comment = oneLine(comment); comment != "" {
		o["comment"] = comment
	}
}

// withEntry gives a list with o in place of the entry that fits, or at its end; without the entry when o is nil.
func withEntry(list []Object, o Object, fits func(Object) bool) []Object {
	out := make([]Object, 0, len(list)+1)
	for _, e := range list {
		switch {
		case !fits(e):
			out = append(out, e)
		case o != nil:
			out = append(out, o)
			o = nil
		}
	}
	if o != nil {
		out = append(out, o)
	}
	return out
}

func isNamed(key, name string) func(Object) bool {
	return func(o Object) bool { return o[key] == name }
}

// sortedBy gives a list in the order of a key, as files are written.
func sortedBy(list []Object, key string) []Object {
	return slices.SortedFunc(slices.Values(list), func(a, b Object) int { return strings.Compare(text(a[key]), text(b[key])) })
}

// file is the firewall as its file has it, empty when there is none: what backups hold.
func (f *Firewall) file() string {
	var b strings.Builder
	section := func(head string, lines []string) {
		b.WriteString(head + "\n\n" + strings.Join(append(lines, ""), "\n") + "\n")
	}
	if options := without(f.Options, "digest"); len(options) > 0 {
		var lines []string
		for _, key := range slices.Sorted(maps.Keys(options)) {
			lines = append(lines, key+": "+text(options[key]))
		}
		section("[OPTIONS]", lines)
	}
	if len(f.Aliases) > 0 {
		var lines []string
		for _, a := range f.Aliases {
			lines = append(lines, text(a["name"])+" "+text(a["cidr"])+remark(a))
		}
		section("[ALIASES]", lines)
	}
	for _, s := range f.Sets {
		var lines []string
		for _, m := range inner(s, "members") {
			lines = append(lines, strings.Repeat("!", bit(truth(m["nomatch"])))+text(m["cidr"])+remark(m))
		}
		section("[IPSET "+text(s["name"])+"]"+remark(s), lines)
	}
	if len(f.Rules) > 0 {
		section("[RULES]", ruleLines(f.Rules))
	}
	return b.String()
}

func remark(o Object) string {
	if comment := text(o["comment"]); comment != "" {
		return " # " + comment
	}
	return ""
}

func ruleLines(rules []Object) []string {
	var lines []string
	for _, r := range rules {
		action := text(r["action"])
		if macro := text(r["macro"]); macro != "" {
			action = macro + "(" + action + ")"
		}
		words := []string{strings.Repeat("|", bit(!truth(r["enable"]))) + strings.ToUpper(text(r["type"])), action}
		for _, key := range ruleMatches {
			if v := text(r[key]); v != "" {
				words = append(words, "-"+shortFlag(key), v)
			}
		}
		lines = append(lines, strings.Join(words, " ")+remark(r))
	}
	return lines
}

// shortFlag is what stands for a rule's key in the file.
func shortFlag(key string) string {
	if key == "iface" || key == "proto" {
		return key[:1]
	}
	return key
}
