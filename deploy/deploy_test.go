// Package deploy checks what this folder installs with, without building an image or a release: the files parse, name what exists, and agree
// with each other and with the program.
package deploy

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"

	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func decode[T any](t *testing.T, path string) (v T) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(read(t, path)))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return v
}

// TestManifestTools keeps the list of tools in the bundle's manifest: those that a host sees before anything is allowed.
func TestManifestTools(t *testing.T) {
	path := filepath.Join("mcpb", "manifest.json")
	text := read(t, path)
	var rows []string
	for _, s := range tools.Listed(tools.R0) {
		b, err := json.Marshal(map[string]string{"name": s.Name, "description": s.Title})
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, "    "+string(b))
	}
	list := regexp.MustCompile(`(?s)"tools": \[.*?\n?  ?\],|"tools": \[\],`)
	want := list.ReplaceAllLiteralString(text, `"tools": [`+"\n"+strings.Join(rows, ",\n")+"\n  ],")
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(path, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
		text = want
	}
	if diff := cmp.Diff(text, want); diff != "" {
		t.Errorf("UPDATE_GOLDEN=1 go test ./deploy writes it anew:\n%s", diff)
	}
}

// serverJSON is the part of the registry's schema (2025-12-11) that server.json uses. The schema itself is not kept here: what it demands of these
// fields is checked below.
type serverJSON struct {
	Schema      string `json:"$schema"`
	Name        string `json:"name"`
	Title       string `json:"title"`
	Description string `json:"description"`
	Version     string `json:"version"`
	Repository  struct {
		URL    string `json:"url"`
		Source string `json:"source"`
	} `json:"repository"`
	WebsiteURL string `json:"websiteUrl"`
	Packages   []struct {
		RegistryType     string `json:"registryType"`
		Identifier       string `json:"identifier"`
		RuntimeHint      string `json:"runtimeHint"`
		RuntimeArguments []struct {
			Type        string `json:"type"`
			Name        string `json:"name"`
			Value       string `json:"value"`
			Description string `json:"description"`
		} `json:"runtimeArguments"`
		Transport struct {
			Type string `json:"type"`
		} `json:"transport"`
		EnvironmentVariables []struct {
			Name        string `json:"name"`
			Description string `json:"description"`
			Placeholder string `json:"placeholder"`
			IsRequired  bool   `json:"isRequired"`
			IsSecret    bool   `json:"isSecret"`
		} `json:"environmentVariables"`
	} `json:"packages"`
}

// TestServerJSON: name, lengths and kinds are as the registry's schema wants them, the image is the one that is released, and the token is a secret.
func TestServerJSON(t *testing.T) {
	s := decode[serverJSON](t, "server.json")
	if s.Schema != "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json" {
		t.Errorf("schema %s", s.Schema)
	}
	if !regexp.MustCompile(`^[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+$`).MatchString(s.Name) || len(s.Name) > 200 {
		t.Errorf("name %s", s.Name)
	}
	for what, n := range map[string]int{"title": len(s.Title), "description": len(s.Description)} {
		if n == 0 || n > 100 {
			t.Errorf("%s has %d characters, 1 to 100 are taken", what, n)
		}
	}
	if s.Version == "" || s.Version == "latest" || s.Repository.URL == "" || s.Repository.Source != "github" || len(s.Packages) == 0 {
		t.Errorf("%+v", s)
	}
	images := decodeYAML[releases](t).Images[0].Images
	for _, p := range s.Packages {
		image, tag, _ := strings.Cut(p.Identifier, ":")
		if p.RegistryType != "oci" || !slices.Contains(images, image) || tag != s.Version || p.Transport.Type != "stdio" || p.RuntimeHint == "" {
			t.Errorf("package %+v", p)
		}
		for _, a := range p.RuntimeArguments {
			if a.Type != "named" || a.Name == "" {
				t.Errorf("argument %+v", a)
			}
		}
		for _, e := range p.EnvironmentVariables {
			if e.IsSecret != (e.Name == "PROXMOX_VE_API_TOKEN") {
				t.Errorf("%s: secret %v", e.Name, e.IsSecret)
			}
		}
	}
	if label := `io.modelcontextprotocol.server.name="` + s.Name + `"`; !strings.Contains(read(t, "Dockerfile"), label) {
		t.Errorf("the registry looks for the label %s in the image", label)
	}
}

