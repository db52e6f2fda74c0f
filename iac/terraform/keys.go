package terraform

import (
	"slices"
	"strconv"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/iac"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/internal/redact"
)

// keys are the keys of one object's configuration on their way into a block. What was taken is noted, so that what was not is reported:
// nothing is lost silently.
type keys struct {
	conf   pve.Config
	body   *Body
	ignore []Ignored
	taken  map[string]string // key -> where it stands in the code
	how    map[string]iac.KeyCoverage
	parts  []*parts
	prefix string // the block that is being written, with a dot behind it
}

func newKeys(conf pve.Config, body *Body) *keys {
	return &keys{conf: conf, body: body, taken: make(map[string]string, len(conf)), how: map[string]iac.KeyCoverage{}}
}

// has says whether a key is present.
func (k *keys) has(key string) bool { return k.conf.Has(key) }

// take notes that a key stands at a place in the code and gives its value.
func (k *keys) take(key, as string) string {
	if k.conf.Has(key) {
		k.taken[key] = as
	}
	return k.conf.Str(key)
}

// tell notes what became of a key that no attribute holds as it is.
func (k *keys) tell(key string, how iac.How, as, why string) {
	if k.conf.Has(key) {
		k.how[key] = iac.KeyCoverage{Key: key, As: as, How: how, Why: why}
	}
}

// skip makes Terraform not compare a path.
func (k *keys) skip(path Ref, why string) { k.ignore = append(k.ignore, Ignored{path, why}) }

// text writes a key that is set and not blank as a string. A value of which a secret is masked is not written, as an apply would set the mask.
func (k *keys) text(b *Body, key, attr string, ignore Ref) {
	v := k.conf.Str(key)
	switch {
	case strings.TrimSpace(v) == "":
		k.tell(key, iac.Default, attr, "empty")
	case strings.Contains(v, redact.Mask):
		k.skip(ignore, "holds a secret, which is not known here")
		k.tell(key, iac.Ignored, attr, "holds a secret, which is masked in the store")
	default:
		b.Set(attr, k.take(key, k.prefix+attr))
	}
}

// notes writes a description. The provider trims what it compares with: one that is not so in Proxmox VE is left out, as no other form of it is
// without a change.
func (k *keys) notes(end string) {
	v := k.conf.Str("description")
	if v != "" && v != strings.ReplaceAll(strings.TrimSpace(v), "\r\n", "\n")+end {
		k.skip("description", "has blanks around it or line ends that the provider takes away")
		k.tell("description", iac.Ignored, "description", "has blanks around it or line ends that the provider takes away")
		return
	}
	k.text(k.body, "description", "description", "description")
}

// number writes a key that is set as a number; one that is none is left out and reported.
func (k *keys) number(b *Body, key, attr string) {
	if n, ok := k.conf.Int(key); ok {
		k.take(key, k.prefix+attr)
		b.Set(attr, n)
	}
}

// flag writes a key only when it differs from the value that its absence means for the provider.
func (k *keys) flag(b *Body, key, attr string, standard bool) {
	switch v := k.conf.Bool(key); {
	case !k.conf.Has(key):
	case v == standard:
		k.tell(key, iac.Default, k.prefix+attr, "as its absence")
	default:
		k.take(key, k.prefix+attr)
		b.Set(attr, v)
	}
}

// list writes a key that is set as a list, split at any of the characters; empty parts are dropped.
func (k *keys) list(b *Body, key, attr, separators string) {
	if parts := split(k.conf.Str(key), separators); len(parts) > 0 {
		k.take(key, k.prefix+attr)
		b.Set(attr, parts)
	}
}

func split(s, separators string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(separators, r) })
}

// lifecycle writes the block that protects the object and lists what is not compared.
func (k *keys) lifecycle(protect bool) {
	if !protect && len(k.ignore) == 0 {
		return
	}
	b := k.body.Block("lifecycle")
	if protect {
		b.Set("prevent_destroy", true)
	}
	if len(k.ignore) > 0 {
		b.Set("ignore_changes", k.ignore)
	}
}

