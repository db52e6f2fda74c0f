package nocloud

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/lazy"
)

// File is one file of an image, in its root folder.
type File struct {
	Name    string // letters, digits, dots, dashes, underscores; at most 64
	Content []byte
}

// sector is the unit of ISO 9660 (ECMA-119).
const sector = 2048

// The sectors of an image: descriptors at 16 (ECMA-119 6.7.1), then four path tables, then the two views of the root folder.
const (
	atPrimary = 16 + iota
	atJoliet
	atEnd
	atPathL
	atPathM
	atJolietPathL
	atJolietPathM
	atRoot
)

var fileName = lazy.Regexp(`^[A-Za-z0-9._-]{1,64}$`)

// Image writes an ISO 9660 image with Rock Ridge and Joliet names, the same bytes for the same files. Every system that knows CD-ROMs reads
// one of the three names. label is the volume's, such as cidata.
func Image(label string, files []File) ([]byte, error) {
	files = slices.Clone(files)
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	for k, f := range files {
		if !fileName().MatchString(f.Name) || strings.Trim(f.Name, ".") == "" || k > 0 && files[k-1].Name == f.Name {
			return nil, fault.New(fault.Internal, "an image cannot have a file %q", f.Name)
		}
	}
	if len(files) > 8 || !fileName().MatchString(label) || len(label) > 16 { // a folder of 8 has room in one sector
		return nil, fault.New(fault.Internal, "an image has at most 8 files, and a label of at most 16 letters")
	}
	w := &image{label: label, next: atRoot + 2}
	for _, f := range files {
		w.at = append(w.at, w.next)
		w.next += (len(f.Content) + sector - 1) / sector
	}
	w.data = make([]byte, w.next*sector)
	for k, f := range files {
		copy(w.data[w.at[k]*sector:], f.Content)
	}
	w.folder(atRoot, files, false)
	w.folder(atRoot+1, files, true)
	w.descriptor(atPrimary, atRoot, atPathL, false)
	w.descriptor(atJoliet, atRoot+1, atJolietPathL, true)
	copy(w.data[atEnd*sector:], "\xffCD001\x01")
	for k, table := range []int{atPathL, atPathM, atJolietPathL, atJolietPathM} {
		w.pathTable(table, atRoot+k/2, k%2 == 1)
	}
	return w.data, nil
}

// image is one that is being written.
type image struct {
	label string
	data  []byte
	at    []int // first sector of each file
	next  int   // the first free sector
}

// both writes a number in both orders of bytes.
func both32(n int) []byte {
	b := binary.LittleEndian.AppendUint32(nil, uint32(n)) //nolint:gosec // an image is far below 4 GiB
	return binary.BigEndian.AppendUint32(b, uint32(n))    //nolint:gosec // as above
}

func both16(n int) []byte {
	b := binary.LittleEndian.AppendUint16(nil, uint16(n)) //nolint:gosec // small numbers only
	return binary.BigEndian.AppendUint16(b, uint16(n))    //nolint:gosec // as above
}

// ucs2 is a text as Joliet has it.
func ucs2(s string) []byte {
	var out []byte
	for _, u := range utf16.Encode([]rune(s)) {
		out = binary.BigEndian.AppendUint16(out, u)
	}
	return out
}

// stamp is the moment that all files bear: images of the same content are the same. 2026-01-01 00:00 UTC.
var stamp = []byte{126, 1, 1, 0, 0, 0, 0}

// record is a folder's entry (ECMA-119 9.1) with what Rock Ridge says of it.
func record(name []byte, at, size int, folder bool, more []byte) []byte {
	flags := byte(0)
	if folder {
		flags = 2
	}
	r := slices.Concat([]byte{0, 0}, both32(at), both32(size), stamp, []byte{flags, 0, 0}, both16(1), []byte{byte(len(name))}, name)
	if len(r)%2 == 1 {
		r = append(r, 0)
	}
	r = append(r, more...)
	if len(r)%2 == 1 {
		r = append(r, 0)
	}
	r[0] = byte(len(r))
	return r
}

// mode is Rock Ridge's PX: what ls shows.
func mode(bits, links int) []byte {
	return slices.Concat([]byte{'P', 'X', 36, 1}, both32(bits), both32(links), both32(0), both32(0))
}

// folder writes the root folder in one of its two views.
func (w *image) folder(at int, files []File, joliet bool) {
	var self, parent []byte
	if !joliet {
		// SP says that SUSP is in use, ER which extension (RRIP 4.3, SUSP 5.3 and 5.5).
		self = slices.Concat([]byte{'S', 'P', 7, 1, 0xbe, 0xef, 0}, mode(0o40555, 2), []byte{'E', 'R', 18, 1, 10, 0, 0, 1}, []byte("RRIP_1991A"))
		parent = mode(0o40555, 2)
	}
	out := slices.Concat(record([]byte{0}, at, sector, true, self), record([]byte{1}, at, sector, true, parent))
	for k, f := range files {
		name, more := []byte(fmt.Sprintf("F%07d.;1", k)), slices.Concat(mode(0o100444, 1), []byte{'N', 'M', byte(5 + len(f.Name)), 1, 0}, []byte(f.Name))
		if joliet {
			name, more = ucs2(f.Name), nil
		}
		out = append(out, record(name, w.at[k], len(f.Content), false, more)...)
	}
	copy(w.data[at*sector:(at+1)*sector], out)
}

// descriptor writes a volume descriptor (ECMA-119 8.4, 8.5; Joliet: 8.5 with the escape sequence of UCS-2 level 3).
func (w *image) descriptor(at, root, table int, joliet bool) {
	d := w.data[at*sector : (at+1)*sector]
	copy(d, "\x01CD001\x01")
	text := func(from, n int, s string) {
		b := []byte(s)
		if joliet {
			b = ucs2(s)
		}
		for len(b) < n {
			b = append(b, map[bool]string{true: "\x00 ", false: " "}[joliet]...)
		}
		copy(d[from:from+n], b[:n])
	}
	text(8, 32, "")
	text(40, 32, w.label)
	copy(d[80:], both32(len(w.data)/sector))
	copy(d[120:], both16(1))
	copy(d[124:], both16(1))
	copy(d[128:], both16(sector))
	copy(d[132:], both32(10))
	binary.LittleEndian.PutUint32(d[140:], uint32(table)) //nolint:gosec // a small constant
	binary.BigEndian.PutUint32(d[148:], uint32(table+1))  //nolint:gosec // as above
	copy(d[156:], record([]byte{0}, root, sector, true, nil))
	text(190, 128, "")
	text(318, 128, "")
	text(446, 128, "")
	text(574, 128, "PROXMOX-MCP")
	text(702, 37, "")
	text(739, 37, "")
	text(776, 37, "")
	for _, date := range []int{813, 830, 847, 864} {
		copy(d[date:], "0000000000000000\x00")
	}
	d[881] = 1
	if joliet {
		d[0] = 2
		copy(d[88:], "%/E")
	}
}

// pathTable names the root folder (ECMA-119 9.4).
func (w *image) pathTable(at, root int, big bool) {
	t := w.data[at*sector:]
	t[0] = 1
	var order binary.ByteOrder = binary.LittleEndian
	if big {
		order = binary.BigEndian
	}
	order.PutUint32(t[2:], uint32(root)) //nolint:gosec // a small constant
	order.PutUint16(t[6:], 1)
}
