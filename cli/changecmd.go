package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/proxmox-mcp/proxmox-mcp/change"
	"github.com/proxmox-mcp/proxmox-mcp/store"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// errDiffers ends a command that compared and found a difference: exit code 6.
var errDiffers = errors.New("there are differences")

// errNotApplied ends a command whose change was planned and waits for a second command or an operator: exit code 5.
var errNotApplied = errors.New("the plan was not applied")

// ErrLeft ends Approve where whoever was asked left the plan waiting.
var ErrLeft = errors.New("the plan was left waiting")

// errNotEnded ends a command whose change goes on, or of whose outcome nobody knows: exit code 7.
var errNotEnded = errors.New("the change has not ended")

// told says that the answer, which was printed, tells already what the error is about.
func told(err error) bool {
	return errors.Is(err, ErrPartial) || errors.Is(err, ErrFailed) || errors.Is(err, errNotApplied) || errors.Is(err, errNotEnded) || errors.Is(err, errDiffers)
}

// outcome is the error that a comparison or a change ended with.
func outcome(answer tools.Answer) error {
	if d, ok := answer.(interface{ Differs() bool }); ok && d.Differs() {
		return errDiffers
	}
	if p, ok := answer.(interface{ Partial() bool }); ok && p.Partial() {
		return ErrPartial
	}
	o, ok := answer.(interface{ Outcome() string })
	if !ok {
		return nil
	}
	switch o.Outcome() {
	case change.Planned, change.Waiting, change.Approved:
		return errNotApplied
	case change.Applying, change.Unknown, change.Interrupted:
		return errNotEnded
	case change.Failed:
		return ErrFailed
	}
	return nil
}

// sentEvery is how often a command that does not wait for its change looks whether all of it was sent.
const sentEvery = 50 * time.Millisecond

// sent waits until all requests of a change that goes on have left this process: what it has not sent would never be.
func sent(ctx context.Context, session Session, answer tools.Answer) {
	o, ok := answer.(interface{ Outcome() string })
	id, _ := asks(answer)
	if !ok || o.Outcome() != change.Applying {
		return
	}
	for ctx.Err() == nil {
		p, err := session.Deps.Changes.Plan(ctx, id, session.Deps.Who)
		if err != nil || p.State != change.Applying || !slices.ContainsFunc(p.Journal, func(j store.PlanStep) bool {
			return j.State == change.StepPending || j.State == change.StepSent
		}) {
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(sentEvery):
		}
	}
}

// asks is the question to the one at the terminal, "" where there is none.
func asks(answer tools.Answer) (plan, question string) {
	if a, ok := answer.(interface {
		Asks() (plan, question string)
	}); ok {
		return a.Asks()
	}
	return "", ""
}

// agreed shows the plan, asks the one at the terminal, and calls the tool again with the answer. What is no yes is a no.
func agreed(ctx context.Context, spec tools.Spec, raw json.RawMessage, session Session, s Streams, plan string, review tools.Answer) (tools.Answer, error) {
	if err := writeView(s.Err, review.View(session.Deps), width(s.Err), false); err != nil {
		return nil, err
	}
	line, err := person(ctx, s, nil).Ask("apply? [y/N] ")
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	line = strings.ToLower(line)
	session.Deps.Agreed, session.Deps.Accepted = plan, err == nil && (line == "y" || line == "yes")
	bar := newProgress(s.Err)
	defer bar.done()
	session.Deps.Progress = func(done, total float64, text string) { bar.update(text, int(done), int(total)) }
	res, err := spec.Call(ctx, session.Deps, raw)
	if err != nil {
		return nil, err
	}
	return res.Answer, nil
}

// waits is the plan that an answer leaves for an operator, "" where it leaves none.
func waits(answer tools.Answer) string {
	id, _ := asks(answer)
	if o, ok := answer.(interface{ Outcome() string }); !ok || o.Outcome() != change.Waiting {
		return ""
	}
	return id
}

// decideNow lets the one at the terminal approve what was just planned, as plan approve does: Enter leaves it waiting.
func decideNow(ctx context.Context, p Program, g Globals, s Streams, id string, answer tools.Answer, view tools.View) error {
	if err := writeView(s.Err, view, width(s.Err), false); err != nil {
		return err
	}
	_, _ = fmt.Fprintln(s.Err)
	bar := newProgress(s.Err)
	r, err := p.Approve(ctx, g, ApproveOptions{ID: id, Shown: true}, person(ctx, s, bar))
	bar.done()
	if errors.Is(err, ErrLeft) {
		if screen, is := s.Out.(*os.File); is && term.IsTerminal(int(screen.Fd())) && g.Output == "table" {
			return errNotApplied // it stands there already
		}
		if err := printAnswer(s, g, answer, view); err != nil {
			return err
		}
		return errNotApplied
	}
	return report(s, g)(r, err)
}
