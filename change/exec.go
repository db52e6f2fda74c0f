package change

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/proxmox-mcp/proxmox-mcp/internal/argv"
	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/internal/redact"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// Exec runs a program in a machine through its guest agent. No shell is between: the arguments are what the program gets.
type Exec struct {
	Command []string
	Timeout time.Duration // how long its end is waited for; 0 = a minute. It is not ended then
}

const (
	execAction   = "guest.exec"
	execPatience = time.Minute
	// Bounds of a command: far above what a person types, far below what the agent's socket takes.
	maxArgs, maxArg = 64, 1024
	// maxOutput is how many bytes of each stream are kept: some 2,000 tokens.
	maxOutput = 8 << 10
)

// ExecRules say what may be run in guests. Without Allow nothing may.
type ExecRules struct {
	Allow []argv.Rule
	Tag   string // guests need it, and no change through this server gives or takes it
}

// Output is what a program in a guest wrote: data, whatever it says.
type Output struct {
	ExitCode *int   `json:"exit_code,omitempty"` // nil: a signal ended it
	Signal   *int   `json:"signal,omitempty"`
	Stdout   string `json:"stdout,omitempty"`
	Stderr   string `json:"stderr,omitempty"`
	Cut      bool   `json:"cut,omitempty"` // a stream was longer than what is kept
}

// Name implements Action.
func (Exec) Name() string { return execAction }

// Title implements Action.
func (x Exec) Title() string { return "run " + clean.Line(argv.Quote(x.Command), 150) }

// Needs implements Action.
func (Exec) Needs() Needs { return Needs{} }

// Steps implements Action.
func (x Exec) Steps(l *Live) ([]Step, error) {
	if err := x.check(); err != nil {
		return nil, err
	}
	switch {
	case l.Type != pve.Qemu:
		return nil, fault.New(fault.Conflict, "%s is a container, which has no guest agent", l.Label()).
			WithHint("a container's console is a terminal for people: it tells neither where an answer ends nor an exit code, so nothing is run over it; on its node: pct exec %d", l.VMID)
	case l.Target.Status != "running":
		return nil, fault.New(fault.Conflict, "%s is %s: programs run in a running guest", l.Label(), l.Target.Status)
	case !agentIn(l.Type, l.Config):
		return nil, fault.New(fault.Conflict, "the guest agent of %s is off", l.Label()).WithHint("update_guest sets agent=1; the guest needs qemu-guest-agent, and a restart")
	}
	s := l.step(execAction, Disruptive, "POST", "/agent/exec")
	for _, arg := range x.Command {
		s.Call.Params = append(s.Call.Params, Param{"command", arg})
	}
	s.Want.Ran, s.Patience = true, cmp.Or(x.Timeout, execPatience)
	s.Diff = []Diff{{Field: "command", New: argv.Quote(x.Command)}}
	s.NoUndo = "what a program did cannot be taken back"
	return []Step{s}, nil
}

// check refuses what would not arrive as it is, and what does not belong into a command.
func (x Exec) check() error {
	const example = `["df","-h"]`
	if len(x.Command) == 0 || x.Command[0] == "" || len(x.Command) > maxArgs {
		return fault.BadField("command", fmt.Sprintf("a list of a program and its arguments, at most %d", maxArgs), example)
	}
	for _, arg := range x.Command {
		switch {
		case len(arg) > maxArg:
			return fault.BadField("command", fmt.Sprintf("at most %d letters an argument", maxArg), example)
		case !argv.Plain(arg):
			return fault.BadField("command", "printable ASCII: other letters are cut short on their way to the agent", example)
		case strings.Contains(arg, "secret:"), redact.Text(arg) != arg:
			return fault.BadField("command", "no secrets: plan, audit and the guest's list of processes show arguments", example)
		}
	}
	if len(x.Command) == 1 && strings.Contains(x.Command[0], " ") {
		return fault.BadField("command", "a list, one entry for each argument: there is no shell that takes a line apart", example)
	}
	return nil
}

// command is what a step runs.
func (s *Step) command() []string {
	var out []string
	for _, p := range s.Call.Params {
		if p.Key == "command" {
			out = append(out, p.Value)
		}
	}
	return out
}

// refusesRun says why a step must not run its program in a guest, "" for one that may, and for every other step. What a tag opens, only
// the owner tags.
func (r *Rules) refusesRun(st *Step, t Target) (why, hint string) {
	x := &r.Exec
	if st.Action != execAction && !st.Want.Ran {
		if len(x.Allow) > 0 && x.tagsItself(st, t) {
			return fmt.Sprintf("the tag %s lets programs be run in a guest", x.Tag), "its owner gives it in Proxmox VE"
		}
		return "", ""
	}
	switch command := st.command(); {
	case len(x.Allow) == 0:
		return "running programs in guests is off", `its owner turns it on in the configuration: agent: {exec: {allow: ["df -h"]}}`
	case !slices.ContainsFunc(x.Allow, func(a argv.Rule) bool { return a.Fits(command) }):
		return "no rule allows to run " + clean.Line(argv.Quote(command), 150), "allowed: " + x.list() + " (agent.exec.allow of the configuration)"
	case !hasTag(t.Tags, x.Tag):
		return "without the tag " + x.Tag + " nothing is run in it", "its owner gives the tag in Proxmox VE"
	}
	return "", ""
}

