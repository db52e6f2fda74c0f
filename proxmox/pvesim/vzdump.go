package pvesim

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/lazy"
)

func vzdumpRoutes() []route {
	base := "/nodes/{node}/vzdump"
	return daemon(
		post(base, anyone, createBackup),
		get(base+"/defaults", anyone, backupDefaults),
		get(base+"/extractconfig", anyone, extractConfig))
}

// defaultBackupStorage is where backups go that name no storage.
const defaultBackupStorage = "local"

// backupDefaults are the settings of a backup that says nothing (09/006); the storage's rules are among them (09/007).
func backupDefaults(c *call) (any, error) {
	id := c.param("storage")
	if id == "" {
		id = defaultBackupStorage
	}
	if !c.may("/storage/"+id, "Datastore.Audit", "Datastore.AllocateSpace") {
		return nil, forbidden("/storage/"+id, "Datastore.Audit", "Datastore.AllocateSpace")
	}
	def := c.w.Storage(id)
	if def == nil {
		return nil, fail("storage '%s' does not exist", id)
	}
	keep := text(def["prune-backups"])
	if keep == "" {
		keep = "keep-all=1"
	}
	return Object{"all": 0, "bwlimit": 0, "compress": "0", "dumpdir": text(def["path"]) + "/dump", "fleecing": Object{"enabled": 0}, "ionice": 7,
		"lockwait": 180, "mailnotification": "always", "mode": "snapshot", "notification-mode": "auto",
		"performance": Object{"max-workers": 16, "pbs-entries-max": 1048576}, "pigz": 0, "prune-backups": parseRetention(keep).String(), "quiet": 0,
		"remove": 1, "stdexcludes": 1, "stop": 0, "stopwait": 10, "storage": id, "zstd": 1}, nil
}

func extractConfig(c *call) (any, error) {
	volid := c.param("volume")
	if err := c.mayUseKind(0, volid, contentBackup); err != nil {
		return nil, err
	}
	id, _, _ := strings.Cut(volid, ":")
	p, err := c.w.volumeOf(volid)
	if err != nil {
		return nil, err
	}
	if err := c.wants("/vms/"+strconv.Itoa(p.vmid), "VM.Backup"); p.vmid != 0 && err != nil {
		return nil, err
	}
	if err := c.usableStorage(id); err != nil {
		return nil, err
	}
	if c.node.volume(volid) == nil {
		return nil, fail("volume '%s' does not exist", volid)
	}
	a := c.w.archiveOf(c.node, volid)
	if a == nil {
		return nil, fail("ERROR: archive contains no configuration file")
	}
	return a.text(), nil
}

// backupJob is what a request for backups asks for.
type backupJob struct {
	vmids                   []int
	all                     bool
	storage, mode, compress string
	notes                   string
	protect, remove         bool
	keep                    string
	command                 string
	limit, priority         string // bwlimit and ionice
}

// createBackup starts one task for all guests that are asked for; everything about a single guest is found out in it
// (facts 34).
func createBackup(c *call) (any, error) {
	if err := c.mayDump(); err != nil {
		return nil, err
	}
	if err := c.checkDump(); err != nil {
		return nil, err
	}
	return c.startDump(func(path string) bool { return c.may(path, "VM.Backup") }), nil
}

// startDump starts the task for a request, or gives OK where none of the guests is on this node.
func (c *call) startDump(may func(path string) bool) string {
	b := c.backupJob()
	if truth(c.params["stop"]) {
		c.stopBackups()
	}
	if node := c.params["node"]; len(b.vmids) == 0 && !b.all && node == nil { // silently, as where they are on other nodes
		return "OK"
	}
	id := ""
	if len(b.vmids) == 1 && !b.all && !c.given("pool") {
		id = strconv.Itoa(b.vmids[0])
	}
	d := &dumper{w: c.w, n: c.node, job: b}
	for _, vmid := range b.vmids {
		path := "/vms/" + strconv.Itoa(vmid)
		if d.allowed = append(d.allowed, may(path)); !d.allowed[len(d.allowed)-1] && d.refused == nil && !b.all {
			d.refused = forbidden(path, "VM.Backup")
		}
	}
	return c.fork("vzdump", id, d.work)
}