// releases is what is checked of goreleaser.yaml.
type releases struct {
	Version int `yaml:"version"`
	Before  struct {
		Hooks []string `yaml:"hooks"`
	} `yaml:"before"`
	Builds []struct {
		Main    string   `yaml:"main"`
		Ldflags []string `yaml:"ldflags"`
		Env     []string `yaml:"env"`
		Hooks   struct {
			Post []struct{ Cmd string } `yaml:"post"`
		} `yaml:"hooks"`
	} `yaml:"builds"`
	Archives []struct {
		NameTemplate string `yaml:"name_template"`
	} `yaml:"archives"`
	Checksum struct {
		NameTemplate string `yaml:"name_template"`
	} `yaml:"checksum"`
	SBOMs []map[string]any `yaml:"sboms"`
	Debs  []struct {
		Formats  []string `yaml:"formats"`
		Contents []struct {
			Src, Dst string
		} `yaml:"contents"`
		Scripts struct {
			Postinstall string `yaml:"postinstall"`
		} `yaml:"scripts"`
	} `yaml:"nfpms"`
	Images []struct {
		Dockerfile string   `yaml:"dockerfile"`
		Images     []string `yaml:"images"`
		ExtraFiles []string `yaml:"extra_files"`
	} `yaml:"dockers_v2"`
	Casks []struct {
		Manpages    []string          `yaml:"manpages"`
		Completions map[string]string `yaml:"completions"`
	} `yaml:"homebrew_casks"`
}

func decodeYAML[T any](t *testing.T) (v T) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(read(t, "goreleaser.yaml")), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// TestRelease: every file that the release names exists, or is one that its hook writes; the version lands where the program reads it; and the
// names of archives and checksums are those that install.sh fetches.
func TestRelease(t *testing.T) {
	r := decodeYAML[releases](t)
	out := t.TempDir()
	if r.Version != 2 || len(r.Builds) != 1 || len(r.SBOMs) == 0 || len(r.Debs) != 1 || !slices.Contains(r.Debs[0].Formats, "deb") {
		t.Fatalf("%+v", r)
	}
	hook := "go run ./cli/refdocs deploy/man deploy/completions"
	if !slices.Contains(r.Before.Hooks, hook) {
		t.Errorf("no hook writes manual pages and completions: %q", r.Before.Hooks)
	}
	cmd := exec.CommandContext(t.Context(), "go", "run", "../cli/refdocs", filepath.Join(out, "deploy/man"), filepath.Join(out, "deploy/completions"))
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	named := []string{strings.TrimPrefix(r.Builds[0].Main, "./"), r.Images[0].Dockerfile, r.Debs[0].Scripts.Postinstall}
	for _, h := range append(r.Before.Hooks, r.Builds[0].Hooks.Post[0].Cmd) {
		if word, _, _ := strings.Cut(h, " "); word != "go" {
			named = append(named, strings.TrimPrefix(word, "./"))
		}
	}
	named = append(append(named, r.Images[0].ExtraFiles...), r.Casks[0].Manpages...)
	for _, c := range r.Debs[0].Contents {
		named = append(named, c.Src)
	}
	for _, path := range r.Casks[0].Completions {
		named = append(named, path)
	}
	for _, path := range named {
		here, err1 := filepath.Glob(filepath.Join("..", path))
		made, err2 := filepath.Glob(filepath.Join(out, path))
		if err1 != nil || err2 != nil || len(here)+len(made) == 0 {
			t.Errorf("%s is named and not there", path)
		}
	}
	if flags := strings.Join(r.Builds[0].Ldflags, " "); !strings.Contains(flags, "internal/buildinfo.version=v{{ .Version }}") ||
		!strings.Contains(read(t, "../internal/buildinfo/buildinfo.go"), "\nvar version = ") || !slices.Contains(r.Builds[0].Env, "CGO_ENABLED=0") {
		t.Errorf("ldflags %s", flags)
	}
	script := read(t, "install.sh")
	name := strings.NewReplacer("{{ .ProjectName }}", "proxmox-mcp", "{{ .Version }}", "${version}", "{{ .Os }}", "${os}", "{{ .Arch }}", "${arch}").Replace(r.Archives[0].NameTemplate)
	for _, part := range []string{"archive=" + name + ".tar.gz", "/" + r.Checksum.NameTemplate} {
		if !strings.Contains(script, part) {
			t.Errorf("install.sh does not fetch %s", part)
		}
	}
}

