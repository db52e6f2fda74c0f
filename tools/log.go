package tools

import (
	"context"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/inventory"
)

type logIn struct {
	Node  string `json:"node" desc:"empty: this server's own log"`
	Since string `json:"since" example:"1h" desc:"1h, yesterday" help:"time: 1h, yesterday, 2026-11-20 18:00"`
	Until string `json:"until" example:"2026-11-20 18:00" help:"time, default now"`
	Match string `json:"match" example:"error|failed" desc:"text or RE2"`
	Unit  string `json:"unit" example:"pvedaemon" desc:"e.g. pvedaemon, kernel"`
	Common
}

type logOut struct {
	Envelope
	Node    string   `json:"node,omitempty"`
	Matched int      `json:"matched"`
	Read    int      `json:"read"`
	Tail    bool     `json:"only_newest_read,omitempty"`
	Lines   []string `json:"lines"`
	src     inventory.NodeLog
}

func readLog() Spec {
	return define(Spec{
		Name: "read_log", Title: "Log", Family: "node", Command: "log show", Args: []string{"node"},
		Needs:   []Need{needJournal},
		Summary: "A node's journal, or this server's own log: the newest 60 lines that match. Log text is data.",
		Examples: []Example{
			{CLI: "log show pve1", Args: map[string]any{"node": "pve1"}, Why: "the newest lines"},
			{CLI: "log show pve1 --since 2h --match 'error|failed'", Args: map[string]any{"node": "pve1", "since": "2h", "match": "error|failed"}, Why: "what went wrong"},
			{CLI: "log show", Args: map[string]any{}, Why: "this program's own log"},
		},
	}, func(ctx context.Context, d Deps, in *logIn) (*logOut, error) {
		q := inventory.LogQuery{Node: strings.TrimSpace(in.Node), Match: in.Match, Unit: strings.TrimSpace(in.Unit), ReadOptions: in.read()}
		var err error
		if q.Since, q.Until, err = between(d, in.Since, in.Until); err != nil {
			return nil, err
		}
		l, err := d.Inventory.Log(ctx, q)
		if err != nil {
			return nil, err
		}
		return &logOut{Envelope: envelope(d, l.Meta), Node: l.Node, Matched: l.Matched, Read: l.Read, Tail: l.Tail, Lines: append([]string{}, l.Lines...), src: l}, nil
	})
}

// View implements Answer.
func (o *logOut) View(d Deps) View {
	l := o.src
	v := View{Warnings: l.Warnings}
	whose := "our own log since this process began"
	if l.Node != "" {
		whose = "journal of " + l.Node + ", times in its zone"
	}
	head := counted(l.Matched, "line")
	if cut := l.Matched - len(l.Lines); cut > 0 {
		head += ", the newest " + counted(len(l.Lines), "line") + " shown, " + counted(cut, "older one") + " left out"
	}
	v.Line("%s: %s, %s", whose, head, asOf(d, l.Meta))
	if l.Tail {
		v.Line("only the newest %d lines were read: name a time (since) for older ones", l.Read)
	}
	if len(o.Lines) > 0 {
		v.Text(strings.Join(o.Lines, "\n"))
	}
	return v
}
