package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/server"
)

// httpServer is a server process that was told to listen on a port of its own choice.
type httpServer struct {
	t    *testing.T
	cmd  *exec.Cmd
	url  string // of the MCP endpoint
	base string // without the path
	ends sync.WaitGroup
}

var served = regexp.MustCompile(`http://\S+` + server.MCPPath)

// startHTTP starts a command and waits until it prints its address; it ends with the test.
func startHTTP(t *testing.T, env []string, command ...string) *httpServer {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Env = env
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = write, write
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = write.Close()
	s := &httpServer{t: t, cmd: cmd}
	found := make(chan string, 1)
	s.ends.Go(func() {
		for lines := bufio.NewScanner(read); lines.Scan(); {
			if u := served.FindString(lines.Text()); u != "" {
				select {
				case found <- u:
				default:
				}
			}
		}
		close(found)
	})
	t.Cleanup(func() { cancel(); _ = cmd.Wait(); s.ends.Wait(); _ = read.Close() })
	select {
	case s.url = <-found:
	case <-time.After(time.Minute):
	}
	if s.url == "" {
		t.Fatalf("%s did not say where it serves", filepath.Base(command[0]))
	}
	s.base = strings.TrimSuffix(s.url, server.MCPPath)
	return s
}

// demoHTTP is the demo world behind the program's own HTTP door, with the old transport as well.
func demoHTTP(t *testing.T, more ...string) *httpServer {
	t.Helper()
	args := append([]string{program(t), "demo", "--serve", "--http", "127.0.0.1:0", "--sse"}, more...)
	return startHTTP(t, []string{"HOME=" + t.TempDir(), "TZ=UTC"}, args...)
}

// serveHTTP is the program over the cluster, at every HTTP transport.
func (c *cluster) serveHTTP(t *testing.T, more ...string) *httpServer {
	t.Helper()
	return startHTTP(t, c.env, append([]string{program(t), "serve", "--http", "127.0.0.1:0", "--sse"}, more...)...)
}

// configure adds sections to the cluster's configuration.
func (c *cluster) configure(t *testing.T, yaml string) {
	t.Helper()
	i := slices.IndexFunc(c.env, func(v string) bool { return strings.HasPrefix(v, "HOME=") })
	file, err := os.OpenFile(filepath.Join(strings.TrimPrefix(c.env[i], "HOME="), ".config", "proxmox-mcp", "config.yaml"), os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = file.WriteString(yaml)
		err = errors.Join(err, file.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// memory is a line of the process's status file, in bytes.
func (s *httpServer) memory(key string) float64 {
	return (&client{t: s.t, cmd: s.cmd}).memory(key)
}

// reply is what a request over HTTP was answered.
type reply struct {
	code   int
	header http.Header
	body   string
}

// send sends one request with headers as pairs; a Host among them is that of the request.
func (s *httpServer) send(method, path string, body io.Reader, headers ...string) reply {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.base+path, body)
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	for i := 0; i+1 < len(headers); i += 2 {
		if r.Header.Set(headers[i], headers[i+1]); headers[i] == "Host" {
			r.Host = headers[i+1]
		}
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	return reply{res.StatusCode, res.Header, string(raw)}
}

// eras are the two ways to call over Streamable HTTP: with a session, and each request by itself.
var eras = []string{"2025-11-25", "2026-07-28"}

// caller calls tools over Streamable HTTP in one era; elicits says that it declares forms.
type caller struct {
	s       *httpServer
	modern  bool
	elicits bool
	headers []string // of every request
	session string
	id      int
}

// headers are those of every request, such as a credential.
func (s *httpServer) caller(era string, elicits bool, headers ...string) *caller {
	s.t.Helper()
	c := &caller{s: s, modern: era == "2026-07-28", elicits: elicits, headers: headers}
	if !c.modern {
		r := s.send("POST", server.MCPPath, strings.NewReader(`{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":`+c.capabilities()+`,"clientInfo":{"name":"t","version":"1"}}}`), headers...)
		if r.code != http.StatusOK {
			s.t.Fatalf("initialize: %d %s", r.code, r.body)
		}
		c.session = r.header.Get("Mcp-Session-Id")
		c.headers = append(slices.Clip(headers), "Mcp-Session-Id", c.session, "Mcp-Protocol-Version", "2025-11-25")
	}
	return c
}

func (c *caller) capabilities() string {
	if c.elicits {
		return `{"elicitation":{"form":{}}}`
	}
	return `{}`
}

// call calls a tool with params beside name and arguments, and gives the message as it came.
func (c *caller) call(tool string, arguments, more map[string]any) (reply, map[string]any) {
	c.s.t.Helper()
	params := map[string]any{"name": tool, "arguments": arguments}
	headers := c.headers
	if c.modern {
		params["_meta"] = map[string]any{"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": json.RawMessage(c.capabilities()),
			"io.modelcontextprotocol/clientInfo": map[string]any{"name": "t", "version": "1"}}
		headers = append(slices.Clip(headers), "Mcp-Protocol-Version", "2026-07-28", "Mcp-Method", "tools/call", "Mcp-Name", tool)
	}
	maps.Copy(params, more)
	c.id++
	raw, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": c.id, "method": "tools/call", "params": params})
	if err != nil {
		c.s.t.Fatal(err)
	}
	r := c.s.send("POST", server.MCPPath, bytes.NewReader(raw), headers...)
	return r, message(c.s.t, r.body)
}

// message is the JSON-RPC message of an answer, the last one where a stream brought it.
func message(t *testing.T, body string) map[string]any {
	t.Helper()
	if i := strings.LastIndex(body, "data: "); i >= 0 {
		body = body[i+len("data: "):]
	}
	return decode[map[string]any](t, body)
}

// text is the text of a tool's result in a message.
func text(m map[string]any) string {
	result, _ := m["result"].(map[string]any)
	content, _ := result["content"].([]any)
	out := ""
	for _, c := range content {
		out += fmt.Sprint(c.(map[string]any)["text"])
	}
	return out
}
