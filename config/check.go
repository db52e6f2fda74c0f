package config

import (
	"context"
	"crypto/x509"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// loader turns what was written into a Config.
type loader struct {
	opts    LoadOptions
	ctx     context.Context //nolint:containedctx // one Load, which a secret command may block
	baseDir string
	notes   []Note
	*problems
}

// general checks the settings that are not a cluster's.
func (l *loader) general(cfg *Config, raw rawFile) {
	cfg.State = l.state(raw.state)
	cfg.Code, cfg.Agent, cfg.Backups = l.code(raw.code), l.agent(raw.agent), l.backups(raw.backups)
	cfg.Toolset = l.toolset(raw.toolset)
	cfg.Log = l.log(raw.log)
	cfg.Telemetry = l.telemetry(raw.telemetry)
	cfg.Freshness = l.duration(raw.freshness, defaultFreshness, time.Second, 24*time.Hour)
	cfg.Tick = l.duration(raw.tick, defaultTick, 5*time.Second, time.Hour)
	if raw.zone.set {
		cfg.Zone = raw.zone.text
		if _, err := time.LoadLocation(cfg.Zone); err != nil {
			l.add(raw.zone.at, "is not the name of a time zone; write it as Europe/Berlin or UTC")
		}
	}
}

func (l *loader) oneOf(s setting, byDefault string, allowed ...string) string {
	if !s.set {
		return byDefault
	}
	if !slices.Contains(allowed, s.text) {
		l.add(s.at, "must be one of %s", strings.Join(allowed, ", "))
	}
	return s.text
}

func (l *loader) duration(s setting, byDefault, low, high time.Duration) time.Duration {
	if !s.set {
		return byDefault
	}
	d, err := time.ParseDuration(s.text)
	if err != nil {
		l.add(s.at, "must be a duration with its unit, such as %s", byDefault)
		return byDefault
	}
	if d < low || d > high {
		l.add(s.at, "must be between %s and %s", low, high)
	}
	return d
}

func (l *loader) boolean(s setting, byDefault bool) bool {
	if !s.set {
		return byDefault
	}
	b, err := strconv.ParseBool(strings.ToLower(s.text))
	if err != nil {
		l.add(s.at, "must be true or false")
	}
	return b
}

// clusters checks the file's clusters and takes them, or the environment's instead. The secrets of clusters that do not count
// are not read. Commands run last and only when all else is right: they may ask their user something.
func (l *loader) clusters(cfg *Config, raw rawFile) {
	env, byEnv := l.fromEnv(cfg.Path, len(raw.clusters))
	checked := make([]Cluster, len(raw.clusters))
	for i, c := range raw.clusters {
		checked[i] = l.cluster(c)
		if j := slices.IndexFunc(checked[:i], func(o Cluster) bool { return o.Name == checked[i].Name }); j >= 0 && c.name.set {
			l.add(c.name.at, "another cluster has this name: %s", raw.clusters[j].at.key)
		}
	}
	use := raw.clusters
	if byEnv {
		use, checked = []rawCluster{env}, []Cluster{l.cluster(env)}
	}
	if !l.opts.WithoutClusters {
		l.secrets(use, checked)
	}
	cfg.Clusters = checked
	names := make([]string, 0, len(raw.clusters)+1)
	for _, c := range raw.clusters {
		names = append(names, c.name.text)
	}
	if byEnv {
		names = append(names, EnvCluster)
	}
	cfg.Changes = l.changes(raw.changes, names)
	cfg.HTTP = l.http(raw.http, names)
}

// cluster checks everything of one cluster but the content of its secrets.
func (l *loader) cluster(c rawCluster) Cluster {
	out := Cluster{FromEnv: c.fromEnv, Insecure: l.boolean(c.insecure, false), ReadOnly: l.boolean(c.readOnly, false)}
	out.Name = c.name.text
	if !c.name.seen {
		l.add(c.sub("name"), "is missing")
	} else if c.name.set && !clusterName().MatchString(c.name.text) {
		l.add(c.name.at, nameRule)
	}
	if !c.endpoints.seen {
		l.add(c.sub("endpoints"), "is missing: the addresses of the nodes, such as https://pve1.example.org:8006")
	}
	out.Endpoints = l.each(c.endpoints, endpoint)
	out.Fingerprints = l.each(c.fingerprints, fingerprint)
	if out.Insecure && c.fingerprints.set {
		l.add(c.insecure.at, "contradicts fingerprints: leave insecure out, the pins are checked")
	}
	if out.Insecure && !c.fingerprints.set {
		l.note("%s: certificates are not checked; whoever sits on the path can read the credentials", c.title())
	}
	if c.caFile.set {
		out.CAFile = l.opts.expand(c.caFile.text, l.baseDir)
		l.caFile(c.caFile.at, out.CAFile)
	}
	out.Username = strings.TrimSpace(c.username.text)
	l.credentials(c)
	return out
}

// each checks the items of a list; the good ones come back once each.
func (l *loader) each(list settings, check func(string) (string, string)) []string {
	var out []string
	for _, s := range list.items {
		if !s.set {
			continue // named already as empty
		}
		v, wrong := check(s.text)
		if wrong == "" && slices.Contains(out, v) {
			wrong = "is written twice"
		}
		if wrong != "" {
			l.add(s.at, "%s", wrong)
			continue
		}
		out = append(out, v)
	}
	return out
}

func (l *loader) caFile(at spot, path string) {
	pem, err := os.ReadFile(path)
	if err != nil {
		l.add(at, "cannot be read: %s", systemReason(err))
		return
	}
	if !x509.NewCertPool().AppendCertsFromPEM(pem) {
		l.add(at, "holds no certificate in PEM form")
	}
}

// credentials checks that there is exactly one way to log in.
func (l *loader) credentials(c rawCluster) {
	token, password := c.tokenSource(), c.passwordSource()
	if token.many() {
		l.add(token.at(), "give only one of token, token_file and token_command")
	}
	if password.many() {
		l.add(password.at(), "give only one of password, password_file and password_command")
	}
	if c.username.set {
		if wrong := userForm(strings.TrimSpace(c.username.text)); wrong != "" {
			l.add(c.username.at, "%s", wrong)
		}
	}
	if token.refused() || password.refused() || (c.username.seen && !c.username.set) {
		return
	}
	switch {
	case token.set() && (password.set() || c.username.set):
		l.add(token.at(), "a token and username or password are both set: keep one way to log in, the token for choice")
	case token.set():
	case password.set() && !c.username.set:
		l.add(password.at(), "%s is missing beside the password", c.keyName("username"))
	case c.username.set && !password.set():
		l.add(c.username.at, "%s is missing beside the username", c.keyName("password"))
	case !password.set():
		l.add(c.sub("token"), "is missing: an API token user@realm!tokenid=uuid (proxmox-mcp init shows how to make one)")
	}
}

// secrets reads the credentials of the clusters that count, commands last.
func (l *loader) secrets(raw []rawCluster, out []Cluster) {
	for _, commands := range []bool{false, true} {
		if commands && len(l.list) > 0 {
			return
		}
		for i, c := range raw {
			if s := c.tokenSource(); s.set() && !s.many() && s.command.set == commands {
				l.token(s, &out[i])
			}
			if s := c.passwordSource(); s.set() && !s.many() && s.command.set == commands {
				l.password(s, &out[i])
			}
		}
	}
}

func (l *loader) token(s secretSource, out *Cluster) {
	secret, wrong := s.resolve(l.ctx, l.opts, l.baseDir)
	if wrong == "" {
		wrong = tokenForm(secret.Reveal())
	}
	if wrong != "" {
		l.add(s.at(), "%s", wrong)
		return
	}
	out.Token = secret
}

func (l *loader) password(s secretSource, out *Cluster) {
	secret, wrong := s.resolve(l.ctx, l.opts, l.baseDir)
	if wrong != "" {
		l.add(s.at(), "%s", wrong)
		return
	}
	out.Password = secret
}

func (c rawCluster) tokenSource() secretSource {
	return secretSource{value: c.token, file: c.tokenFile, command: c.tokenCommand}
}

func (c rawCluster) passwordSource() secretSource {
	return secretSource{value: c.password, file: c.passwordFile, command: c.passwordCommand}
}
