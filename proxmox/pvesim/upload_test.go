package pvesim

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// form writes a multipart body: fields as name=value, the file as name=@content, whose file name is given.
func form(file string, fields ...string) string {
	var b strings.Builder
	for _, f := range fields {
		name, value, _ := strings.Cut(f, "=")
		fmt.Fprintf(&b, "--B\r\nContent-Disposition: form-data; name=%q", name)
		if content, ok := strings.CutPrefix(value, "@"); ok {
			fmt.Fprintf(&b, "; filename=%q\r\nContent-Type: application/octet-stream", file)
			value = content
		}
		b.WriteString("\r\n\r\n" + value + "\r\n")
	}
	return b.String() + "--B--\r\n"
}

// TestUpload: fields in their order, and files whose content looks like the delimiter or is longer than any buffer.
func TestUpload(t *testing.T) {
	long := strings.Repeat("0123456789abcdef\r", 1<<16) + "\r\n--Bx\r\n-\n"
	qcow := "QFI\xfb\x00\x00\x00\x03" + strings.Repeat("\x00", 16) + "\x00\x00\x00\x00\x08\x00\x00\x00" + strings.Repeat("\x00", 40)
	for _, tt := range []struct{ file, body, want, volume string }{
		{"a b.iso", form("a b.iso", "content=iso", "filename=@"+long), "OK", fmt.Sprint("isos:iso/a_b.iso iso ", len(long))},
		{`C:\d\e.ISO`, form("C:/d/e.ISO", "content=iso", "filename=@"), "OK", "isos:iso/e.ISO iso 0"},
		{"q", form("d.qcow2", "content=import", "filename=@"+qcow), "OK", fmt.Sprint("isos:import/d.qcow2 qcow2 ", len(qcow))},
		{"sum", form("s.iso", "content=iso", "checksum-algorithm=sha1", "checksum=AAF4C61DDCC5E8A2DABEDE0F3B482CD9AEA9434D", "filename=@hello"), "OK",
			"isos:iso/s.iso iso 5"},
		{"content", form("t.tar.gz", "content=vztmpl", "filename=@x"), "500 storage 'isos' does not support 'vztmpl' content", ""},
		{"order", form("o.iso", "filename=@x", "content=iso"), "400 Parameter verification failed.", ""},
		{"field", form("f.iso", "content=iso", "other=1", "filename=@x"), "400 Bad Request", ""},
		{"cut", strings.TrimSuffix(form("c.iso", "content=iso", "filename=@x"), "\r\n--B--\r\n"), "500 upload failed at /usr/share/perl5/PVE/APIServer/AnyEvent.pm line 1370.", ""},
		{"none", "--B--\r\n", "500 upload failed at /usr/share/perl5/PVE/APIServer/AnyEvent.pm line 1370.", ""},
	} {
		t.Run(tt.file, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, diskWorld())
				defer r.stop()
				got := r.do("POST", "/nodes/pve1/storage/isos/upload", strings.NewReader(tt.body), "Content-Type", "multipart/form-data; boundary=B")
				outcome := got.status
				if upid, ok := got.data.(string); ok {
					outcome = r.exit(upid)
				}
				if diff := cmp.Diff(tt.want, outcome); diff != "" {
					t.Fatal(diff)
				}
				if tt.volume != "" && !strings.Contains(volumes(r.sim, "isos"), tt.volume+"\n") {
					t.Errorf("no %s in\n%s", tt.volume, volumes(r.sim, "isos"))
				}
			})
		})
	}
}

func volumes(s *Sim, store string) string {
	var b strings.Builder
	s.Update(func(w *World) {
		for _, v := range w.Nodes[0].Content[store] {
			fmt.Fprintln(&b, v["volid"], v["format"], v["size"])
		}
	})
	return b.String()
}

// TestImportUploaded: the size of a disk is that in its image's header.
func TestImportUploaded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, diskWorld())
		defer r.stop()
		image := "QFI\xfb\x00\x00\x00\x03" + strings.Repeat("\x00", 16) + "\x00\x00\x00\x00\x08\x00\x00\x00"
		r.do("POST", "/nodes/pve1/storage/isos/upload", strings.NewReader(form("d.qcow2", "content=import", "filename=@"+image)),
			"Content-Type", "multipart/form-data; boundary=B")
		time.Sleep(time.Second)
		r.configure("set scsi1=disks:0,import-from%3Disos:import/d.qcow2 -> <nil>", "? scsi1 -> disks:9001/vm-9001-disk-1.qcow2,size=128M")
	})
}

// TestStorages: definitions of each type, and what is wrong with them.
func TestStorages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := diskWorld()
		w.Servers = []string{"10.9.9.9"}
		w.Downloads = map[string]int64{"http://10.9.9.9/x.iso": 5000}
		r := newRig(t, w)
		defer r.stop()
		for _, step := range []struct{ line, want string }{
			{"POST /storage?storage=n1&type=nfs&server=10.9.9.9&export=/e&nodes=pve1", "200 OK"},
			{"POST /storage?storage=n2&type=nfs&server=10.9.9.8&export=/e", "500 create storage failed: storage 'n2' is not online"},
			{"POST /storage?storage=n2&type=nfs&server=10.9.9.8&export=/e&disable=1", "200 OK"},
			{"POST /storage?storage=z1&type=zfspool&pool=nosuch", "500 create storage failed: could not activate storage 'z1', zfs error: cannot import 'nosuch': no such pool available"},
			{"POST /storage?storage=l1&type=lvmthin&vgname=vg&thinpool=data&content=iso", "500 storage does not support content type 'iso'"},
			{"POST /storage?storage=l1&type=lvmthin&vgname=vg&thinpool=data&path=/x", "500 unexpected property 'path'"},
			{"POST /storage?storage=l1&type=lvmthin&vgname=vg", "500 missing value for required option 'thinpool'"},
			{"PUT /storage/n1?server=1.2.3.4", "200 OK"},
			{"PUT /storage/n1?delete=export", "500 update storage failed: unable to delete required option 'export'"},
			{"PUT /storage/n1?delete=nodes&nodes=pve1", "500 update storage failed: cannot set and delete property 'nodes' at the same time!"},
			{"POST /nodes/pve1/storage/isos/download-url?url=http://10.9.9.9/x.iso&filename=x.iso&content=iso", "200 OK"},
			{"DELETE /storage/n1", "200 OK"},
		} {
			method, rest, _ := strings.Cut(step.line, " ")
			path, query, _ := strings.Cut(rest, "?")
			if got := r.form(method, path, query).status; got != step.want {
				t.Errorf("%s: got %q, want %q", step.line, got, step.want)
			}
		}
		time.Sleep(3 * time.Second)
		if got := volumes(r.sim, "isos"); !strings.Contains(got, "isos:iso/x.iso iso 5000\n") {
			t.Error(got)
		}
		def, _ := r.get("/storage/n2").data.(map[string]any)
		delete(def, "digest")
		want := map[string]any{"storage": "n2", "type": "nfs", "server": "10.9.9.8", "export": "/e", "path": "/mnt/pve/n2", "disable": 1.0,
			"shared": 1.0, "content": "images"}
		if diff := cmp.Diff(want, def); diff != "" {
			t.Error(diff)
		}
	})
}
