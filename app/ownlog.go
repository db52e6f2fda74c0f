package app

import (
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/inventory"
)

// ownLines is how many lines of our own log are kept to be read: at 200 bytes each 200 kB.
const ownLines = 1000

// ownLog keeps the newest lines of this process's log in memory, secrets masked. The zero value is ready.
type ownLog struct {
	mu    sync.Mutex
	lines []inventory.OwnLine
}

// Write takes one line; a slog handler writes a record with one call.
func (l *ownLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.lines) >= 2*ownLines {
		l.lines = append(l.lines[:0], l.lines[ownLines:]...)
	}
	l.lines = append(l.lines, inventory.OwnLine{At: timeOf(p), Text: strings.TrimSuffix(string(p), "\n")})
	return len(p), nil
}

// timeOf reads the time that begins a line of slog's text format.
func timeOf(line []byte) time.Time {
	text, _, _ := strings.Cut(strings.TrimPrefix(string(line), "time="), " ")
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Time{}
	}
	return at
}

// read gives the newest lines, oldest first.
func (l *ownLog) read() []inventory.OwnLine {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]inventory.OwnLine{}, l.lines[max(0, len(l.lines)-ownLines):]...)
}

// keep is a logger that writes to log and remembers what is of level info or worse.
func (l *ownLog) keep(log *slog.Logger) *slog.Logger {
	return slog.New(slog.NewMultiHandler(log.Handler(), slog.NewTextHandler(l, &slog.HandlerOptions{ReplaceAttr: mask})))
}
