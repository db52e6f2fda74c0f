package server

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/inventory"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// pageStub answers a page of 50 guests.
type pageStub struct{ stub }

func (pageStub) FindGuests(context.Context, inventory.GuestQuery) (inventory.GuestPage, error) {
	p := inventory.GuestPage{Counts: inventory.GuestCounts{Total: 1000, Running: 1000, VMs: 1000}}
	for i := range 50 {
		p.Rows = append(p.Rows, inventory.Guest{VMID: 1000 + i, Name: fmt.Sprintf("web-%d", i), Type: "qemu", Node: "node01", State: "running"})
	}
	return p, nil
}

// BenchmarkStdio is the cost of a call through the whole door, over pipes in one process: list_nodes answers a line, find_guests 2 KB.
func BenchmarkStdio(b *testing.B) {
	for _, tool := range []string{"list_nodes", "find_guests"} {
		b.Run(tool, func(b *testing.B) {
			log := slog.New(slog.DiscardHandler)
			srv := New(Options{Version: "test", Specs: tools.All(), Logger: log, Deps: func(context.Context) (tools.Deps, error) {
				return tools.Deps{Inventory: pageStub{}, Now: time.Now, Zone: time.UTC}, nil
			}})
			in, feed := io.Pipe()
			read, out := io.Pipe()
			done := make(chan error, 1)
			go func() { done <- ServeStdio(b.Context(), srv, in, out, log) }()
			lines := bufio.NewReaderSize(read, 1<<20)
			msg := []byte(call(7, tool, `{}`) + "\n")
			for b.Loop() {
				if _, err := feed.Write(msg); err != nil {
					b.Fatal(err)
				}
				if _, err := lines.ReadString('\n'); err != nil {
					b.Fatal(err)
				}
			}
			_ = feed.Close()
			if err := <-done; err != nil {
				b.Fatal(err)
			}
		})
	}
}

// BenchmarkHTTP is the cost of a call through the HTTP door without its network.
func BenchmarkHTTP(b *testing.B) {
	for _, tool := range []string{"list_nodes", "find_guests"} {
		b.Run(tool, func(b *testing.B) {
			log := slog.New(slog.DiscardHandler)
			h := NewHTTP(New(Options{Version: "test", Specs: tools.All(), Logger: log, Deps: func(context.Context) (tools.Deps, error) {
				return tools.Deps{Inventory: pageStub{}, Now: time.Now, Zone: time.UTC}, nil
			}}), HTTPOptions{Logger: log})
			id := request(h, "POST", "/mcp", initialize).Header().Get("Mcp-Session-Id")
			for b.Loop() {
				if w := request(h, "POST", "/mcp", call(7, tool, `{}`), "Mcp-Session-Id", id); w.Code != 200 {
					b.Fatal(w.Body)
				}
			}
		})
	}
}
