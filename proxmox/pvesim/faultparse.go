package pvesim

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// knob is a fault as a command line names it.
type knob struct {
	// takes are its options beside the selectors and triggers that all take; those with ! are needed.
	takes string
	about string
	make  func(o options) Fault
}

// knobs are by the numbers of the fault list, and a few by name. Faults that are no property of a Proxmox VE (a killed
// client, its disk) have none; F02, F03, F04 and F36 are how the daemon always is.
var knobs = sync.OnceValue(func() map[string]knob {
	return map[string]knob{
		"F01":   {"n", "the connection closes as a request arrives on it after n others", func(o options) Fault { return CloseRace(o.num("n", 1)) }},
		"F05":   {"ttl", "tickets live shorter than 2h", func(o options) Fault { return TicketLife(o.dur("ttl", time.Minute)) }},
		"F06":   {"by", "a node's clock is off", func(o options) Fault { return ClockSkew(o["node"], o.dur("by", 412*time.Second)) }},
		"F07":   {"token!", "a token (user@realm!name) has no rights of its own", func(o options) Fault { return TokenPowerless(o["token"]) }},
		"F08":   {"who! acl", "ACL entries of a user, group or token are gone, all or those at the path acl", func(o options) Fault { return RightsRevoked(o["who"], o["acl"]) }},
		"F09":   {"", "errors are in the reason phrase only", func(options) Fault { return PhraseOnly() }},
		"F10":   {"", "the reason phrase is the standard one", func(options) Fault { return NoPhrase() }},
		"F11":   {"node!", "a node is out of reach: 595", func(o options) Fault { return NodeDown(o["node"]) }},
		"F12":   {"node!", "a node's certificate is stale: 596", func(o options) Fault { return StaleNodeCertificate(o["node"]) }},
		"F13":   {"node!", "a node takes connections and never answers: 596 after 30s", func(o options) Fault { return NodeHangs(o["node"]) }},
		"F14":   {"bytes", "the connection ends inside of the body", func(o options) Fault { return CutBody(o.num("bytes", 20)) }},
		"F15":   {"node!", "a node is out of reach for longer than its statistics live", func(o options) Fault { return NodeExpired(o["node"]) }},
		"F16":   {"node!", "a node answers and sends no statistics", func(o options) Fault { return StatsExpired(o["node"]) }},
		"F17":   {"", "no quorum: nothing can be written", func(options) Fault { return NoQuorum() }},
		"F18":   {"", "the node is in no cluster", func(options) Fault { return Standalone() }},
		"F19":   {"node!", "a member is out of reach and the rest has quorum", func(o options) Fault { return NodeDown(o["node"]) }},
		"F20":   {"", "a member's address (or all) leads nowhere", func(o options) Fault { return AddressUnroutable(o["node"]) }},
		"F21":   {"entry!", "the daemons of the node entry end at a request (after=k)", func(o options) Fault { return EntryDies(o["entry"]) }},
		"F22":   {"by vanish type", "UPIDs are unknown for a while, or (vanish=1) after their end", taskLateOrGone},
		"F23":   {"type", "tasks are cut off: the log has no last line", func(o options) Fault { return TaskCutOff(o["type"]) }},
		"F24":   {"exit type", "tasks end with another exit status", func(o options) Fault { return TaskExit(o["type"], o.str("exit", "WARNINGS: 2")) }},
		"F25":   {"lines at cause type", "task logs are long", taskLogOf},
		"F26":   {"by never", "the HA manager acts late, or (never=1) not at all", haLateOrNever},
		"F27":   {"vmid! by", "a guest's lock file is held", func(o options) Fault { return LockFileHeld(o.num("vmid", 0), o.dur("by", 12*time.Second)) }},
		"F28":   {"vmid! lock", "a guest is locked by a task that runs", func(o options) Fault { return GuestLocked(o.num("vmid", 0), o.str("lock", "backup"), true) }},
		"F29":   {"vmid! lock", "a guest is locked and no task runs", func(o options) Fault { return GuestLocked(o.num("vmid", 0), o.str("lock", "backup"), false) }},
		"F30":   {"", "somebody else takes each id that nextid offers", func(options) Fault { return NextIDRace() }},
		"F31":   {"vmid!", "a guest is destroyed, and another one made under its id", func(o options) Fault { return Reincarnated(o.num("vmid", 0)) }},
		"F32":   {"vmid! to!", "a guest is on another node", func(o options) Fault { return GuestMoved(o.num("vmid", 0), o["to"]) }},
		"F33":   {"vmid!", "a guest's configuration changes before each write of it", func(o options) Fault { return EditBetween(o.num("vmid", 0)) }},
		"F34":   {"mode", "numbers are strings or strings numbers (mode int, string or mixed)", func(o options) Fault { return FlipTypes(TypeMode(o.str("mode", string(MixedTypes)))) }},
		"F35":   {"path!", "a path is not known: 501", func(o options) Fault { return MissingAPI(o["path"]) }},
		"F37":   {"vmid! by", "a guest's agent is gone, or (by=5s) slow", agentGoneOrSlow},
		"F38":   {"vmid! n", "the n-th agent call stops the guest", func(o options) Fault { return AgentHarms(o.num("vmid", 0), o.num("n", 3)) }},
		"F39":   {"storage! by", "calls about a storage occupy a worker", func(o options) Fault { return StorageHangs(o["storage"], o.dur("by", time.Minute)) }},
		"F40":   {"node! by", "a node's answers are late", func(o options) Fault { return NodeSlow(o["node"], o.dur("by", 6*time.Second)) }},
		"F41":   {"node!", "a node has a new certificate", func(o options) Fault { return CertificateRotated(o["node"]) }},
		"F46":   {"status retry", "a gateway answers by itself", func(o options) Fault { return Gateway(o.num("status", 503), o.dur("retry", 0)) }},
		"F47":   {"", "connections are refused", func(o options) Fault { return Refuse(o["node"]) }},
		"F48":   {"n", "many tasks ended at once", func(o options) Fault { return TaskBurst(o["node"], o.num("n", 60)) }},
		"F49":   {"vmid!", "a guest's configuration changed without a trace", func(o options) Fault { return EditedByFile(o.num("vmid", 0)) }},
		"F51":   {"", "names, notes, tags and logs attack who shows them", func(options) Fault { return HostileNames() }},
		"F53":   {"vmid!", "a guest's traffic counters begin anew", func(o options) Fault { return CountersReset(o.num("vmid", 0)) }},
		"F54":   {"", "answers are 200 with data null", func(options) Fault { return NullData() }},
		"F55":   {"vmid! to! both", "cluster/resources shows a guest on another node, or (both=1) on both", func(o options) Fault { return StaleNode(o.num("vmid", 0), o["to"], o["both"] == "1") }},
		"DELAY": {"by", "requests wait", func(o options) Fault { return Delay(o.dur("by", time.Second)) }},
		"DROP":  {"", "the connection ends without an answer", func(options) Fault { return Drop() }},
		"POWER": {"node!", "a node has no power: its guests and tasks end", func(o options) Fault { return PowerCut(o["node"]) }},
		"SPLIT": {"node!", "a node is cut off from the others, and each part shows its view", func(o options) Fault { return NetworkSplit(o["node"]) }},
		"STALE": {"by", "cluster/resources shows guests as they were", func(o options) Fault { return StaleStatistics(o.dur("by", 10*time.Second)) }},
	}
})

