package pvesim

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestExt4 holds what mkfs prints and statfs says to what the recordings have: 06/004, 06/025, 06/026, 06/034, 07/057 and
// the tasks of the world.
func TestExt4(t *testing.T) {
	for _, tt := range []struct {
		size     int64
		want     []string
		capacity int64 // 0 = not recorded
	}{
		{256 * mib, []string{"Creating filesystem with 262144 1k blocks and 65536 inodes", "Filesystem UUID: U",
			"Superblock backups stored on blocks: ", "\t8193, 24577, 40961, 57345, 73729, 204801, 221185"}, 0},
		{512 * mib, []string{"Creating filesystem with 131072 4k blocks and 32768 inodes", "Filesystem UUID: U",
			"Superblock backups stored on blocks: ", "\t32768, 98304"}, 0},
		{1024 * mib, []string{"Creating filesystem with 262144 4k blocks and 65536 inodes", "Filesystem UUID: U",
			"Superblock backups stored on blocks: ", "\t32768, 98304, 163840, 229376"}, 1020702720},
		{1280 * mib, []string{"Creating filesystem with 327680 4k blocks and 81920 inodes", "Filesystem UUID: U",
			"Superblock backups stored on blocks: ", "\t32768, 98304, 163840, 229376, 294912"}, 0},
		{4096 * mib, []string{"Creating filesystem with 1048576 4k blocks and 262144 inodes", "Filesystem UUID: U",
			"Superblock backups stored on blocks: ", "\t32768, 98304, 163840, 229376, 294912, 819200, 884736"}, 4143677440},
	} {
		var lines []string
		fs := newExt4(tt.size)
		fs.describe("U", func(format string, args ...any) {
			lines = append(lines, strings.Split(fmt.Sprintf(format, args...), "\n")...)
		})
		if diff := cmp.Diff(tt.want, lines); diff != "" {
			t.Errorf("%d MiB: %s", tt.size/mib, diff)
		}
		if tt.capacity > 0 && fs.capacity() != tt.capacity {
			t.Errorf("%d MiB: capacity %d, want %d", tt.size/mib, fs.capacity(), tt.capacity)
		}
	}
}

func TestMountPath(t *testing.T) {
	for in, want := range map[string]string{"/data": "/data", "relative": "/relative", "//a//b/": "/a/b", "/a/./b/.": "/a/b"} {
		if got := cleanMountPath(in); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}
