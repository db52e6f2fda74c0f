package app

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

// client is the smallest MCP client: one call at a time over the stdio transport of revision 2025-11-25.
type client struct {
	out  io.Writer
	in   *bufio.Reader
	next int
}

// connectClient shakes hands. It declares nothing, so that the server never asks back.
func connectClient(out io.Writer, in io.Reader) (*client, error) {
	a := &client{out: out, in: bufio.NewReader(in)}
	err := a.ask(context.Background(), "initialize", map[string]any{"protocolVersion": "2025-11-25", "capabilities": map[string]any{},
		"clientInfo": map[string]any{"name": "proxmox-mcp demo", "version": "1"}}, nil)
	if err == nil {
		err = a.send(map[string]any{"jsonrpc": "2.0", "method": "notifications/initialized"})
	}
	return a, err
}

func (a *client) send(message map[string]any) error {
	raw, err := json.Marshal(message)
	if err != nil {
		return err
	}
	_, err = a.out.Write(append(raw, '\n'))
	return err
}

// ask sends a request and reads until its answer comes; notifications on the way are dropped.
func (a *client) ask(ctx context.Context, method string, params map[string]any, into any) error {
	a.next++
	id := a.next
	if err := a.send(map[string]any{"jsonrpc": "2.0", "id": id, "method": method, "params": params}); err != nil {
		return err
	}
	for ctx.Err() == nil {
		line, err := a.in.ReadBytes('\n')
		if err != nil {
			return fault.Wrap(fault.Internal, err, "the demo's server ended before it answered %s", method)
		}
		var m struct {
			ID     json.RawMessage
			Result json.RawMessage
			Error  *struct{ Message string }
		}
		if err := json.Unmarshal(line, &m); err != nil {
			return fault.Wrap(fault.Internal, err, "the demo's server answered what is no JSON")
		}
		switch {
		case !bytes.Equal(m.ID, fmt.Append(nil, id)):
			continue
		case m.Error != nil:
			return fault.New(fault.Internal, "%s: %s", method, m.Error.Message)
		case into == nil:
			return nil
		}
		return json.Unmarshal(m.Result, into)
	}
	return ctx.Err()
}

// call calls a tool and returns the text that a model reads, an error's as well.
func (a *client) call(ctx context.Context, tool string, args json.RawMessage) (string, error) {
	var res struct{ Content []struct{ Text string } }
	if err := a.ask(ctx, "tools/call", map[string]any{"name": tool, "arguments": args}, &res); err != nil {
		return "", err
	}
	if len(res.Content) == 0 {
		return "", fault.New(fault.Internal, "%s answered nothing", tool)
	}
	return res.Content[0].Text, nil
}

// listed counts the tools, and those of them that are not marked as only reading.
func (a *client) listed(ctx context.Context) (all, changing int, err error) {
	var res struct {
		Tools []struct {
			Annotations struct{ ReadOnlyHint bool }
		}
	}
	if err := a.ask(ctx, "tools/list", map[string]any{}, &res); err != nil {
		return 0, 0, err
	}
	for _, t := range res.Tools {
		if !t.Annotations.ReadOnlyHint {
			changing++
		}
	}
	return len(res.Tools), changing, nil
}
