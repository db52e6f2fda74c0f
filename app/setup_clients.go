package app

import (
	"fmt"
	"slices"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/clients"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// clientDone is what became of one client's file.
type clientDone struct {
	ID      string   `json:"client"`
	Title   string   `json:"title"`
	Path    string   `json:"file"`
	Action  string   `json:"action"` // add, update, remove, none
	Written bool     `json:"written"`
	Diff    []string `json:"diff,omitempty"`
	Backup  string   `json:"backup,omitempty"`
	Error   string   `json:"error,omitempty"`
	Hint    string   `json:"hint,omitempty"`
}

func (s *setup) world() clients.World { return clients.World{GOOS: s.GOOS, Home: s.Home, Env: s.Env} }

// clientsChecked refuses names of clients that do not exist, and a script that lacks the yes to write their files, before anything is done.
func (s *setup) clientsChecked() error {
	known := append(clients.IDs(s.world()), "all", "none")
	for _, id := range s.o.Clients {
		if !slices.Contains(known, id) {
			return fault.BadField("clients", "must be of "+strings.Join(known, ", "), "claude-code,vscode")
		}
	}
	named := s.o.Remove || len(s.o.Clients) > 0 && !slices.Contains(s.o.Clients, "none")
	if named && s.o.Alone && !s.o.Yes && !s.o.DryRun {
		return fault.New(fault.Invalid, "nobody is here to agree to changes of the clients' files; nothing was done").
			WithHint("add --yes to write them, or --dry-run to look only")
	}
	return nil
}

// chosen are the clients whose files are looked at.
func (s *setup) chosen() []clients.Client {
	list := clients.Known(s.world())
	ids := s.o.Clients
	return slices.DeleteFunc(list, func(c clients.Client) bool {
		switch {
		case slices.Contains(ids, "none"):
			return true
		case len(ids) == 0 && s.o.Alone && !s.o.Yes && !s.o.DryRun:
			return true // a script that does not name clients means none
		case len(ids) == 0 || slices.Contains(ids, "all"):
			return !c.Found
		}
		return !slices.Contains(ids, c.ID)
	})
}

// entry is what clients start: this program as it runs now, with the same configuration and store.
func (s *setup) entry() clients.Server {
	words := append(selfCommand(), "serve")
	for _, f := range s.ownFlags(s.g) {
		words = append(words, f[0], f[1])
	}
	return clients.Server{Name: s.o.ServerName, Command: words}
}

// register adds the entry to the clients' files, or takes it out: everything is worked out and shown first, then written after a yes.
func (s *setup) register(remove bool) error {
	if remove {
		if err := s.clientsChecked(); err != nil {
			return err
		}
		if len(s.o.Clients) == 0 {
			s.o.Clients = []string{"all"}
		}
	}
	list := s.chosen()
	edits := make([]clients.Edit, len(list))
	open := false
	for k, c := range list {
		var err error
		if remove {
			edits[k], err = c.Take(s.entry())
		} else {
			edits[k], err = c.Put(s.entry())
		}
		done := clientDone{ID: c.ID, Title: c.Title, Path: c.Path, Action: edits[k].Action, Diff: edits[k].Diff}
		if err != nil {
			e := fault.Of(err)
			done.Error, done.Hint = e.Error(), e.Hint
		}
		s.out.Clients = append(s.out.Clients, done)
		s.preview(done)
		open = open || err == nil && done.Action != clients.None
	}
	if !open || s.o.DryRun {
		return nil
	}
	if err := s.agreed(remove); err != nil {
		return err
	}
	s.write(edits)
	return nil
}

func (s *setup) preview(c clientDone) {
	switch {
	case c.Error != "":
		s.t.Say("\n%s: %s", c.Title, c.Error)
	case c.Action != clients.None:
		s.t.Say("\n%s: %s in %s", c.Title, map[string]string{clients.Add: "a new entry", clients.Update: "another entry", clients.Remove: "the entry goes"}[c.Action], c.Path)
		for _, l := range c.Diff {
			s.t.Say("  %s", l)
		}
	}
}

// agreed asks whoever is there. A no leaves the files alone, and the rest of setup goes on.
func (s *setup) agreed(remove bool) error {
	if s.o.Yes {
		return nil
	}
	question := "Add it to " + s.howMany() + "?"
	if remove {
		question = "Take it out of " + s.howMany() + "?"
	}
	ok, err := s.yes(question + " Each file is kept as a copy.")
	if err == nil && !ok {
		s.o.DryRun = true
	}
	return err
}

func (s *setup) howMany() string {
	n := 0
	for _, c := range s.out.Clients {
		if c.Error == "" && c.Action != clients.None {
			n++
		}
	}
	if n == 1 {
		return "this client"
	}
	return fmt.Sprintf("these %d clients", n)
}

func (s *setup) write(edits []clients.Edit) {
	if s.o.DryRun { // somebody said no
		return
	}
	for k := range edits {
		c := &s.out.Clients[k]
		if c.Error != "" || c.Action == clients.None {
			continue
		}
		var err error
		if c.Backup, err = edits[k].Write(s.Clock()); err != nil {
			e := fault.Of(err)
			c.Error, c.Hint = e.Error(), e.Hint
			continue
		}
		c.Written = true
	}
}

// clientsView says what became of the files; failed says that one could not be changed.
func (s *setup) clientsView(v *tools.View) (failed bool) {
	t := tools.Table{Name: "clients", Main: true, Columns: []string{"client", "what", "file", "copy of the old one"}}
	for _, c := range s.out.Clients {
		what := map[string]string{clients.None: "as it was", clients.Add: "added", clients.Update: "updated", clients.Remove: "removed"}[c.Action]
		switch {
		case c.Error != "":
			failed, what = true, c.Error
			if c.Hint != "" {
				what += "; " + c.Hint
			}
		case c.Action != clients.None && !c.Written:
			what = "not written"
		}
		t.Rows = append(t.Rows, []string{c.Title, what, c.Path, c.Backup})
	}
	switch {
	case len(t.Rows) > 0:
		v.Table(t)
		if slices.ContainsFunc(s.out.Clients, func(c clientDone) bool { return c.Written }) {
			v.Line("Restart these clients: they read their files when they start.")
		}
	case s.o.Remove:
		v.Line("No client is here that has it.")
	case s.out.Recipe == nil && len(s.o.Clients) == 0:
		e := s.entry()
		v.Line("Any MCP client over stdio starts: %s", shellLine(e.Command))
	}
	return failed
}