// everyKnob are the selectors and triggers that every fault takes.
const everyKnob = "method path node vmid after count p"

func taskLateOrGone(o options) Fault {
	if o["vanish"] == "1" {
		return TaskVanishes(o["type"])
	}
	return TaskLate(o["type"], o.dur("by", 2*time.Second))
}

func haLateOrNever(o options) Fault {
	if o["never"] == "1" {
		return HALate(-1)
	}
	return HALate(o.dur("by", 20*time.Second))
}

func taskLogOf(o options) Fault {
	return TaskLog(o["type"], o.num("lines", 2000), o.num("at", 120), o.str("cause", "ERROR: no space left on device"))
}

func agentGoneOrSlow(o options) Fault {
	if o["by"] != "" {
		return AgentSlow(o.num("vmid", 0), o.dur("by", 0))
	}
	return AgentGone(o.num("vmid", 0))
}

// FaultHelp describes a fault that ParseFault knows.
type FaultHelp struct {
	ID    string `json:"id"`    // its number in the fault list, or a name
	Usage string `json:"usage"` // with its options; those with =... are needed
	About string `json:"about"`
}

// FaultList describes all faults that ParseFault knows, by their ids.
func FaultList() []FaultHelp {
	var list []FaultHelp
	for _, id := range slices.Sorted(maps.Keys(knobs())) {
		k := knobs()[id]
		h := FaultHelp{ID: id, Usage: id, About: k.about}
		if k.takes != "" {
			h.Usage += ":" + strings.Join(strings.Fields(strings.ReplaceAll(k.takes, "!", "=...")), ",")
		}
		list = append(list, h)
	}
	return list
}

// ParseFault reads a fault as a command line gives it: its number, then options after a colon, as in "F11:node=pve2",
// "F46:status=503,retry=7s", "F24:exit=WARNINGS: 1,type=vzdump". Selectors (method, path, node, vmid) and triggers
// (after, count, p) work with all of them that hit requests. The error names what is wrong.
func ParseFault(s string) (Fault, error) {
	id, rest, _ := strings.Cut(s, ":")
	k, ok := knobs()[strings.ToUpper(id)]
	if !ok {
		return Fault{}, fmt.Errorf("fault %q: unknown fault %s, known are %s", s, id, strings.Join(slices.Sorted(maps.Keys(knobs())), " "))
	}
	o, err := parseOptions(rest)
	if err == nil {
		err = o.fit(k)
	}
	if err != nil {
		return Fault{}, fmt.Errorf("fault %q: %w", s, err)
	}
	f := k.make(o)
	if err := f.selectors(o); err != nil {
		return Fault{}, fmt.Errorf("fault %q: %w", s, err)
	}
	return f, nil
}

func (f *Fault) selectors(o options) error {
	if f.Node == "" {
		f.Node = o["node"]
	}
	if f.Path == "" {
		f.Path = o["path"]
	}
	if f.Method == "" {
		f.Method = o["method"]
	}
	if f.install == nil && f.after == nil {
		f.VMID = o.num("vmid", 0)
	}
	if o["after"] != "" || o["count"] != "" {
		f.After, f.Count = o.num("after", 0), o.num("count", 0)
	}
	if p := o["p"]; p != "" {
		v, err := strconv.ParseFloat(p, 64)
		if err != nil || v < 0 || v > 1 {
			return fmt.Errorf("p=%s is not between 0 and 1", p)
		}
		f.P = v
	}
	return nil
}