// mayDump are the rights that a backup needs beside those on the guests: some options are for root alone (09/035).
func (c *call) mayDump() error {
	for _, key := range []string{"dumpdir", "job-id", "script", "tmpdir"} {
		if c.given(key) && (c.id.user != rootUser || c.id.token != nil) {
			return badParam(key, "Only root may set this option.")
		}
	}
	for _, key := range []string{"bwlimit", "ionice", "performance"} {
		if c.given(key) && !c.may("/", "Sys.Modify") {
			return forbidden("/", "Sys.Modify")
		}
	}
	if id := c.param("storage"); id != "" {
		needed := []string{"Datastore.AllocateSpace"}
		if c.given("prune-backups") {
			needed = append(needed, "Datastore.Allocate")
		}
		for _, priv := range needed {
			if !c.may("/storage/"+id, priv) {
				return forbidden("/storage/"+id, priv)
			}
		}
	}
	if pool := c.param("pool"); pool != "" && !c.may("/pool/"+pool, "Pool.Audit") {
		return forbidden("/pool/"+pool, "Pool.Audit")
	}
	return nil
}

// checkDump are the rules between parameters (09/026, 09/029).
func (c *call) checkDump() error {
	if err := verifyDump(c.params, true); err != nil {
		return err
	}
	if pool := c.param("pool"); pool != "" && c.w.Pool(pool) == nil {
		return fail("pool '%s' does not exist", pool)
	}
	return nil
}

// verifyDump applies the rules between options of a backup or a job; with complete something has to be chosen.
func verifyDump(o Object, complete bool) error {
	if !truth(o["all"]) && complete {
		delete(o, "all")
	}
	for _, pair := range [][2]string{{"all", "vmid"}, {"exclude", "vmid"}, {"pool", "vmid"}, {"dumpdir", "storage"}} {
		if truth(o["all"]) || pair[0] != "all" {
			if has(o, pair[0]) && has(o, pair[1]) {
				return badParam(pair[0], "option conflicts with option '"+pair[1]+"'")
			}
		}
	}
	if notes := text(o["notes-template"]); notes != "" {
		if err := verifyNotes(notes); err != nil {
			return badParam("notes-template", err.Error())
		}
	}
	if complete && !has(o, "vmid") && !has(o, "all") && !has(o, "pool") && !has(o, "exclude") && !truth(o["stop"]) {
		return badParam("vmid", "property is missing")
	}
	return nil
}

var (
	notesEscape   = lazy.Regexp(`(?s)\\.`)
	notesVariable = lazy.Regexp(`\{\{([^\s{}]+)\}\}`)
)

// verifyNotes wants known variables and escapes in the template of notes (source).
func verifyNotes(template string) error {
	if strings.Contains(template, "\n") {
		return lineError("contains a line feed")
	}
	var unknown []string
	for _, at := range notesEscape().FindAllStringIndex(template, -1) {
		if c := template[at[0]:at[1]]; c != `\n` && c != `\\` {
			unknown = append(unknown, fmt.Sprintf("escape sequence '%s' at char %d", c, at[0]))
		}
	}
	for _, at := range notesVariable().FindAllStringSubmatchIndex(template, -1) {
		if name := template[at[2]:at[3]]; !contains([]string{"cluster", "guestname", "node", "vmid"}, name) {
			unknown = append(unknown, fmt.Sprintf("variable '%s' at char %d", name, at[2]))
		}
	}
	if len(unknown) > 0 {
		return lineError("found unknown: " + strings.Join(unknown, ", "))
	}
	return nil
}

