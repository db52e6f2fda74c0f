package inventory

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// queryKey is one key of the grammar: how its values become matchers, and an example for errors.
type queryKey struct {
	example string
	parse   func(op, value string) (matcher, error)
}

var aliases = map[string]string{"status": "state", "id": "vmid", "tags": "tag", "memory": "mem", "snapshots": "snapshot", "address": "ip"}

// queryKeys is the grammar. Values of text keys may hold * and ?; "none" asks for what has no value.
var queryKeys = map[string]queryKey{
	"name":     {"name:web*", text(func(r *row) string { return r.lower })},
	"node":     {"node:pve1", text(func(r *row) string { return strings.ToLower(r.g.Node) })},
	"pool":     {"pool:lab", text(func(r *row) string { return strings.ToLower(r.g.Pool) })},
	"lock":     {"lock:backup", text(func(r *row) string { return r.g.Lock })},
	"tag":      {"tag:web", texts(func(r *row) []string { return r.tags })},
	"storage":  {"storage:local-zfs", texts(func(r *row) []string { return r.facets().Storages })},
	"os":       {"os:debian", parseOS},
	"state":    {"state:running", parseState},
	"type":     {"type:vm", parseType},
	"ip":       {"ip:10.0.0.5", parseIP},
	"vmid":     {"vmid:100-199", parseVMID},
	"cpu":      {"cpu>80", share("cpu")},
	"mem":      {"mem>80 (percent) or mem>4G", shareOrSize("mem", "memused")},
	"disk":     {"disk>80 (percent) or disk>20G", shareOrSize("disk", "diskused")},
	"maxmem":   {"maxmem>8G", sizes("maxmem")},
	"maxdisk":  {"maxdisk>100G", sizes("maxdisk")},
	"backup":   {"backup>7d or backup:none", parseBackup},
	"snapshot": {"snapshot>30d or snapshot:none", parseSnapshot},
	"agent":    {"agent:no", yesNo(func(r *row) (bool, bool) { a := r.facets().Agent; return a != nil && *a, a != nil }, "none")},
	"onboot":   {"onboot:yes", yesNo(func(r *row) (bool, bool) { return r.facets().OnBoot, r.f != nil })},
	"ha":       {"ha:yes", yesNo(func(r *row) (bool, bool) { return r.g.HAState != "", true })},
	"template": {"template:yes", yesNo(func(r *row) (bool, bool) { return r.g.Template, true })},
}

var noFacets facets

// facets are those of the configuration, empty ones while it was never read.
func (r *row) facets() *facets {
	if r.f == nil {
		return &noFacets
	}
	return r.f
}

func (r *row) cpu() *float64 {
	if r.state == stUnknown {
		return nil
	}
	return r.g.CPU
}

func fraction(v *float64) (float64, bool) {
	if v == nil {
		return 0, false
	}
	return *v, true
}

func ratio(part, whole *int64, r *row) (float64, bool) {
	if part == nil || whole == nil || *whole <= 0 || r.state == stUnknown {
		return 0, false
	}
	return float64(*part) / float64(*whole), true
}

func onlyColon(op, example string) error {
	if op != ":" {
		return fmt.Errorf("it takes a colon, as in %s", example)
	}
	return nil
}

func text(get func(*row) string) func(op, v string) (matcher, error) {
	return func(op, v string) (matcher, error) {
		if err := onlyColon(op, "name:web*"); err != nil {
			return nil, err
		}
		want := strings.ToLower(v)
		return func(_ *evaluation, r *row) bool {
			have := get(r)
			return glob(want, have) || want == "none" && have == "" || want == "any" && have != ""
		}, nil
	}
}

func texts(get func(*row) []string) func(op, v string) (matcher, error) {
	return func(op, v string) (matcher, error) {
		if err := onlyColon(op, "tag:web"); err != nil {
			return nil, err
		}
		want := strings.ToLower(v)
		return func(_ *evaluation, r *row) bool {
			list := get(r)
			for _, have := range list {
				if glob(want, strings.ToLower(have)) {
					return true
				}
			}
			return want == "none" && len(list) == 0
		}, nil
	}
}

// parseOS matches the ostype, and the words linux and windows its families (schema: ostype of qemu and lxc).
func parseOS(op, v string) (matcher, error) {
	if err := onlyColon(op, "os:debian"); err != nil {
		return nil, err
	}
	want := strings.ToLower(v)
	return func(_ *evaluation, r *row) bool {
		os := r.facets().OS
		windows := strings.HasPrefix(os, "w")
		switch {
		case os == "":
			return false
		case want == "windows":
			return windows
		case want == "linux":
			return !windows && os != "solaris" && os != "other" && os != "unmanaged"
		}
		return glob(want, os) || strings.HasPrefix(os, want)
	}, nil
}

func parseState(op, v string) (matcher, error) {
	if err := onlyColon(op, "state:running"); err != nil {
		return nil, err
	}
	if err := oneOf(v, stRunning, stStopped, stPaused, stSuspended, stTemplate, stUnknown); err != nil {
		return nil, err
	}
	return func(_ *evaluation, r *row) bool { return r.state == v }, nil
}

func parseType(op, v string) (matcher, error) {
	if err := onlyColon(op, "type:vm"); err != nil {
		return nil, err
	}
	if err := oneOf(v, "vm", "ct", "qemu", "lxc"); err != nil {
		return nil, err
	}
	want := string(pve.Qemu)
	if v == "ct" || v == "lxc" {
		want = string(pve.LXC)
	}
	return func(_ *evaluation, r *row) bool { return r.g.Type == want }, nil
}

