package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

func TestExitCode(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		want int
	}{
		"ok":              {nil, 0},
		"foreign error":   {io.EOF, 1},
		"failed report":   {ErrFailed, 1},
		"not found":       {fault.New(fault.NotFound, "x"), 1},
		"unreachable":     {fault.New(fault.Unreachable, "x"), 1},
		"forbidden":       {fault.New(fault.Forbidden, "x"), 1},
		"config":          {fault.New(fault.Config, "x"), 1},
		"usage":           {usageError{errors.New("x")}, 2},
		"bad input":       {fault.BadField("limit", "must be a number", "5"), 2},
		"partial":         {ErrPartial, 3},
		"wrapped partial": {fmt.Errorf("x: %w", ErrPartial), 3},
		"timeout":         {fault.New(fault.Timeout, "x"), 7},
		"deadline":        {context.DeadlineExceeded, 7},
		"denied":          {fault.New(fault.Denied, "x"), 4},
		"unknown outcome": {fault.New(fault.UnknownOutcome, "x"), 7},
		"cancelled":       {fault.New(fault.Cancelled, "x"), 130},
		"context":         {fmt.Errorf("x: %w", context.Canceled), 130},
	} {
		if got := ExitCode(c.err); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

// all are the commands of the tree with the root, without those that cobra adds.
func all(t *testing.T) []*cobra.Command {
	t.Helper()
	root, _ := newRoot(nil, Streams{In: strings.NewReader(""), Out: io.Discard, Err: io.Discard})
	out := []*cobra.Command{root}
	for i := 0; i < len(out); i++ {
		out = append(out, out[i].Commands()...)
	}
	return out
}

// TestCommands holds every command to what a reader of its help expects.
func TestCommands(t *testing.T) {
	groups := []string{groupAsk, groupDecide, groupRun, groupSetUp, groupDevelop}
	for _, c := range all(t) {
		path := c.CommandPath()
		if c.Short == "" || strings.HasSuffix(c.Short, ".") {
			t.Errorf("%s: short help %q", path, c.Short)
		}
		if !c.HasSubCommands() && !strings.Contains(c.Example, "proxmox-mcp ") {
			t.Errorf("%s has no example", path)
		}
		if c.HasParent() && !c.Parent().HasParent() && !slices.Contains(groups, c.GroupID) {
			t.Errorf("%s is in the group %q", path, c.GroupID)
		}
		for line := range strings.SplitSeq(c.LocalFlags().FlagUsages(), "\n") {
			words := strings.Fields(line)
			if len(words) > 0 && len(words) < 4 {
				t.Errorf("%s: a flag without help: %s", path, line)
			}
			if strings.Contains(line, `[="`) {
				t.Errorf("%s: a flag shows its default in an odd way: %s", path, line)
			}
		}
		if c.RunE == nil && c.Run == nil {
			t.Errorf("%s does nothing", path)
		}
	}
}

// TestToolCommands says that each tool is a command with all its inputs.
func TestToolCommands(t *testing.T) {
	root := all(t)[0]
	for _, spec := range tools.All() {
		cmd, rest, err := root.Find(strings.Fields(spec.Command))
		if err != nil || len(rest) > 0 {
			t.Errorf("%s is no command: %v", spec.Command, err)
			continue
		}
		for _, in := range spec.Inputs(tools.Caller{MultiCluster: true}) {
			flag := cmd.Flags().Lookup(strings.ReplaceAll(in.Name, "_", "-"))
			if named := in.Name == "format" || slices.Contains(spec.Args, in.Name); named == (flag != nil) {
				t.Errorf("%s: input %s has the flag %v", spec.Name, in.Name, flag)
			}
		}
	}
}

// TestFlagHelp keeps the bounds in the help and those of the schema together.
func TestFlagHelp(t *testing.T) {
	for _, spec := range tools.All() {
		schema := string(spec.InputSchema(tools.Caller{Level: tools.R4}))
		for name, bounds := range map[string][2]string{"limit": {"1 to 500", `"minimum":1,"maximum":500`}, "wait_s": {"0 to 600", `"minimum":0,"maximum":600`}} {
			_, tail, has := strings.Cut(schema, `"`+name+`":{`)
			if !has {
				continue
			}
			prop := tail[:strings.Index(tail, "}")]
			if strings.Contains(prop, `"minimum":`) && !strings.Contains(prop, bounds[1]) || !strings.Contains(flagHelp[name], bounds[0]) {
				t.Errorf("%s: the help of %s is %q, the schema %s", spec.Name, name, flagHelp[name], tail)
			}
		}
	}
}

func TestMatching(t *testing.T) {
	names := []string{"101\tpihole", "102\tpihole2", "201\tweb", "300"}
	for typed, want := range map[string][]string{
		"": names, "10": {"101\tpihole", "102\tpihole2"}, "pi": {"pihole\t101", "pihole2\t102"}, "3": {"300"}, "zz": nil,
	} {
		if got := matching(names, typed); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", typed, got, want)
		}
	}
}

// TestInterrupted says that whatever a command makes of the end of its context, the user reads one word.
func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var errOut strings.Builder
	code := Run(ctx, failing{}, []string{"doctor"}, Streams{In: strings.NewReader(""), Out: io.Discard, Err: &errOut})
	if code != 130 || errOut.String() != "interrupted\n" {
		t.Errorf("exit %d, %q", code, errOut.String())
	}
}

// failing is a Program of which only Doctor may be called.
type failing struct{ Program }

func (failing) Doctor(context.Context, Globals) (Report, error) {
	return Report{}, fault.New(fault.Unreachable, "connection lost")
}

func TestInterruptibleRead(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	defer w.Close()
	in := interruptible{ctx, r}
	go func() { _, _ = w.Write([]byte("yes")) }()
	buf := make([]byte, 10)
	if n, err := in.Read(buf); string(buf[:n]) != "yes" || err != nil {
		t.Fatalf("%q, %v", buf[:n], err)
	}
	cancel()
	if n, err := in.Read(buf); n != 0 || !errors.Is(err, context.Canceled) {
		t.Fatalf("%d bytes, %v", n, err)
	}
}