// coverage tells what became of each key, in their order. internal are keys of Proxmox VE's own bookkeeping, why the reasons for keys that
// no attribute holds.
func (k *keys) coverage(internal func(key string) bool, why func(key string) string) []iac.KeyCoverage {
	out := make([]iac.KeyCoverage, 0, len(k.conf))
	for _, key := range k.conf.Keys() {
		if key == "digest" {
			continue
		}
		as, taken := k.taken[key]
		told, ok := k.how[key]
		switch {
		case ok:
			out = append(out, told)
		case taken:
			out = append(out, k.keptOrIgnored(key, as))
		case internal(key):
			out = append(out, iac.KeyCoverage{Key: key, How: iac.Internal, Why: "bookkeeping of Proxmox VE"})
		default:
			out = append(out, iac.KeyCoverage{Key: key, How: iac.Unrepresented, Why: why(key)})
		}
		for _, p := range k.parts {
			if p.key == key && taken && !ok {
				out = append(out, p.left(why)...)
			}
		}
	}
	return out
}

// keptOrIgnored is the line of a key that was written.
func (k *keys) keptOrIgnored(key, as string) iac.KeyCoverage {
	for _, i := range k.ignore {
		if within(as, string(i.Path)) {
			return iac.KeyCoverage{Key: key, As: as, How: iac.Ignored, Why: i.Why}
		}
	}
	return iac.KeyCoverage{Key: key, As: as, How: iac.Kept}
}

// within says whether a place lies in an ignored path. Blocks of which there is one stand without a number in places.
func within(as, path string) bool {
	rest, ok := strings.CutPrefix(strings.ReplaceAll(as, "[0]", ""), strings.ReplaceAll(path, "[0]", ""))
	return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
}

// parts are the parts of a property string on their way into a block.
type parts struct {
	iac.Props
	k     *keys
	key   string
	taken map[string]bool
}

// props takes a key's property string apart; as is the block that it becomes.
func (k *keys) props(key, as string) *parts {
	p := &parts{Props: iac.ParseProps(key, k.take(key, as)), k: k, key: key, taken: map[string]bool{}}
	k.parts = append(k.parts, p)
	return p
}

// str takes a part.
func (p *parts) str(name string) string { v, _ := p.get(name); return v }

func (p *parts) get(name string) (string, bool) { p.taken[name] = true; return p.Get(name) }

// text writes a part that is set.
func (p *parts) text(b *Body, name, attr string) {
	if v, ok := p.get(name); ok && v != "" {
		b.Set(attr, v)
	}
}

// number writes a part that is set to a number.
func (p *parts) number(b *Body, name, attr string) {
	v, _ := p.get(name)
	if n, err := strconv.ParseInt(v, 10, 64); err == nil {
		b.Set(attr, n)
	}
}

// flag writes a part that differs from the value that its absence means.
func (p *parts) flag(b *Body, name, attr string, standard bool) {
	if _, ok := p.get(name); ok && p.Bool(name) != standard {
		b.Set(attr, !standard)
	}
}

// list writes a part that is set as a list.
func (p *parts) list(b *Body, name, attr, separators string) {
	v, _ := p.get(name)
	if list := split(v, separators); len(list) > 0 {
		b.Set(attr, list)
	}
}

// left are the parts that were not taken.
func (p *parts) left(why func(key string) string) []iac.KeyCoverage {
	var out []iac.KeyCoverage
	for _, e := range p.Parts() {
		if !p.taken[e.Key] && !slices.ContainsFunc(out, func(c iac.KeyCoverage) bool { return c.Key == p.key+"."+e.Key }) {
			out = append(out, iac.KeyCoverage{Key: p.key + "." + e.Key, How: iac.Unrepresented, Why: why(p.key + "." + e.Key)})
		}
	}
	return out
}
