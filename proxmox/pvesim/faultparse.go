package pvesim

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ParseFault reads a fault as a command line gives it: ID, then options after a colon, as in "F11:node=pve2",
// "F46:status=503,retry=7s", "F13:node=pve2", "F34:mode=mixed", "F04:count=3". Selectors method, path, node, vmid
// and triggers after, count, p work with all of them.
func ParseFault(s string) (Fault, error) {
	id, rest, _ := strings.Cut(s, ":")
	o := map[string]string{}
	for part := range strings.SplitSeq(rest, ",") {
		if k, v, ok := strings.Cut(part, "="); ok {
			o[k] = v
		} else if part != "" {
			return Fault{}, fmt.Errorf("fault %q: %q is not key=value", s, part)
		}
	}
	f, err := faultByID(strings.ToUpper(id), o)
	if err != nil {
		return Fault{}, fmt.Errorf("fault %q: %w", s, err)
	}
	if err := f.selectors(o); err != nil {
		return Fault{}, err
	}
	return f, nil
}

func faultByID(id string, o map[string]string) (Fault, error) {
	byID := map[string]func() Fault{
		"F01": func() Fault { return CloseRace(intOr(o["n"], 1)) },
		"F06": func() Fault { return ClockSkew(o["node"], durationOr(o["by"], 412*time.Second)) },
		"F09": PhraseOnly, "F10": NoPhrase,
		"F11": func() Fault { return NodeDown(o["node"]) },
		"F12": func() Fault { return StaleNodeCertificate(o["node"]) },
		"F13": func() Fault { return NodeHangs(o["node"]) },
		"F14": func() Fault { return CutBody(intOr(o["bytes"], 20)) },
		"F15": func() Fault { return NodeExpired(o["node"]) },
		"F16": func() Fault { return StatsExpired(o["node"]) },
		"F17": NoQuorum, "F18": Standalone,
		"F34": func() Fault { return FlipTypes(TypeMode(orDefault(o["mode"], string(MixedTypes)))) },
		"F35": func() Fault { return MissingAPI(o["path"]) },
		"F41": func() Fault { return CertificateRotated(o["node"]) },
		"F46": func() Fault { return Gateway(intOr(o["status"], 503), durationOr(o["retry"], 0)) },
		"F47": func() Fault { return Refuse(o["node"]) },
		"F51": HostileNames, "F54": NullData,
		"F55":   func() Fault { return StaleNode(intOr(o["vmid"], 100), o["to"], o["both"] == "1") },
		"DELAY": func() Fault { return Delay(durationOr(o["by"], time.Second)) },
		"DROP":  Drop,
		"STALE": func() Fault { return StaleStatistics(durationOr(o["by"], 10*time.Second)) },
	}
	make, ok := byID[id]
	if !ok {
		return Fault{}, fmt.Errorf("unknown fault %s", id)
	}
	return make(), nil
}

func (f *Fault) selectors(o map[string]string) error {
	if f.Node == "" {
		f.Node = o["node"]
	}
	if f.Path == "" {
		f.Path = o["path"]
	}
	f.Method = o["method"]
	if f.install == nil && f.after == nil {
		f.VMID = intOr(o["vmid"], 0)
	}
	f.After, f.Count = intOr(o["after"], 0), intOr(o["count"], 0)
	if p := o["p"]; p != "" {
		v, err := strconv.ParseFloat(p, 64)
		if err != nil || v < 0 || v > 1 {
			return fmt.Errorf("fault: p=%s is not between 0 and 1", p)
		}
		f.P = v
	}
	return nil
}

func intOr(s string, other int) int {
	if n, err := strconv.Atoi(s); err == nil {
		return n
	}
	return other
}

func durationOr(s string, other time.Duration) time.Duration {
	if d, err := time.ParseDuration(s); err == nil {
		return d
	}
	return other
}

func orDefault(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
