package app

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/proxmox-mcp/proxmox-mcp/internal/buildinfo"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
	"github.com/proxmox-mcp/proxmox-mcp/server"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// listener is a client's session that keeps what it is told.
type listener struct {
	id  string
	got chan mcp.JSONRPCNotification
}

func (l *listener) SessionID() string                                   { return l.id }
func (l *listener) NotificationChannel() chan<- mcp.JSONRPCNotification { return l.got }
func (l *listener) Initialize()                                         {}
func (l *listener) Initialized() bool                                   { return true }

// TestThousandSubscribers: a thousand sessions that watch one guest cost Proxmox VE what one costs, a look at the cluster every 10 s; each hears of
// a change within a tick, once.
func TestThousandSubscribers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMatrixRig(t, &faultRow{})
		defer m.close()
		if _, err := m.sync(); err != nil {
			t.Fatal(err)
		}
		l := &lazy{open: func(context.Context) (*parts, error) { return m.parts, nil }, clusters: []string{"lab"}}
		deps := func(context.Context) (tools.Deps, error) {
			return tools.Deps{Inventory: m.parts.inv, Now: time.Now, Zone: time.UTC}, nil
		}
		res, prm := newParts(l, deps, func(context.Context, string) bool { return true }, slog.New(slog.DiscardHandler))
		srv := server.New(server.Options{Version: buildinfo.Read().Version, Specs: tools.All(), Logger: slog.New(slog.DiscardHandler), Deps: deps, Parts: []server.Part{res, prm}})
		ctx, end := context.WithCancel(t.Context())
		go res.Serve(ctx)
		uri := "pve://lab/guests/" + strconv.Itoa(stoppedID)
		subscribe := func(n int) []*listener {
			var all []*listener
			for k := range n {
				one := &listener{fmt.Sprint(n, "/", k), make(chan mcp.JSONRPCNotification, 10)}
				srv.HandleMessage(server.WithIdentity(srv.WithContext(t.Context(), one), server.Identity{Principal: server.LocalPrincipal(), Scope: server.Everything()}),
					fmt.Appendf(nil, `{"jsonrpc":"2.0","id":1,"method":"resources/subscribe","params":{"uri":%q}}`, uri))
				all = append(all, one)
			}
			return all
		}
		cost := func() (looks, requests int) {
			time.Sleep(30 * time.Second)
			m.sim.ResetStats()
			time.Sleep(10 * time.Minute)
			return m.sim.Stats().ByRoute["GET /cluster/resources"], m.sim.Stats().Requests
		}
		all := subscribe(1)
		one, oneAll := cost()
		all = append(all, subscribe(999)...)
		thousand, thousandAll := cost()
		t.Logf("10 minutes: %d looks at the cluster and %d requests for one subscriber, %d and %d for a thousand", one, oneAll, thousand, thousandAll)
		if one < 55 || one > 61 || thousand > 61 || thousandAll > oneAll+oneAll/20 {
			t.Errorf("10 minutes cost %d looks, %d requests for one subscriber, and %d, %d for a thousand", one, oneAll, thousand, thousandAll)
		}
		m.sim.Update(func(w *pvesim.World) { w.SetStatus(stoppedID, "running") })
		time.Sleep(35 * time.Second)
		for k, s := range all {
			if n := len(s.got); n != 1 {
				t.Fatalf("session %d was told %d times", k, n)
			}
			if got := fmt.Sprint((<-s.got).Params.AdditionalFields["uri"]); got != uri {
				t.Fatalf("told of %s", got)
			}
		}
		if !slices.Contains(l.names(), "lab") {
			t.Error(l.names())
		}
		end()
		synctest.Wait()
	})
}
