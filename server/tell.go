package server

import (
	"context"
	"sync"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	mcpserver "github.com/mark3labs/mcp-go/server"
)

// tell lets what a call says while it runs (progress, log lines) reach its client before the answer. mcp-go has one channel of a session
// for all of its streams, and writes answers beside it: over HTTP the last word can be lost, or come on another connection after the
// answer (facts: mcp.md 6.3). Over HTTP it therefore goes straight to the stream of the call itself; elsewhere the channel is drained.
func tell(next mcpserver.ToolHandlerFunc) mcpserver.ToolHandlerFunc {
	drained := drain(next)
	return func(ctx context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		out, _ := ctx.Value(outletKey{}).(*outlet)
		session, ok := mcpserver.ClientSessionFromContext(ctx).(talker)
		srv := mcpserver.ServerFromContext(ctx)
		if out == nil || !ok || srv == nil {
			return drained(ctx, r)
		}
		c := &callSession{talker: session, out: out, stop: make(chan struct{})}
		defer c.finish()
		return next(srv.WithContext(ctx, c), r)
	}
}

// talker is what handlers may do with a session over Streamable HTTP.
type talker interface {
	mcpserver.SessionWithLogging
	mcpserver.SessionWithElicitation
	mcpserver.SessionWithSampling
	mcpserver.SessionWithRoots
	mcpserver.SessionWithClientInfo
	mcpserver.SessionWithProtocolVersion
}

// callSession is a session as one call sees it: its notifications are the call's own.
type callSession struct {
	talker
	out  *outlet
	once sync.Once
	said chan mcp.JSONRPCNotification // nil until something is said
	stop chan struct{}
	done sync.WaitGroup
}

// callRoom is how many notifications may wait for the connection; mcp-go drops more.
const callRoom = 100

// NotificationChannel implements mcp-go's ClientSession.
func (c *callSession) NotificationChannel() chan<- mcp.JSONRPCNotification {
	c.once.Do(func() {
		c.said = make(chan mcp.JSONRPCNotification, callRoom)
		c.done.Go(c.write)
	})
	return c.said
}

func (c *callSession) write() {
	for {
		select {
		case n := <-c.said:
			c.out.event(n)
			continue
		case <-c.stop:
		}
		for {
			select {
			case n := <-c.said:
				c.out.event(n)
			default:
				return
			}
		}
	}
}

// finish waits until everything was written that the call said; what is said later is said to nobody.
func (c *callSession) finish() {
	c.once.Do(func() {})
	close(c.stop)
	c.done.Wait()
}

// drain waits until the notifications of a call have left before its answer does: mcp-go writes both from different goroutines and
// can lose the last one over HTTP (facts: mcp.md 6.3). The bounds are those that passed the conformance suite 20 of 20 times.
func drain(next mcpserver.ToolHandlerFunc) mcpserver.ToolHandlerFunc {
	return func(ctx context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		res, err := next(ctx, r)
		session := mcpserver.ClientSessionFromContext(ctx)
		if session == nil || r.Params.Meta == nil || r.Params.Meta.ProgressToken == nil {
			return res, err
		}
		ch := session.NotificationChannel()
		for range 100 {
			if len(ch) == 0 {
				break
			}
			time.Sleep(time.Millisecond)
		}
		time.Sleep(2 * time.Millisecond)
		return res, err
	}
}