// TestImage: a base without a shell, a user without rights, the program as what starts, and nothing else in the image.
func TestImage(t *testing.T) {
	var from, user, entry, cmd string
	for line := range strings.Lines(read(t, "Dockerfile")) {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch word {
		case "FROM":
			from += rest
		case "USER":
			user = rest
		case "ENTRYPOINT":
			entry = rest
		case "CMD":
			cmd = rest
		case "RUN", "ADD":
			t.Errorf("%s %s", word, rest)
		}
	}
	r := decodeYAML[releases](t).Images[0]
	for _, copied := range regexp.MustCompile(`(?m)^COPY (?:--\S+ )*(\S+) `).FindAllStringSubmatch(read(t, "Dockerfile"), -1) {
		// The release's context has the programs by platform, and what it names besides.
		if copied[1] != "$TARGETPLATFORM/proxmox-mcp" && !slices.Contains(r.ExtraFiles, copied[1]) {
			t.Errorf("%s is not in the context", copied[1])
		}
	}
	if !strings.Contains(from, "distroless/static") || !strings.Contains(from, "nonroot") || user != "65532:65532" || entry != `["/usr/bin/proxmox-mcp"]` || cmd != `["serve"]` {
		t.Errorf("from %s, user %s, entry %s, command %s", from, user, entry, cmd)
	}
}

// TestUnit: the service starts the packaged program on loopback as a user of its own, and may write to nothing but its state.
func TestUnit(t *testing.T) {
	unit := map[string]string{}
	for line := range strings.Lines(read(t, "systemd/proxmox-mcp.service")) {
		if key, value, found := strings.Cut(strings.TrimSpace(line), "="); found && !strings.HasPrefix(key, "#") {
			unit[key] = value
		}
	}
	for key, want := range map[string]string{"User": "proxmox-mcp", "ExecStart": "/usr/bin/proxmox-mcp serve --http 127.0.0.1:8811", "NoNewPrivileges": "yes",
		"ProtectSystem": "strict", "ProtectHome": "yes", "CapabilityBoundingSet": "", "StateDirectory": "proxmox-mcp", "UMask": "0077", "WantedBy": "multi-user.target"} {
		if got, is := unit[key]; !is || got != want {
			t.Errorf("%s=%s, want %s", key, got, want)
		}
	}
	if !strings.Contains(read(t, "systemd/proxmox-mcp.sysusers"), "u "+unit["User"]+" ") {
		t.Error("sysusers makes another user")
	}
}

// TestScripts: the shells can read them, and shellcheck has nothing to say.
func TestScripts(t *testing.T) {
	for path, shell := range map[string]string{"install.sh": "sh", "systemd/postinstall.sh": "sh", "lxc/create.sh": "bash", "mcpb/pack": "bash"} {
		if out, err := exec.CommandContext(t.Context(), shell, "-n", path).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", path, err, out)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o100 == 0 {
			t.Errorf("%s cannot be run: %v", path, err)
		}
	}
	check, err := exec.LookPath("shellcheck")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("shellcheck is missing")
		}
		t.Skip("shellcheck is missing")
	}
	if out, err := exec.CommandContext(t.Context(), check, "install.sh", "systemd/postinstall.sh", "lxc/create.sh", "mcpb/pack").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestInstall runs install.sh against releases in a folder: the right archive is installed, and one that is not what its checksum promises is not.