// list are the rules for an error.
func (x *ExecRules) list() string {
	out := make([]string, len(x.Allow))
	for k, a := range x.Allow {
		out[k] = a.String()
	}
	return clean.Line(strings.Join(out, "; "), 300)
}

// tagsItself says that a request gives the tag to a guest that does not have it, a new one included.
func (x *ExecRules) tagsItself(st *Step, t Target) bool {
	if hasTag(t.Tags, x.Tag) && !t.New {
		return false
	}
	return slices.ContainsFunc(st.Call.Params, func(p Param) bool { return p.Key == "tags" && hasTag(splitTags(p.Value), x.Tag) })
}

func hasTag(tags []string, tag string) bool { return slices.ContainsFunc(tags, Scope{Tag: tag}.isTag) }

// pidIn is the process that an answer of agent/exec names (16/021), 0 for an answer without one.
func pidIn(raw json.RawMessage) int {
	var a struct {
		PID pve.Int `json:"pid"`
	}
	if json.Unmarshal(raw, &a) != nil {
		return 0
	}
	return int(a.PID)
}

// started says whether an error of agent/exec leaves open if the program was started: the agent did not answer in its time (16/028).
func started(err error) bool { return proxmox.AgentState(err) == "slow" }

// ran asks what became of a program. Its end is told once (16/023): what was read is kept with the step.
func (e *Engine) ran(ctx context.Context, c Cluster, s *Step, js store.PlanStep) (seen, error) {
	t := s.Target
	t.Digest = cmp.Or(digestIn(js.Before), t.Digest)
	o := seen{target: t, pid: resultOf(js).PID}
	if o.pid == 0 {
		o.over, o.text = true, "whether the program was started is not known"
		return o, nil
	}
	raw, err := c.Raw(ctx, "GET", (&Live{Target: t}).path("/agent/exec-status"), proxmox.Params{}.Str("pid", strconv.Itoa(o.pid)))
	if err != nil && strings.Contains(fault.Of(err).Error(), "Invalid parameter 'pid'") {
		o.over, o.text = true, fmt.Sprintf("the program was started (pid %d); its end was told to somebody else, or the guest was restarted", o.pid)
		return o, nil
	}
	if err != nil {
		return o, err
	}
	var a struct {
		Exited       pve.Bool `json:"exited"`
		Exit         *pve.Int `json:"exitcode"`
		Signal       *pve.Int `json:"signal"`
		Out          string   `json:"out-data"`
		Err          string   `json:"err-data"`
		OutTruncated pve.Bool `json:"out-truncated"`
		ErrTruncated pve.Bool `json:"err-truncated"`
	}
	if err := json.Unmarshal(raw, &a); err != nil {
		return o, fault.Wrap(fault.BadAnswer, err, "what became of the program cannot be read")
	}
	if !a.Exited {
		o.text = fmt.Sprintf("the program still runs (pid %d)", o.pid)
		return o, nil
	}
	what := clean.Line(argv.Quote(s.command()), 80)
	out := &Output{Cut: bool(a.OutTruncated) || bool(a.ErrTruncated)}
	out.Stdout, out.Stderr = out.keep(a.Out), out.keep(a.Err)
	o.ok, o.proof, o.output = true, true, out
	switch {
	case a.Exit != nil:
		out.ExitCode, o.text = pve.Ptr(int(*a.Exit)), fmt.Sprintf("%s ended with exit code %d", what, int(*a.Exit))
	case a.Signal != nil:
		out.Signal, o.text = pve.Ptr(int(*a.Signal)), fmt.Sprintf("%s was ended by signal %d", what, int(*a.Signal))
	default:
		o.text = what + " ended"
	}
	return o, nil
}

// keep is a stream as it is kept: its beginning, without what looks like a secret.
func (o *Output) keep(s string) string {
	s = redact.Text(unlatin(s))
	if len(s) > maxOutput {
		o.Cut = true
		s = s[:maxOutput]
		for len(s) > 0 && !utf8.ValidString(s[max(0, len(s)-utf8.UTFMax):]) {
			s = s[:len(s)-1]
		}
	}
	return clean.Block(s, maxOutput)
}

// unlatin takes back that the API gives each byte of output as a character of its own (16/025). What is no such text stays as it is (16/027).
func unlatin(s string) string {
	raw := make([]byte, 0, len(s))
	for _, r := range s {
		if r > 0xff {
			return s
		}
		raw = append(raw, byte(r))
	}
	if !utf8.Valid(raw) {
		return s
	}
	return string(raw)
}
