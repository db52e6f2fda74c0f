package inventory

import (
	"context"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/globs"
	"github.com/proxmox-mcp/proxmox-mcp/internal/near"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// maxBackupFile bounds a file that is read out of a backup: what is shown as text is far smaller.
const maxBackupFile = 1 << 20

// BackupFilesQuery asks for a folder or file in a backup: the newest one of Guest not after At (zero: now) that is on a backup server, or Backup,
// a volume id. Path is from / on, as the guest has it; where a backup has several archives it begins with one of them. Show are the files
// whose contents may be read; names may be always.
type BackupFilesQuery struct {
	Guest, Backup, Path string
	At                  time.Time
	Show                []globs.Rule
	ReadOptions
}

// BackupFiles is a folder (Rows) or a file (IsFile, Data). Path is how it can be asked for again.
type BackupFiles struct {
	Warnings                          []Warning // of listings that may have a newer backup; none where the backup was named
	Cluster, Name, Node, Volume, Path string
	VMID                              int
	Type                              pve.GuestType
	At                                time.Time
	IsFile                            bool
	Rows                              []BackupEntry
	Size                              *int64
	Data                              []byte
}

// BackupEntry is a row of a folder. Kind is folder, file, link or other; a disk or part of one is a folder too.
type BackupEntry struct {
	Name, Kind string
	Size       *int64    // of a file
	At         time.Time // when it was last written, zero = not told
}

// BackupFiles looks into a backup; each folder on the way is asked for. Errors: fault.Conflict where the backup is not on a backup server, for what is
// no file and for one that is too large; fault.NotFound, with what is near; fault.Forbidden for contents that Show does not name.
func (i *Inventory) BackupFiles(ctx context.Context, q BackupFilesQuery) (BackupFiles, error) {
	choice, err := i.serverBackup(ctx, &q)
	if err != nil {
		return BackupFiles{}, err
	}
	l := &looking{q: &q, out: &choice.out}
	if l.src, err = choice.c.source(ctx); err != nil {
		return BackupFiles{}, err
	}
	l.storage, _, _ = strings.Cut(l.out.Volume, ":")
	err = l.look(ctx)
	return *l.out, err
}

type chosenBackup struct {
	c   *cluster
	out BackupFiles
}

// serverBackup finds the backup and a node that reads it.
func (i *Inventory) serverBackup(ctx context.Context, q *BackupFilesQuery) (chosenBackup, error) {
	var out chosenBackup
	ask := RestoreAsk{Guest: q.Guest, Backup: q.Backup, At: q.At, OnServer: true, ReadOptions: q.ReadOptions}
	guest := strings.TrimSpace(q.Guest)
	if q.Backup != "" {
		if guest = guestOfBackup(q.Backup); guest == "" {
			return out, fault.BadField("guest", "it must be a vmid, a name or the volume id of a backup", "pbs:backup/ct/104/2026-11-21T02:30:00Z").WithNext("list_backups")
		}
	}
	r, p, err := i.backupFor(ctx, guest, &ask)
	if err != nil {
		return out, err
	}
	scope, err := i.scope(ctx, r.Cluster)
	if err != nil {
		return out, err
	}
	place := RestoreChoice{Node: p.Node, Volume: p.ID}
	s := &restoring{c: scope[0], cv: i.proj.cluster(r.Cluster), q: &ask, out: &place, home: r.Node}
	if err := s.node(ctx); err != nil {
		return out, err
	}
	if q.Backup != "" {
		r.Unlisted = nil
	}
	return chosenBackup{scope[0], BackupFiles{Warnings: r.Unlisted, Cluster: r.Cluster, Name: r.Name, VMID: r.VMID, Type: r.Type, Node: place.Node, Volume: p.ID, At: p.At}}, nil
}

// looking is one look into a backup.
type looking struct {
	q       *BackupFilesQuery
	out     *BackupFiles
	src     Source
	storage string
}

func (l *looking) list(ctx context.Context, at string) ([]pve.BackupFileRow, error) {
	rows, err := l.src.BackupFiles(ctx, l.out.Node, l.storage, l.out.Volume, at)
	slices.SortFunc(rows, func(a, b pve.BackupFileRow) int { return strings.Compare(string(a.Text), string(b.Text)) })
	return rows, err
}

// look goes from the archives down to the path. The archives are a short list that no disk is opened for.
func (l *looking) look(ctx context.Context) error {
	archives, err := l.list(ctx, "/")
	if err != nil {
		return err
	}
	l.out.Path = path.Clean("/" + strings.TrimSpace(l.q.Path))
	first, _, _ := strings.Cut(l.out.Path[1:], "/")
	switch {
	case slices.ContainsFunc(archives, func(r pve.BackupFileRow) bool { return string(r.Text) == first }):
		return l.lookAt(ctx, l.out.Path)
	case len(archives) == 1 && archives[0].Type == "d":
		return l.lookAt(ctx, path.Join("/", string(archives[0].Text), l.out.Path))
	case first == "":
		l.folder(archives)
		return nil
	}
	return l.missing(first, "/", archives)
}

// lookAt opens a path whose first name is an archive: a folder's row in the one above tells it from a file.
func (l *looking) lookAt(ctx context.Context, whole string) error {
	if path.Dir(whole) == "/" {
		return l.open(ctx, whole)
	}
	beside, err := l.list(ctx, path.Dir(whole))
	if err != nil {
		return err
	}
	k := slices.IndexFunc(beside, func(r pve.BackupFileRow) bool { return string(r.Text) == path.Base(whole) })
	if k < 0 {
		return l.missing(path.Base(whole), path.Dir(l.out.Path), beside)
	}
	if kindOfEntry(&beside[k]) == "folder" {
		return l.open(ctx, whole)
	}
	return l.file(ctx, whole, &beside[k])
}

func (l *looking) open(ctx context.Context, whole string) error {
	rows, err := l.list(ctx, whole)
	if err != nil {
		return err
	}
	l.folder(rows)
	return nil
}

func (l *looking) folder(rows []pve.BackupFileRow) {
	l.out.Rows = make([]BackupEntry, 0, len(rows))
	for k := range rows {
		e := BackupEntry{Name: clean.Line(string(rows[k].Text), maxLine), Kind: kindOfEntry(&rows[k])}
		if e.Kind == "file" && rows[k].Size != nil {
			size := int64(*rows[k].Size)
			e.Size = &size
		}
		if rows[k].MTime != nil {
			e.At = time.Unix(int64(*rows[k].MTime), 0)
		}
		l.out.Rows = append(l.out.Rows, e)
	}
}

func kindOfEntry(r *pve.BackupFileRow) string {
	switch r.Type {
	case "d", "v":
		return "folder"
	case "f":
		return "file"
	case "l", "h":
		return "link"
	}
	return "other"
}

func (l *looking) missing(name, in string, rows []pve.BackupFileRow) error {
	names := make([]string, 0, len(rows))
	for k := range rows {
		names = append(names, clean.Line(string(rows[k].Text), maxName))
	}
	e := fault.New(fault.NotFound, "%s of %s has no %s", clean.Line(in, maxLine), clean.Line(l.out.Volume, maxLine), clean.Line(name, maxName))
	if n := near.Word(name, names); n != "" {
		return e.WithHint("did you mean %q?", n)
	}
	return e.WithHint("it has %s", clean.Line(strings.Join(names, ", "), maxLine))
}

// file reads a file's contents, where its owner's configuration shows them.
func (l *looking) file(ctx context.Context, whole string, r *pve.BackupFileRow) error {
	name := clean.Line(l.out.Path, maxLine)
	if kind := kindOfEntry(r); kind != "file" {
		return fault.New(fault.Conflict, "%s is no plain file (%s): nothing of it is read", name, kind)
	}
	if !slices.ContainsFunc(l.q.Show, func(g globs.Rule) bool { return g.Match(inGuest(whole)) }) {
		return fault.New(fault.Forbidden, "the contents of %s are not shown: backups.files of the configuration does not name it", name).
			WithHint("its owner allows it there, as /etc/*.conf or /srv/**; names and sizes are shown without")
	}
	if r.Size != nil && int64(*r.Size) > maxBackupFile {
		return fault.New(fault.Conflict, "%s is %d KiB: files up to %d KiB are read", name, int64(*r.Size)>>10, maxBackupFile>>10).
			WithHint("the web interface saves it: storage %s, Backups, File Restore", clean.Line(l.storage, maxName))
	}
	data, err := l.src.BackupFile(ctx, l.out.Node, l.storage, l.out.Volume, whole)
	if err != nil {
		return err
	}
	// The answer is a stream that ends early where reading it fails: the task says so, the status does not.
	if r.Size != nil && int64(len(data)) != int64(*r.Size) {
		return fault.New(fault.BadAnswer, "of %s came %d of %d bytes", name, len(data), int64(*r.Size)).Retry()
	}
	size := int64(len(data))
	l.out.IsFile, l.out.Data, l.out.Size = true, data, &size
	return nil
}

// partsOfDisk are how many names stand between a disk and its file systems (proxmox-backup, proxmox-restore-daemon disk.rs): part/1, zpool/NAME,
// lvm/GROUP/VOLUME.
var partsOfDisk = map[string]int{"raw": 1, "part": 2, "zpool": 2, "lvm": 3}

// inGuest is the path as the guest has it, below the root of its file system.
func inGuest(whole string) string {
	names := strings.Split(strings.TrimPrefix(whole, "/"), "/")
	skip := 1
	if strings.HasSuffix(names[0], ".img.fidx") && len(names) > 1 {
		skip += partsOfDisk[names[1]]
	}
	return "/" + strings.Join(names[min(skip, len(names)):], "/")
}
