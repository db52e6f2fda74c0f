package server

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log"
	"log/slog"
	"sync"
	"time"

	mcpserver "github.com/mark3labs/mcp-go/server"

	"github.com/proxmox-mcp/proxmox-mcp/internal/words"
)

// stdioWorkers is how many tool calls run at once: enough that calls which wait for a task (45 s) leave room for reads.
const stdioWorkers = 16

// drainOnEOF is how long answers in flight may take after the client closed its end: a script that pipes requests in and closes
// gets its answers, while a client that went away does not keep us longer than a few seconds.
const drainOnEOF = 5 * time.Second

// maxLine bounds one JSON-RPC message; tool arguments are far below 1 MiB.
const maxLine = 4 << 20

// ServeStdio serves one client over in and out until in closes or ctx ends; both are a clean exit. Only JSON-RPC goes to out.
func ServeStdio(ctx context.Context, s *MCP, in io.Reader, out io.Writer, logger *slog.Logger) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	guard := &stdioGuard{in: bufio.NewReaderSize(in, 64<<10), out: out, pending: map[string]int{}, idle: make(chan struct{}, 1)}
	std := mcpserver.NewStdioServer(s)
	std.SetErrorLogger(log.New(logWriter{logger}, "", 0))
	mcpserver.WithWorkerPoolSize(stdioWorkers)(std)
	std.SetContextFunc(func(ctx context.Context) context.Context {
		return WithIdentity(ctx, Identity{LocalPrincipal(), Everything()})
	})
	err := std.Listen(ctx, guard, guard)
	if errors.Is(err, context.Canceled) || errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// stdioGuard stands between the pipe and mcp-go. It refuses messages that mcp-go would read loosely (keys in another case or given
// twice, facts: mcp.md gap 8), and holds back the end of input until the requests before it were answered, because mcp-go
// cancels them when it sees the end.
type stdioGuard struct {
	in  *bufio.Reader
	buf []byte

	mu      sync.Mutex
	out     io.Writer
	pending map[string]int // ids of requests that wait for an answer
	idle    chan struct{}
}

// Read implements io.Reader: one checked line after the other.
func (g *stdioGuard) Read(p []byte) (int, error) {
	for len(g.buf) == 0 {
		line, err := g.readLine()
		if err != nil {
			g.waitIdle()
			return 0, err
		}
		g.buf = g.admit(line)
	}
	n := copy(p, g.buf)
	g.buf = g.buf[n:]
	return n, nil
}

func (g *stdioGuard) readLine() ([]byte, error) {
	var line []byte
	for {
		part, err := g.in.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case err == nil:
			return line, nil
		case errors.Is(err, bufio.ErrBufferFull) && len(line) <= maxLine:
		case errors.Is(err, io.EOF) && len(bytes.TrimSpace(line)) > 0:
			return append(line, '\n'), nil
		case errors.Is(err, bufio.ErrBufferFull):
			return nil, errors.New("a message of more than 4 MiB was sent")
		default:
			return nil, err
		}
	}
}

// admit returns the line for mcp-go, or nil when it was refused (and answered) here or is blank.
func (g *stdioGuard) admit(line []byte) []byte {
	if len(bytes.TrimSpace(line)) == 0 {
		return nil
	}
	env, err := readEnvelope(line)
	if err != nil {
		g.refuse(env.id, err)
		return nil
	}
	if env.method && len(env.id) > 0 {
		g.mu.Lock()
		g.pending[string(env.id)]++
		g.mu.Unlock()
	}
	return line
}

func (g *stdioGuard) refuse(id json.RawMessage, err error) {
	_, _ = g.Write(invalidRequest(id, err))
}

// Write implements io.Writer: whole messages, one at a time.
func (g *stdioGuard) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	_, err := g.out.Write(words.Bare(p))
	g.answered(p)
	return len(p), err
}

// answered takes the request off the list when its response went out.
func (g *stdioGuard) answered(p []byte) {
	if len(g.pending) == 0 {
		return
	}
	env, err := readEnvelope(p)
	if err != nil || env.method || len(env.id) == 0 {
		return
	}
	if g.pending[string(env.id)]--; g.pending[string(env.id)] <= 0 {
		delete(g.pending, string(env.id))
	}
	if len(g.pending) == 0 {
		select {
		case g.idle <- struct{}{}:
		default:
		}
	}
}

// waitIdle waits until every request was answered, at most drainOnEOF.
func (g *stdioGuard) waitIdle() {
	deadline := time.After(drainOnEOF)
	for {
		g.mu.Lock()
		n := len(g.pending)
		g.mu.Unlock()
		if n == 0 {
			return
		}
		select {
		case <-g.idle:
		case <-deadline:
			return
		}
	}
}

// logWriter carries mcp-go's own messages into the log.
type logWriter struct{ l *slog.Logger }

func (w logWriter) Write(p []byte) (int, error) {
	w.l.Debug("mcp", "msg", string(bytes.TrimSpace(p)))
	return len(p), nil
}
