package cli_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/proxmox-mcp/proxmox-mcp/app"
	"github.com/proxmox-mcp/proxmox-mcp/cli"
	"github.com/proxmox-mcp/proxmox-mcp/config"
	"github.com/proxmox-mcp/proxmox-mcp/internal/redact"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
)

// TestMain lets scripts and tests start this test binary as the program.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"proxmox-mcp": func() {
			ctx, stop := cli.Signals()
			code := cli.Run(ctx, app.New(), os.Args[1:], cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr})
			stop()
			os.Exit(code)
		},
		// stubborn does not end by itself when it is interrupted.
		"stubborn": func() {
			ctx, _ := cli.Signals()
			fmt.Println("ready")
			<-ctx.Done()
			fmt.Println("interrupted")
			select {}
		},
	})
}

// worlds are the simulated clusters that scripts ask for.
func worlds(name string) (*pvesim.World, error) {
	now := time.Now()
	switch name {
	case "demo":
		return pvesim.DemoWorld(now), nil
	case "healthy":
		w := pvesim.GenerateWorld(pvesim.GenOptions{Seed: 3, Nodes: 2, Guests: 60, Now: now})
		return w, nil
	}
	return nil, fmt.Errorf("no world %q", name)
}

// simulate starts a cluster and writes a configuration for it below home.
func simulate(world *pvesim.World, home string, opts ...pvesim.Option) (*pvesim.Sim, func(), error) {
	token := world.RootToken()
	sim := pvesim.New(world, opts...)
	end, err := sim.Start("")
	if err != nil {
		return nil, nil, err
	}
	stop := func() { _ = end.Close() }
	err = config.SaveCluster(configFile(home), config.Cluster{Name: "home", Endpoints: []string{end.URL}, Token: redact.NewSecret(token),
		Fingerprints: []string{end.Fingerprint}}, true)
	return sim, stop, err
}

func configFile(home string) string {
	return config.DefaultPath(config.LoadOptions{GOOS: runtime.GOOS, Home: home, Env: func(string) string { return "" }})
}

// TestScripts runs testdata/script. Beside the usual commands there are
//
//	sim demo|healthy    start that cluster and configure it in $HOME
//	code N ARGS...      run the program and compare its exit code
//	allow               let everything happen that an operator can allow
//	append FILE MORE    add a file to another one
//	calls [none]        the API calls since the last time were some, or none
func TestScripts(t *testing.T) {
	sims := func(ts *testscript.TestScript) *pvesim.Sim {
		s, _ := ts.Value(simKey{}).(**pvesim.Sim)
		return *s
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			home := filepath.Join(env.WorkDir, "home")
			env.Setenv("HOME", home)
			env.Setenv("USERPROFILE", home)
			env.Values[simKey{}] = new(*pvesim.Sim)
			return os.MkdirAll(home, 0o700)
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"sim": func(ts *testscript.TestScript, _ bool, args []string) {
				w, err := worlds(args[0])
				ts.Check(err)
				sim, stop, err := simulate(w, ts.Getenv("HOME"))
				ts.Check(err)
				ts.Defer(stop)
				slot, _ := ts.Value(simKey{}).(**pvesim.Sim)
				*slot = sim
			},
			"code": func(ts *testscript.TestScript, _ bool, args []string) {
				want, err := strconv.Atoi(args[0])
				ts.Check(err)
				if got := exitCode(ts.Exec("proxmox-mcp", args[1:]...)); got != want {
					ts.Fatalf("%s: exit code %d, want %d", strings.Join(args[1:], " "), got, want)
				}
			},
			"allow": func(ts *testscript.TestScript, _ bool, _ []string) {
				ts.Check(ts.Exec("proxmox-mcp", "db", "path"))
				ts.Check(allowAll(t.Context(), ts.Getenv("HOME"), strings.TrimSpace(ts.ReadFile("stdout"))))
			},
			"append": func(ts *testscript.TestScript, _ bool, args []string) {
				ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(ts.ReadFile(args[0])+"\n"+ts.ReadFile(args[1])), 0o600))
			},
			"calls": func(ts *testscript.TestScript, _ bool, args []string) {
				n := len(sims(ts).Requests())
				sims(ts).ResetStats()
				if none := len(args) > 0 && args[0] == "none"; none != (n == 0) {
					ts.Fatalf("%d API calls", n)
				}
			},
		},
	})
}

type simKey struct{}

func exitCode(err error) int {
	if err == nil {
		return 0
	}
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		return e.ExitCode()
	}
	return -1
}