// parseIP matches the beginning of an address.
func parseIP(op, v string) (matcher, error) {
	if err := onlyColon(op, "ip:10.0.0.5"); err != nil {
		return nil, err
	}
	if strings.Trim(v, "0123456789abcdefABCDEF.:") != "" {
		return nil, fmt.Errorf("%q is not the beginning of an address", v)
	}
	want := strings.ToLower(v)
	return func(_ *evaluation, r *row) bool {
		for _, ip := range r.ips {
			if strings.HasPrefix(ip, want) {
				return true
			}
		}
		return false
	}, nil
}

func parseVMID(op, v string) (matcher, error) {
	if err := onlyColon(op, "vmid:100-199"); err != nil {
		return nil, err
	}
	lo, hi, ranged := strings.Cut(v, "-")
	if !ranged {
		hi = lo
	}
	a, err1 := strconv.Atoi(lo)
	b, err2 := strconv.Atoi(hi)
	if err1 != nil || err2 != nil || a < 0 || b < a {
		return nil, fmt.Errorf("%q is neither a vmid nor a range of them", v)
	}
	return func(_ *evaluation, r *row) bool { return r.g.VMID >= a && r.g.VMID <= b }, nil
}

// share compares a figure with a percentage of its own limit.
func share(name string) func(op, v string) (matcher, error) {
	return measured(name, parsePercent)
}

// sizes compares a figure with a number of bytes.
func sizes(name string) func(op, v string) (matcher, error) {
	return measured(name, parseSize)
}

func measured(name string, parse func(string) (float64, error)) func(op, v string) (matcher, error) {
	return func(op, v string) (matcher, error) {
		if op == ":" {
			return nil, fmt.Errorf("it takes >, >=, < or <=")
		}
		limit, err := parse(v)
		if err != nil {
			return nil, err
		}
		return func(_ *evaluation, r *row) bool {
			have, ok := figure(name, r)
			return ok && compare(op, have, limit)
		}, nil
	}
}

// shareOrSize takes 80 and 80% for the share of the limit, and 4G for what is used.
func shareOrSize(part, used string) func(op, v string) (matcher, error) {
	return func(op, v string) (matcher, error) {
		if _, err := parseSize(v); err == nil {
			return sizes(used)(op, v)
		}
		m, err := share(part)(op, v)
		if err != nil && op != ":" {
			err = fmt.Errorf("%q is neither a percentage nor a size such as 512M or 4G", v)
		}
		return m, err
	}
}

func compare[T float64 | time.Duration](op string, have, limit T) bool {
	switch op {
	case ">":
		return have > limit
	case ">=":
		return have >= limit
	case "<":
		return have < limit
	}
	return have <= limit
}

// yesNo matches a flag that may be unknown; unknown is neither yes nor no. extra words mean no.
func yesNo(get func(*row) (value, known bool), extra ...string) func(op, v string) (matcher, error) {
	return func(op, v string) (matcher, error) {
		if err := onlyColon(op, "onboot:yes"); err != nil {
			return nil, err
		}
		if err := oneOf(v, append([]string{"yes", "no"}, extra...)...); err != nil {
			return nil, err
		}
		return func(_ *evaluation, r *row) bool {
			have, known := get(r)
			return known && have == (v == "yes")
		}, nil
	}
}

// parseBackup: none = no backup job covers the guest (cluster/backup-info/not-backed-up); an age compares with the newest
// backup that storages list (list_backups has the same), else with the last good backup task that was seen. A guest of which neither is
// known matches no age.
func parseBackup(op, v string) (matcher, error) {
	if op == ":" {
		if err := oneOf(v, "none"); err != nil {
			return nil, err
		}
		return func(e *evaluation, r *row) bool { return e.of(r).uncovered[r.g.VMID] }, nil
	}
	age, err := parseAge(v)
	if err != nil {
		return nil, err
	}
	return func(e *evaluation, r *row) bool {
		at, ok := e.backups.newest(e.of(r).cv, r.g.VMID)
		return ok && compare(op, e.now.Sub(at), age)
	}, nil
}

func parseSnapshot(op, v string) (matcher, error) {
	if op == ":" {
		if err := oneOf(v, "none", "yes", "any"); err != nil {
			return nil, err
		}
		return func(_ *evaluation, r *row) bool {
			return r.g.Snapshots != "" && (r.g.Snapshots == "[]") == (v == "none")
		}, nil
	}
	age, err := parseAge(v)
	if err != nil {
		return nil, err
	}
	return func(e *evaluation, r *row) bool {
		for _, s := range decodeSnapshots(r.g.Snapshots) {
			if !s.At.IsZero() && compare(op, e.now.Sub(s.At), age) {
				return true
			}
		}
		return false
	}, nil
}

// freeText finds a word in the name, or exactly as vmid or tag.
func freeText(v string) matcher {
	want := strings.ToLower(v)
	id, isID := vmidOf(want)
	return func(_ *evaluation, r *row) bool {
		if isID && r.g.VMID == id || glob(want, r.lower) || strings.Contains(r.lower, want) {
			return true
		}
		for _, t := range r.tags {
			if strings.EqualFold(t, want) {
				return true
			}
		}
		return false
	}
}
