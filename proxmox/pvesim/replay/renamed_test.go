package replay

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// renaming gives everything in a scenario that has a name another one: what the simulator knows about the recorded
// world by name, it does not know any more.
type renaming struct {
	texts []textRule
	names map[string]string // whole values of the keys in nameKeys
	shift int               // of vmids
	done  sync.Map          // what each text under each key became: most stand in the recordings many times
}

type textRule struct {
	find *regexp.Regexp
	put  string
}

var (
	// nameKeys are those whose value is a name of something and nothing else.
	nameKeys = strings.Fields("name hostname vmname data parent snapname snapshot storage id poolid pool groupid groups ugid guest " +
		"target target-storage source roleid roles role realm userfilter tokenid")
	// idKeys are those whose value is a vmid, or a list of them.
	idKeys = strings.Fields("vmid newid target-vmid vms exclude id data")
	// idTexts are where vmids stand in other texts, as their second group.
	idTexts = []*regexp.Regexp{
		regexp.MustCompile(`((?:VM|CT|vmid|guest|backup job: vzdump|cloned guests?|lxc monitor of|template|with ID|-n|id:)\s?'?)(\d{3,5})\b`),
		regexp.MustCompile(`((?:^|/)(?:qemu|lxc|vms|qemu-server|images|private)/)(\d{3,5})\b`),
		regexp.MustCompile(`(\b(?:vm|base|subvol|basevol|lock|vzdump-qemu|vzdump-lxc|config)-)(\d{3,5})\b`),
		regexp.MustCompile(`(\b[a-z][\w-]+:|\.(?:qcow2|raw)/|clone |base=\.\./|^\.\./)(\d{3,5})/`),
		regexp.MustCompile(`(, )(\d{3,5}) to `),
		regexp.MustCompile(`(:(?:qm|vz|img|vnc|ha|cloudinit|resize|move_volume|prunebackups)[a-z]*:)(\d{3,5})[:@-]`),
		regexp.MustCompile(`(>)(\d{3,5})-`),
		regexp.MustCompile(`(^|/)(\d{3,5})\.(?:conf|qmp|pid|fw)\b`),
		regexp.MustCompile(`([?&]?\b(?:vmid|newid)=|\bvm:|\bct:|\btap|\bveth)(\d{3,5})(?:\b|i\d)`),
	}
	idList = regexp.MustCompile(`^\d{3,5}([,; @-]|$)`)
	anyID  = regexp.MustCompile(`\d{3,5}`)
)

func renameWords(pairs ...string) (rules []textRule) {
	for i := 0; i < len(pairs); i += 2 {
		rules = append(rules, textRule{regexp.MustCompile(edge(pairs[i]) + regexp.QuoteMeta(pairs[i]) + `\b`), pairs[i+1]})
	}
	return rules
}

func edge(s string) string {
	if strings.ContainsRune("/@!", rune(s[0])) {
		return ""
	}
	return `\b`
}

// renameStorage knows where the name of a storage stands in a text; the words are used for other things as well.
func renameStorage(old, name string) []textRule {
	o := regexp.QuoteMeta(old)
	rules := []textRule{}
	for _, re := range []string{`(^|[\s'"(=,/:!*])` + o + `(:[\w/])`, `(/storage/|^storage/[\w-]+/)` + o + `($|\W)`, `(')` + o + `(')`,
		`(--storage )` + o + `($| )`, `(\d@|:imgdel:|:prunebackups:|:download:|:imgcopy:)` + o + `($|:)`, `(\()` + o + `( !=)`, `( )` + o + `(\)\s?$)`,
		`(^|[&?])(storage=)` + o + `($|&)`} {
		rules = append(rules, textRule{regexp.MustCompile(re), "${1}" + name + "${2}"})
	}
	return rules
}

func otherWorld(local string) *renaming {
	r := &renaming{shift: 1000, names: map[string]string{
		"web": "shop", "db": "postgres-1", "app": "intranet", "locked": "stuck", "keep": "vault", "deaf": "mute", "history": "lab",
		"ct": "dns", "devct": "build", "cttmpl": "alpine-base", "tmpl": "golden", "linked": "child",
		"clean": "fresh", "step1": "first", "step2": "upgrade", "step3": "later", "side": "branch",
		"second": "tank-b", "archive": "cold_store", "local": local,
		"dev": "team-a", "prod": "live", "ops": "night-shift", "Operator": "Keeper", "DevNet": "Bridges", "corp": "office",
		"acc": "terraform", "sep": "small", "ro": "look", "ci": "runner", "full": "whole", "late": "past",
	}}
	r.texts = renameWords("pve1", "alpha07", "PVE1", "ALPHA07", "pve%31", "alpha0%37",
		"audit@pve", "reader@pve", "admin@pve", "boss@pve", "dev@pve", "jane.doe@pve", "gone@pve", "left@pve", "none@pve", "new-one@pve", "ops@pve", "op@pve",
		"pve!ro", "pve!look", "pve!ci", "pve!runner", "pve!full", "pve!whole", "pve!late", "pve!past", "pam!acc", "pam!terraform", "pam!sep", "pam!small",
		"/pool/dev", "/pool/team-a", "/pool/prod", "/pool/live", "/groups/ops", "/groups/night-shift",
		"/roles/Operator", "/roles/Keeper", "/roles/DevNet", "/roles/Bridges", "/domains/corp", "/domains/office", "/realm/corp", "/realm/office",
		"/snapshot/clean", "/snapshot/fresh", "/snapshot/side", "/snapshot/branch", "/snapshot/step1", "/snapshot/first",
		"/snapshot/step2", "/snapshot/upgrade", "/snapshot/step3", "/snapshot/later",
		"tiny.iso", "debian-13.1-netinst.iso", "boot.iso", "rescue.iso", "disk.qcow2", "noble-server.qcow2",
		"@corp", "@office", "!late", "!past", "BC:24:11", "02:4C:A7", "bc:24:11", "02:4c:a7",
		"/token/acc", "/token/terraform", "/token/sep", "/token/small", "/token/ro", "/token/look", "/token/ci", "/token/runner", "/token/full", "/token/whole", "/token/late", "/token/past")
	r.texts = append(r.texts, renameStorage("second", "tank-b")...)
	r.texts = append(r.texts, renameStorage("archive", "cold_store")...)
	r.texts = append(r.texts, renameStorage("local", local)...)
	for old, name := range r.names {
		o := regexp.QuoteMeta(old)
		r.texts = append(r.texts, textRule{regexp.MustCompile(`(?m)^(name: |hostname: |fqdn: |parent: |\[)` + o + `($|\])`), "${1}" + name + "${2}"},
			textRule{regexp.MustCompile(`(Name: |snapshot ')` + o + `($|')`), "${1}" + name + "${2}"}, textRule{regexp.MustCompile(`^()` + o + `( of )`), "${1}" + name + "${2}"})
	}
	return r
}

