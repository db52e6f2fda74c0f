package pvesim

import (
	"encoding/hex"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/lazy"
)

// importTime is how long an uploaded file takes to its place (13/004 ended within a second).
const importTime = 100 * time.Millisecond

func uploadRoutes() []route {
	base := "/nodes/{node}/storage/{storage}"
	return daemon(post(base+"/upload", need("/storage/{storage}", "Datastore.AllocateTemplate"), uploadFile))
}

// fileKind is a content that files can be added to from outside.
type fileKind struct {
	shape func(string) bool
	wrong string
	dir   string
}

func matching(expr string) func(string) bool {
	re := lazy.Regexp(expr)
	return func(s string) bool { return re().MatchString(s) }
}

var fileKinds = sync.OnceValue(func() map[string]fileKind {
	return map[string]fileKind{
		"iso":    {matching(`.\.(?i:iso|img)$`), "wrong file extension", "template/iso"},
		"vztmpl": {matching(`.\.tar\.(?:gz|xz|zst|bz2)$`), "wrong file extension", "template/cache"},
		"import": {matching(`^[a-zA-Z0-9_.\-+]+\.(?:ova|qcow2|raw|vmdk)$`), "invalid filename or wrong extension", "import"},
	}
})

// newFile checks where a file is to go and gives its name and its volume id. Directories in the name are dropped (13/018).
func (c *call) newFile() (name, volid string, err error) {
	store, content := c.vars["storage"], c.param("content")
	if err := c.usableStorage(store); err != nil {
		return "", "", err
	}
	def := c.w.Storage(store)
	if kind := text(def["type"]); !onFiles(kind) {
		return "", "", fail("can't upload to storage type '%s'", kind)
	}
	name = cleanName(c.param("filename"))
	kind, ok := fileKinds()[content]
	if !ok {
		return "", "", badParam("content", "upload content type '"+content+"' not allowed")
	}
	if !kind.shape(name) {
		return "", "", badParam("filename", kind.wrong) // 13/017
	}
	if !contains(splitList(text(def["content"])), content) {
		return "", "", fail("storage '%s' does not support '%s' content", store, content)
	}
	return name, store + ":" + content + "/" + name, nil
}

var oddCharacters = lazy.Regexp(`[^a-zA-Z0-9_.\-+]`)

// cleanName is a file's name without its directories; other characters than those of common names become _.
func cleanName(name string) string {
	name = name[strings.LastIndexAny(name, `/\`)+1:]
	return oddCharacters().ReplaceAllString(strings.TrimSpace(name), "_")
}

// uploadFile puts an uploaded file into its place, in a task that also checks it (13/009).
func uploadFile(c *call) (any, error) {
	name, volid, err := c.newFile()
	if err != nil {
		return nil, err
	}
	u, random := c.upload, c.w.randomBytes()
	from := "/var/tmp/pveupload-" + hex.EncodeToString(random[:])
	content, want, algorithm := c.param("content"), c.param("checksum"), c.param("checksum-algorithm")
	return c.fork("imgcopy", "", func(j *job) error {
		j.log("starting file import from: %s", from)
		if algorithm != "" && !strings.EqualFold(u.sum, want) {
			j.log("calculating checksum...")
			return fail("checksum mismatch: got '%s' != expect '%s'", u.sum, want)
		}
		if algorithm != "" {
			j.log("calculating checksum...OK, checksum verified")
		}
		if _, image := u.imageSize(); path.Ext(name) == ".qcow2" && !image {
			return fail("qemu-img: Could not open '%s': Image is not in qcow2 format", from) // 13/021
		}
		return j.after(importTime, func() error {
			file := j.w.pathOf(volid)
			j.log("target node: %s", j.node.Name)
			j.log("target file: %s", file)
			j.log("file size is: %d", u.size)
			j.log("command: cp -- %s %s", from, file)
			j.w.putFile(j.node, volid, content, u)
			j.log("finished file import successfully")
			return nil
		})
	}), nil
}

// putFile puts a file on a storage, in place of one of the same name.
func (w *World) putFile(n *Node, volid, content string, u *upload) {
	store, _, _ := strings.Cut(volid, ":")
	w.dropVolume(n, volid)
	row := Object{"volid": volid, "content": content, "format": fileFormat(content, volid), "size": u.size, "ctime": w.Now().Unix()}
	if size, ok := u.imageSize(); ok && content == "import" {
		row["attributes"] = Object{"format": "qcow2", "path": w.pathOf(volid), "size": size, "used": u.size}
	}
	for _, m := range w.storageNodes(n, store) {
		m.Content[store] = append(slices.Clone(m.Content[store]), row)
	}
}

// fileFormat is what lists call the format of a file.
func fileFormat(content, volid string) string {
	ext := strings.TrimPrefix(path.Ext(volid), ".")
	if content == "iso" {
		return "iso"
	}
	if content == "vztmpl" {
		return "t" + ext
	}
	return ext
}