func TestInstall(t *testing.T) {
	dir, bin := t.TempDir(), t.TempDir()
	fake := filepath.Join(bin, "curl") // "fetches" from the folder, and takes no other place
	script := "#!/bin/sh\nwhile [ $# -gt 0 ]; do case $1 in -o) out=$2; shift ;; https://releases.example/*) from=" + dir + "/${1##*/} ;; esac; shift; done\nexec cp \"$from\" \"$out\"\n"
	uname := "#!/bin/sh\ncase $1 in -s) echo Linux ;; -m) echo x86_64 ;; esac\n"
	for path, text := range map[string]string{fake: script, filepath.Join(bin, "uname"): uname, filepath.Join(dir, "proxmox-mcp"): "#!/bin/sh\necho it runs\n"} {
		if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	archive := "proxmox-mcp_1.2.3_linux_amd64.tar.gz"
	sh := func(line string, env ...string) (string, error) {
		cmd := exec.CommandContext(t.Context(), "sh", "-c", line)
		cmd.Env = append([]string{"PATH=" + bin + ":" + os.Getenv("PATH"), "HOME=" + dir, "RELEASES=https://releases.example", "BIN_DIR=" + filepath.Join(dir, "bin")}, env...)
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		err := cmd.Run()
		return out.String(), err
	}
	if out, err := sh("cd " + dir + " && tar -czf " + archive + " proxmox-mcp && sha256sum " + archive + " > checksums.txt"); err != nil {
		t.Fatal(out)
	}
	for _, env := range [][]string{nil, {"VERSION=v1.2.3"}} {
		if out, err := sh("sh install.sh", env...); err != nil || !strings.Contains(out, "proxmox-mcp 1.2.3 is in ") {
			t.Errorf("%q: %v\n%s", env, err, out)
		}
	}
	if out, err := sh("$BIN_DIR/proxmox-mcp"); err != nil || out != "it runs\n" {
		t.Errorf("%v %s", err, out)
	}
	for what, line := range map[string]string{
		"the checksum of": "printf x >> " + archive,
		"does not name":   "sed -i s/linux/plan9/ checksums.txt",
	} {
		if out, err := sh("rm -rf $BIN_DIR; cd " + dir + " && " + line); err != nil {
			t.Fatal(out)
		}
		out, err := sh("sh install.sh", "VERSION=1.2.3")
		if _, there := os.Stat(filepath.Join(dir, "bin", "proxmox-mcp")); err == nil || there == nil || !strings.Contains(out, what) {
			t.Errorf("%s: %v\n%s", what, err, out)
		}
		if out, err := sh("cd " + dir + " && tar -czf " + archive + " proxmox-mcp && sha256sum " + archive + " > checksums.txt"); err != nil {
			t.Fatal(out)
		}
	}
	if out, err := sh("sh install.sh", "VERSION=../evil"); err == nil || !strings.Contains(out, "no version") {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestContainer lets create.sh print what it would do: unprivileged, with the service's files, and the role of the tier.
func TestContainer(t *testing.T) {
	bin := filepath.Join(t.TempDir(), "proxmox-mcp")
	recipe := "#!/bin/sh\necho \"pveum role add X # $*\"\necho '# not with it: y'\n"
	if err := os.WriteFile(bin, []byte(recipe), 0o700); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "bash", "lxc/create.sh", "--dry-run", "--vmid", "150", "--tier", "reversible", "--binary", bin).CombinedOutput()
	for _, part := range []string{"pct create 150 ", "--unprivileged 1", "/usr/bin/proxmox-mcp --perms 0755", "proxmox-mcp.service /etc/systemd/system/", "pct exec 150 -- /root/postinstall.sh",
		"pveum role add X # setup --recipe --allow reversible\n"} {
		if !strings.Contains(string(out), part) {
			t.Errorf("no %q (%v) in\n%s", part, err, out)
		}
	}
	for _, args := range [][]string{{"--tier", "host"}, {"--what"}, {"--binary", bin + "x", "--dry-run"}} {
		if out, err := exec.CommandContext(t.Context(), "bash", append([]string{"lxc/create.sh"}, args...)...).CombinedOutput(); err == nil {
			t.Errorf("%q is taken: %s", args, out)
		}
	}
}
