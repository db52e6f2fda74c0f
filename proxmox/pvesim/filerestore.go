package pvesim

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Looking into backups, which a backup server lets (source: pve-storage FileRestore.pm, proxmox-backup
// proxmox-file-restore main.rs and pbs-datastore catalog.rs; recorded are refusals alone, 13/077).

// ServerBackup is a backup on a Proxmox Backup Server. Files are the texts in it by their path, which begins with the archive:
// root.pxar.didx/etc/hosts of a container, drive-scsi0.img.fidx/part/1/etc/hosts of a machine.
type ServerBackup struct {
	Storage string
	VMID    int
	At      time.Time
	Files   map[string]string
	// Slow is whether the first listing is not finished in the 25 s that there are for it: a machine's disks are read by one that starts first.
	Slow bool
}

// AddBackupServer gives every node a storage that is a Proxmox Backup Server, which answers.
func (w *World) AddBackupServer(storage, server string) {
	w.Storages = append(w.Storages, Object{"storage": storage, "type": "pbs", "server": server, "datastore": "main", "content": contentBackup, "shared": 1})
	w.Servers = append(w.Servers, server)
	for _, n := range w.Nodes {
		n.Storage = append(n.Storage, Object{"storage": storage, "type": "pbs", "content": contentBackup, "shared": 1, "active": 1, "enabled": 1,
			"total": int64(1) << 40, "used": int64(1) << 38, "avail": int64(3) << 38, "used_fraction": 0.25})
	}
}

// AddServerBackup puts a backup on a storage of type pbs and gives its volume id. The guest has to be there.
func (w *World) AddServerBackup(b ServerBackup) string {
	g := w.Guest(b.VMID)
	n := w.Node(g.Node)
	kind := map[string]string{typeQEMU: "vm", typeLXC: "ct"}[g.Type]
	f := backupFile{storage: b.Storage, format: "pbs-" + kind, made: b.At}
	f.volid = fmt.Sprintf("%s:backup/%s/%d/%s", b.Storage, kind, b.VMID, b.At.UTC().Format("2006-01-02T15:04:05Z"))
	a := w.pack(n, g, g.savedVolume)
	a.files, a.slow = b.Files, b.Slow
	w.storeBackup(n, f, a, int64(len(b.Files))<<20, nil)
	return f.volid
}

// looked is the backup and the path in it that a request names.
func (c *call) looked() (a *archive, path string, err error) {
	if a, err = c.catalog(); err == nil {
		path, err = c.wantedPath()
	}
	return a, path, err
}

// catalog is what can be looked into: a backup on a server that answers.
func (c *call) catalog() (*archive, error) {
	volume := c.param("volume")
	if !strings.HasPrefix(volume, c.vars["storage"]+":") {
		volume = c.vars["storage"] + ":backup/" + strings.TrimPrefix(volume, "backup/")
	}
	if err := c.mayUseKind(0, volume, contentBackup); err != nil {
		return nil, err
	}
	def := c.w.Storage(c.vars["storage"])
	switch {
	case def["type"] != "pbs":
		return nil, badParam("storage", "Only PBS storages supported for file-restore.")
	case !c.w.answers(def):
		return nil, fail("proxmox-file-restore failed: %s", c.w.unreachable(backupServer(def)).client) // inferred
	}
	a := c.w.archiveOf(c.node, volume)
	if a == nil {
		return nil, fail("proxmox-file-restore failed: no such snapshot '%s'", strings.TrimPrefix(volume, c.vars["storage"]+":backup/")) // inferred
	}
	return a, nil
}

// wantedPath is the path that a request names, without slashes at its ends; the root is "".
func (c *call) wantedPath() (string, error) {
	text := c.param("filepath")
	if text == "" || text == "/" {
		return "", nil
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return "", fail("Failed base64-decoding path '%s' - %s", text, "Invalid byte") // inferred
	}
	path := strings.Trim(string(raw), "/")
	if archive, _, _ := strings.Cut(path, "/"); path != "" && !strings.HasSuffix(archive, ".pxar.didx") && !strings.HasSuffix(archive, ".img.fidx") {
		return "", fail("'%s' is not supported for file-restore", archive)
	}
	return path, nil
}

// listBackupFiles lists one folder of a backup; the outermost one has the archives.
func listBackupFiles(c *call) (any, error) {
	a, path, err := c.looked()
	if err != nil {
		return nil, err
	}
	if a.slow && path != "" {
		a.slow = false
		return nil, &apiError{status: 503, message: "list not finished in time\n"}
	}
	seen, rows := map[string]bool{}, []Object{}
	for file, content := range a.files {
		rest, ok := file, true
		if path != "" {
			rest, ok = strings.CutPrefix(file, path+"/")
		}
		name, below, deeper := strings.Cut(rest, "/")
		if !ok || seen[name] {
			continue
		}
		seen[name] = true
		rows = append(rows, catalogRow(path, name, deeper && below != "", content))
	}
	if len(rows) == 0 {
		return nil, fail("path %q not found in catalog", path)
	}
	slices.SortFunc(rows, func(a, b Object) int { return strings.Compare(text(a["text"]), text(b["text"])) })
	return rows, nil
}

// catalogRow is a row: folders are "d", parts of a machine's disk "v", files "f". A name of an archive begins with a slash, others do not.
func catalogRow(folder, name string, isFolder bool, content string) Object {
	whole := strings.TrimPrefix(folder+"/"+name, "/")
	kind := "f"
	switch {
	case strings.HasSuffix(name, ".img.fidx"), strings.HasSuffix(folder, ".img.fidx"), strings.HasSuffix(folder, ".img.fidx/part"):
		kind = "v"
	case isFolder:
		kind = "d"
	}
	row := Object{"text": name, "type": kind, "leaf": 0}
	if folder == "" {
		whole = "/" + whole
		row["size"] = int64(1) << 20
	}
	row["filepath"] = base64.StdEncoding.EncodeToString([]byte(whole))
	if kind == "f" {
		row["leaf"], row["size"], row["mtime"] = 1, len(content), int64(1767225600)
	}
	return row
}

// downloadBackupFile answers a file's bytes while a task of its own reads them. Folders would be archives, of which there are none here.
func downloadBackupFile(c *call) (any, error) {
	a, path, err := c.looked()
	if err != nil {
		return nil, err
	}
	content, ok := a.files[path]
	c.fork("pbs-download", "", func(j *job) error {
		j.log("Starting download of file: %s", path)
		if !ok {
			return fail("proxmox-file-restore failed: path %q not found in catalog", path) // inferred
		}
		return nil
	})
	c.file = &download{name: path[strings.LastIndex(path, "/")+1:], text: content, kind: "application/octet-stream"}
	return nil, nil
}
