package pvesim

import (
	"bufio"
	"bytes"
	"crypto/md5"  //nolint:gosec // the client chooses the algorithm
	"crypto/sha1" //nolint:gosec // the client chooses the algorithm
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/lazy"
)

// upload is a file that came with a request. Of its content only what is needed later is kept.
type upload struct {
	size int64
	sum  string // in the algorithm that the client named
	head []byte
}

const (
	// headBytes is what is kept of a file: enough for the header of a disk image.
	headBytes = 64
	// fieldBytes bounds a field beside the file.
	fieldBytes = 64 << 10
	// drainBytes is how much of a refused body is still read, so that the client sees the answer.
	drainBytes = 1 << 20
)

var uploadPath = lazy.Regexp(`^/nodes/[^/]+/storage/([^/]+)/upload$`)

// uploadTo gives the storage that a request uploads to.
func (x *exchange) uploadTo() (store string, ok bool) {
	if m := uploadPath().FindStringSubmatch(x.apiPath); m != nil && x.method == http.MethodPost {
		return m[1], true
	}
	return "", false
}

// errNoAnswer closes the connection without a word.
var errNoAnswer = errors.New("no answer")

// admitUpload lets in who may upload before it reads the file. Refusals come as late as those of logins (13/023).
func (s *Sim) admitUpload(x *exchange, store string) error {
	s.mu.RLock()
	c := &call{sim: s, w: s.world, acl: s.acl, entry: x.entry, now: s.now()}
	err := c.login(x)
	if err == nil {
		err = c.wants("/storage/"+store, "Datastore.AllocateTemplate")
	}
	s.mu.RUnlock()
	if err != nil {
		_, _ = io.CopyN(io.Discard, x.stream, min(x.length, drainBytes)) // best effort: see drainBytes
		_ = wait(x.ctx, s.authDelay)
		reason := err.Error()
		if e, ok := errors.AsType[*apiError](err); ok {
			reason = e.reason()
		}
		return silent(http.StatusForbidden, reason)
	}
	return x.takeUpload()
}

// takeUpload reads the body of an upload: fields in a fixed order, the file last (facts 53).
func (x *exchange) takeUpload() error {
	kind, params, err := mime.ParseMediaType(x.header.Get("Content-Type"))
	if err != nil || kind != "multipart/form-data" || params["boundary"] == "" {
		return errNoAnswer // 13/022
	}
	form := &uploadForm{in: bufio.NewReaderSize(io.LimitReader(x.stream, x.length), 64<<10), delimiter: "--" + params["boundary"], fields: map[string]any{}}
	if err := form.read(); err != nil {
		_, _ = io.CopyN(io.Discard, form.in, drainBytes) // best effort: see drainBytes
		return err
	}
	x.params, x.upload = form.fields, form.file
	_, err = io.Copy(io.Discard, form.in)
	return err
}

// uploadForm is a multipart body at work.
type uploadForm struct {
	in        *bufio.Reader
	delimiter string
	fields    map[string]any
	file      *upload
}

// uploadFields is the order in which fields are looked for.
var uploadFields = []string{"content", "checksum-algorithm", "checksum"}

// errUploadFailed is what a body without a file that can be read ends in (13/015).
func errUploadFailed() error { return perlError("upload failed", 1370) }

func (f *uploadForm) read() error {
	if _, err := f.copyPart(io.Discard); err != nil { // what stands before the first part
		return errUploadFailed()
	}
	next := 0
	for {
		name, file, err := f.header()
		if err != nil {
			return err
		}
		if file {
			return f.readFile()
		}
		for next < len(uploadFields) && uploadFields[next] != name {
			next++
		}
		if next == len(uploadFields) {
			return &apiError{status: 400, message: "Bad Request\n", empty: true} // 13/012
		}
		var value strings.Builder
		last, err := f.copyPart(&limitedWriter{&value, fieldBytes})
		if err != nil || last {
			return errUploadFailed()
		}
		f.fields[name] = strings.TrimSpace(value.String())
	}
}

var (
	fileHeader  = lazy.Regexp(`^Content-Disposition: (.*?); name="(.*?)"; filename="([^"]+)"`)
	fieldHeader = lazy.Regexp(`^Content-Disposition: (.*?); name="([^"]+)"$`)
)

