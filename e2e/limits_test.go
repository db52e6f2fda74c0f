package e2e

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
)

// The limits below are those of DESIGN §10, as ratios or differences to an echo server on the same library, measured in the same run
// and in turn, so that a slow or busy machine slows both. A limit counts as met when one of a few rounds meets it: noise only adds.
const (
	rounds          = 8
	coldStartRatio  = 1.5
	stdioOverEcho   = 60 * time.Microsecond
	echoReference   = 40 * time.Microsecond // the echo call on the machine that the budget was set on (performance.md 6, P02)
	firstOverview   = 500 * time.Millisecond
	binaryLimit     = 30 << 20
	coldStartRuns   = 21
	latencyCalls    = 1500
	thousand        = 1000
	thousandOnNodes = 5
)

// timed skips a limit that is a time where other tests run beside it: make test runs these once more, one package at a time, without
// the race detector and with LIMITS set.
func timed(t *testing.T) {
	t.Helper()
	if raceEnabled || os.Getenv("LIMITS") == "" {
		t.Skip("times are measured alone: LIMITS=1 go test -p 1 -run TestLimit ./e2e")
	}
}

func echoServer(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "echo")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-ldflags=-s -w", "-o", bin, "./echo").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return bin
}

// client speaks JSON-RPC over the pipes of a server process.
type client struct {
	t   *testing.T
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
	id  int
}

func start(t *testing.T, env []string, command ...string) *client {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), command[0], command[1:]...)
	cmd.Env = env
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return &client{t: t, cmd: cmd, in: in, out: bufio.NewReaderSize(out, 1<<20)}
}

func (c *client) close() {
	_ = c.in.Close()
	_ = c.cmd.Wait()
}

func (c *client) send(method string, params string) {
	c.id++
	if _, err := fmt.Fprintf(c.in, `{"jsonrpc":"2.0","id":%d,"method":%q,"params":%s}`+"\n", c.id, method, params); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) call(method, params string) string {
	c.send(method, params)
	line, err := c.out.ReadString('\n')
	if err != nil {
		c.t.Fatalf("%s: %v", method, err)
	}
	return line
}

func (c *client) handshake() {
	c.call("initialize", `{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"bench","version":"1"}}`)
	if _, err := io.WriteString(c.in, `{"jsonrpc":"2.0","method":"notifications/initialized"}`+"\n"); err != nil {
		c.t.Fatal(err)
	}
}

// coldStart is the time from starting the process to the answer of the first tools/list.
func coldStart(t *testing.T, env []string, command ...string) time.Duration {
	began := time.Now()
	c := start(t, env, command...)
	c.handshake()
	c.call("tools/list", `{}`)
	took := time.Since(began)
	c.close()
	return took
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}

// TestLimitColdStart compares the start of `serve` with that of the echo server.
func TestLimitColdStart(t *testing.T) {
	timed(t)
	echo, ours := echoServer(t), program(t)
	env := startCluster(t, pvesim.GenerateWorld(pvesim.GenOptions{Seed: 1, Nodes: 1, Guests: 1, Now: time.Now()}), recordedToken).env
	best := 100.0
	for range rounds {
		var a, b []time.Duration
		for range coldStartRuns {
			a = append(a, coldStart(t, env, ours, "serve"))
			b = append(b, coldStart(t, env, echo))
		}
		ratio := float64(median(a)) / float64(median(b))
		t.Logf("cold start to tools/list: %s, echo %s, ratio %.2f (limit %.2f)", median(a), median(b), ratio, coldStartRatio)
		if best = min(best, ratio); best <= coldStartRatio {
			return
		}
	}
	t.Errorf("cold start is %.2f times that of the echo server, at most %.2f", best, coldStartRatio)
}

// latency is the median of calls one after the other.
func latency(c *client, params string) time.Duration {
	for range 100 {
		c.call("tools/call", params)
	}
	d := make([]time.Duration, 0, latencyCalls)
	for range latencyCalls {
		began := time.Now()
		c.call("tools/call", params)
		d = append(d, time.Since(began))
	}
	return median(d)
}

// TestLimitReads compares get_guest and page one of find_guests at 1,000 guests with the echo server's answer
// of one word: what our answer is longer counts against us.
func TestLimitReads(t *testing.T) {
	timed(t)
	w := pvesim.GenerateWorld(pvesim.GenOptions{Seed: 7, Nodes: thousandOnNodes, Guests: thousand, Now: time.Now()})
	cl := startCluster(t, w, w.RootToken())
	cl.cli(t, "sync")
	first := decode[struct{ Rows [][]any }](t, cl.cli(t, "guest", "list", "state:running", "-o", "json")).Rows[0][0]
	ours := start(t, cl.env, program(t), "serve")
	defer ours.close()
	echo := start(t, cl.env, echoServer(t))
	defer echo.close()
	ours.handshake()
	echo.handshake()
	for _, c := range []struct{ name, params string }{
		{"get_guest", fmt.Sprintf(`{"name":"get_guest","arguments":{"guest":"%v"}}`, first)},
		{"find_guests", `{"name":"find_guests","arguments":{}}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			answer := decode[struct {
				Result struct {
					IsError bool
					Content []struct{ Text string }
				}
			}](t, ours.call("tools/call", c.params))
			if answer.Result.IsError {
				t.Fatal(answer.Result.Content[0].Text)
			}
			for range rounds {
				mine, ref := latency(ours, c.params), latency(echo, `{"name":"echo","arguments":{"text":"hello"}}`)
				// A machine that is slower at the echo is as much slower at the rest.
				limit := time.Duration(float64(stdioOverEcho) * max(1, float64(ref)/float64(echoReference)))
				t.Logf("%s p50 %s, echo %s, over by %s (limit %s)", c.name, mine, ref, mine-ref, limit)
				if mine-ref <= limit {
					return
				}
			}
			t.Error("the median is over the limit in each round")
		})
	}
}

// TestLimitFirstOverview asks for an overview of 60 guests on a Proxmox VE that takes 20 ms a call, with an empty store.
func TestLimitFirstOverview(t *testing.T) {
	timed(t)
	best := time.Hour
	for range rounds {
		w := pvesim.GenerateWorld(pvesim.GenOptions{Seed: 3, Nodes: 3, Guests: 60, Now: time.Now()})
		cl := startCluster(t, w, w.RootToken(), pvesim.WithLatency(pvesim.Latency{Fixed: 20 * time.Millisecond}))
		c := start(t, cl.env, program(t), "serve")
		c.handshake()
		began := time.Now()
		answer := decode[struct {
			Result struct {
				IsError bool
				Content []struct{ Text string }
			}
		}](t, c.call("tools/call", `{"name":"get_overview","arguments":{}}`))
		took := time.Since(began)
		c.close()
		if answer.Result.IsError {
			t.Fatal(answer.Result.Content[0].Text)
		}
		t.Logf("first overview %s (limit %s, ratio %.2f)", took, firstOverview, float64(took)/float64(firstOverview))
		if best = min(best, took); best < firstOverview {
			return
		}
	}
	t.Errorf("the first overview took %s, less than %s wanted", best, firstOverview)
}

// TestLimitBinary bounds the size of the program.
func TestLimitBinary(t *testing.T) {
	info, err := os.Stat(program(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("binary %.1f MB (limit %.1f)", float64(info.Size())/1e6, float64(binaryLimit)/1e6)
	if info.Size() > binaryLimit {
		t.Errorf("the binary has %d bytes, at most %d", info.Size(), binaryLimit)
	}
}