func (r *renaming) id(s string) string {
	n, err := strconv.Atoi(s)
	if err != nil || n < 100 || s[0] == '0' {
		return s
	}
	return "\x01" + strconv.Itoa(n+r.shift) // the mark keeps it from being found again
}

func (r *renaming) text(key, s string) string {
	k := [2]string{key, s}
	if t, ok := r.done.Load(k); ok {
		return t.(string)
	}
	t := r.rename(key, s)
	r.done.Store(k, t)
	return t
}

func (r *renaming) rename(key, s string) string {
	if name, ok := r.names[s]; ok && slices.Contains(nameKeys, key) {
		return name
	}
	if slices.Contains(idKeys, key) && idList.MatchString(s) {
		return r.text("", anyID.ReplaceAllStringFunc(s, r.id))
	}
	for _, re := range idTexts {
		s = replaceGroup(re, s, r.id)
	}
	s = strings.ReplaceAll(s, "\x01", "")
	for _, rule := range r.texts {
		s = rule.find.ReplaceAllString(s, rule.put)
	}
	return s
}

// replaceGroup replaces the second group of each match.
func replaceGroup(re *regexp.Regexp, s string, f func(string) string) string {
	var b strings.Builder
	at := 0
	for _, m := range re.FindAllStringSubmatchIndex(s, -1) {
		b.WriteString(s[at:m[4]])
		b.WriteString(f(s[m[4]:m[5]]))
		at = m[5]
	}
	return b.String() + s[at:]
}

func (r *renaming) value(key string, v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			what, pending := v["key"].(string)
			if !pending || k != "value" && k != "pending" {
				what = k
			}
			out[r.key(key, k)] = r.value(what, e)
		}
		return out
	case []any:
		for i, e := range v {
			v[i] = r.value(key, e)
		}
	case string:
		return r.text(key, v)
	case json.Number:
		if slices.Contains(idKeys, key) && key != "id" {
			return json.Number(strings.TrimPrefix(r.id(v.String()), "\x01"))
		}
	}
	return v
}

func (r *renaming) key(parent, k string) string {
	if name, ok := r.names[k]; ok && slices.Contains([]string{"storage_content", "referenced_in_snapshot", "tokens"}, parent) {
		return name
	}
	return r.text("", k)
}

// apply writes a renamed copy of a scenario.
func (r *renaming) apply(t *testing.T, from, to string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(from, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		d := json.NewDecoder(bytes.NewReader(raw))
		d.UseNumber()
		var v any
		if err := d.Decode(&v); err != nil {
			t.Fatal(err)
		}
		if raw, err = json.Marshal(r.value("", v)); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(to, filepath.Base(name)), raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// renamedLocal are the scenarios whose storage local keeps its name, because their requests rely on it being the default.
var renamedLocal = []string{"06", "09", "16"}

// renamedDifferences are those that the renaming itself makes.
var renamedDifferences = differences{
	"02/010": true, "03/001": true, "11/040": true, // the lowest free vmid
	"03/014": true,                                 // a hash over names
	"08/097": true,                                 // a path is shortened elsewhere
	"09/012": true, "09/051": true, "09/055": true, // sizes of texts with names in them
	"09/066": true,                 // a parameter that is called as a storage was
	"11/127": true,                 // a filter by a part of a name
	"15/003": true, "15/011": true, // a pool's name in a path and in a text
	"15/030": true, "15/120": true, "15/153": true, // vmids as plain ids, in nextid and in a list that is refused
	"16/008": true, // the agent's own address
}

// TestRenamed: what the simulator answers hangs on no name or number of the recorded world. With other ones the same
// exchanges agree, but for those that tell of the names.
func TestRenamed(t *testing.T) {
	known := readDifferences(t)
	worlds := map[string]*renaming{"fast1": otherWorld("fast1"), "local": otherWorld("local")}
	for id := range renamedDifferences {
		known[id] = false
	}
	for _, s := range recorded {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			local := "fast1"
			if slices.Contains(renamedLocal, s.name[:2]) {
				local = "local"
			}
			dir := filepath.Join(t.TempDir(), s.name)
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			worlds[local].apply(t, shared(t, "pve", "recordings", s.name), dir)
			r, err := Run(t.Context(), dir, Options{})
			if err != nil {
				t.Fatal(err)
			}
			known.check(t, r, "")
			t.Log(r.Tally)
		})
	}
}