// header reads the header of a part, whose first line has to be its disposition.
func (f *uploadForm) header() (name string, file bool, err error) {
	first := ""
	for {
		raw, err := f.in.ReadSlice('\n') // a line longer than the buffer is none
		if err != nil {
			return "", false, errUploadFailed()
		}
		line := strings.TrimRight(string(raw), "\r\n")
		if line == "" {
			break
		}
		if first == "" {
			first = line
		}
	}
	if m := fileHeader().FindStringSubmatch(first); m != nil {
		if m[2] != "filename" {
			return "", false, perlError("wrong field name '"+m[2]+"' for file upload, expected 'filename'", 1325) // 13/014
		}
		f.fields["filename"] = strings.TrimSpace(m[3])
		return m[2], true, nil
	}
	if m := fieldHeader().FindStringSubmatch(first); m != nil {
		return m[2], false, nil
	}
	return "", false, errUploadFailed()
}

// readFile reads the file, its checksum on the way.
func (f *uploadForm) readFile() error {
	sum := newHash(text(f.fields["checksum-algorithm"]))
	head := &headWriter{}
	n := &countWriter{}
	if _, err := f.copyPart(io.MultiWriter(sum, head, n)); err != nil {
		return errUploadFailed()
	}
	f.file = &upload{size: n.n, sum: hex.EncodeToString(sum.Sum(nil)), head: head.b}
	return nil
}

func newHash(algorithm string) hash.Hash {
	switch algorithm {
	case "md5":
		return md5.New() //nolint:gosec // see above
	case "sha1":
		return sha1.New() //nolint:gosec // see above
	case "sha224":
		return sha256.New224()
	case "sha384":
		return sha512.New384()
	case "sha512":
		return sha512.New()
	}
	return sha256.New()
}

// copyPart copies what stands before the next delimiter, without the line end before it, and tells whether that
// delimiter closes the body.
func (f *uploadForm) copyPart(w io.Writer) (last bool, err error) {
	held, start := []byte(nil), true
	for {
		line, err := f.in.ReadSlice('\n')
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) && len(line) == 0 {
			return false, io.ErrUnexpectedEOF
		}
		if rest, ok := bytes.CutPrefix(line, []byte(f.delimiter)); ok && start {
			rest = bytes.TrimRight(rest, "\r\n")
			if closing := bytes.HasPrefix(rest, []byte("--")); closing || len(rest) == 0 {
				return closing, nil
			}
		}
		if len(held) == 1 && held[0] == '\r' && len(line) == 1 && line[0] == '\n' {
			held, start = []byte("\r\n"), true
			continue
		}
		content := bytes.TrimSuffix(line, []byte("\n"))
		start = len(content) < len(line)
		content = bytes.TrimSuffix(content, []byte("\r"))
		if _, err := w.Write(held); err != nil {
			return false, err
		}
		if _, err := w.Write(content); err != nil {
			return false, err
		}
		held = append([]byte(nil), line[len(content):]...)
	}
}

// limitedWriter refuses more than n bytes.
type limitedWriter struct {
	w io.Writer
	n int
}

func (l *limitedWriter) Write(b []byte) (int, error) {
	if l.n -= len(b); l.n < 0 {
		return 0, io.ErrShortBuffer
	}
	return l.w.Write(b)
}

// headWriter keeps the first bytes.
type headWriter struct{ b []byte }

func (h *headWriter) Write(b []byte) (int, error) {
	h.b = append(h.b, b[:min(len(b), headBytes-len(h.b))]...)
	return len(b), nil
}

// countWriter counts bytes.
type countWriter struct{ n int64 }

func (c *countWriter) Write(b []byte) (int, error) {
	c.n += int64(len(b))
	return len(b), nil
}

// imageSize is the size of the disk in a qcow2 file, which stands in its header; false when the file is none.
func (u *upload) imageSize() (int64, bool) {
	if len(u.head) < 32 || !bytes.HasPrefix(u.head, []byte("QFI\xfb")) {
		return 0, false
	}
	return int64(binary.BigEndian.Uint64(u.head[24:32])), true //nolint:gosec // a size is below 2^63
}