func (c *call) backupJob() *backupJob {
	b := &backupJob{storage: c.param("storage"), mode: c.param("mode"), compress: c.param("compress"), notes: c.param("notes-template"),
		protect: truth(c.params["protected"]), remove: !c.given("remove") || truth(c.params["remove"]), keep: c.param("prune-backups"),
		command: c.dumpCommand(), limit: c.param("bwlimit"), priority: cmp.Or(c.param("ionice"), "7")}
	if b.storage == "" {
		b.storage = defaultBackupStorage
	}
	if b.mode == "" {
		b.mode = "snapshot"
	}
	excluded := vmids(c.param("exclude"))
	b.all = c.given("all") || c.given("exclude") && !c.given("pool")
	if c.given("vmid") {
		b.vmids = c.localOnes()
		return b
	}
	for _, g := range c.w.Guests() {
		if (b.all || c.given("pool")) && g.Node == c.node.Name && !excluded[g.VMID] && (b.all || g.Pool == c.param("pool")) {
			b.vmids = append(b.vmids, g.VMID)
		}
	}
	return b
}

// stopBackups ends the backup that runs on the node: there is one at a time (source).
func (c *call) stopBackups() {
	for _, t := range c.node.Tasks {
		if t.Type == "vzdump" && t.Running() {
			c.w.abort(t)
		}
	}
}

// localOnes are the guests of the request that are not on another node; those that are nowhere stay and fail.
func (c *call) localOnes() []int {
	var list []int
	for id := range vmids(c.param("vmid")) {
		if g := c.w.Guest(id); g == nil || g.Node == c.node.Name {
			list = append(list, id)
		}
	}
	slices.Sort(list)
	return list
}

// dumpOrder is the order of options in a task's first line, which on the real one is random (facts 97).
var dumpOrder = []string{"storage", "node", "mode", "compress", "notes-template"}

// dumpCommand is the request as the command that a task's log begins with.
func (c *call) dumpCommand() string {
	given := clone(c.params)
	if has(c.vars, "node") { // a job of the scheduler does not say it
		given["node"] = c.node.Name
	}
	ids := strings.Join(splitList(text(given["vmid"])), " ")
	delete(given, "vmid")
	delete(given, "job-id")
	var rest []string
	for k := range given {
		if !slices.Contains(dumpOrder, k) {
			rest = append(rest, k)
		}
	}
	slices.Sort(rest)
	words := []string{strings.TrimRight("vzdump "+ids, " ")}
	for _, k := range append(slices.Clone(dumpOrder), rest...) {
		list, many := given[k].([]any)
		if !many && given[k] != nil {
			list = []any{given[k]}
		}
		for _, v := range list {
			words = append(words, "--"+k, shellWord(text(v)))
		}
	}
	return strings.Join(words, " ")
}

// shellWord quotes what a shell would not take as one word.
func shellWord(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_.,:=/@%+", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'"'"'`) + "'"
}

// errJob is the exit of a backup task in which a guest failed (09/021).
var errJob = errors.New("job errors")

// target checks the storage that backups go to; the task fails before any guest where it cannot take them.
func (w *World) backupTarget(n *Node, id string) error {
	def, s := w.Storage(id), n.storage(id)
	var reason string
	switch {
	case def == nil:
		reason = fmt.Sprintf("storage '%s' does not exist", id)
	case s == nil:
		reason = fmt.Sprintf("storage '%s' is not available on node '%s'", id, n.Name)
	case !truth(s["enabled"]):
		reason = fmt.Sprintf("storage '%s' is disabled", id)
	case !truth(s["active"]):
		reason = fmt.Sprintf("storage '%s' is not online", id)
	case !slices.Contains(splitList(text(def["content"])), contentBackup):
		return fail("can't use storage '%s' for backups - wrong content type", id)
	default:
		return nil
	}
	return fail("could not get storage information for '%s': %s", id, reason)
}
