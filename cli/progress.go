package cli

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
)

// quiet is how long work runs before a terminal shows progress: most commands end sooner and stay silent.
const quiet = 500 * time.Millisecond

// lineEvery is how often progress prints a line where there is no terminal to redraw one; what ends sooner leaves a log clean.
const lineEvery = 10 * time.Second

// progress shows how far long work is, on standard error: one redrawn line on a terminal, else a line each ten seconds.
type progress struct {
	w     io.Writer
	tty   bool
	start time.Time

	mu    sync.Mutex
	last  time.Time
	drawn bool
}

func newProgress(w io.Writer) *progress {
	f, ok := w.(*os.File)
	return &progress{w: w, tty: ok && term.IsTerminal(int(f.Fd())), start: time.Now()}
}

func (p *progress) update(text string, done, total int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	first, every := lineEvery, lineEvery
	if p.tty {
		first, every = quiet, 100*time.Millisecond
	}
	if now.Sub(p.start) < first || now.Sub(p.last) < every {
		return
	}
	p.last = now
	line := clean.Line(text, 60)
	if total > 0 {
		line += fmt.Sprintf(" %d/%d", done, total)
		if eta := remaining(now.Sub(p.start), done, total); eta != "" {
			line += ", " + eta + " left"
		}
	}
	if p.tty {
		_, _ = fmt.Fprintf(p.w, "\r%-79s", line)
		p.drawn = true
		return
	}
	_, _ = fmt.Fprintln(p.w, line)
}

// sync is update for the progress of a sync.
func (p *progress) sync(cluster, phase string, done, total int) {
	p.update(cluster+": "+phase, done, total)
}

// remaining estimates the time left from the pace so far; "" while there is none to speak of.
func remaining(spent time.Duration, done, total int) string {
	if done <= 0 || done >= total {
		return ""
	}
	left := time.Duration(float64(spent) / float64(done) * float64(total-done)).Round(time.Second)
	if left == 0 {
		return ""
	}
	return left.String()
}

func (p *progress) done() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.drawn {
		_, _ = fmt.Fprint(p.w, "\r"+strings.Repeat(" ", 79)+"\r")
	}
}
