package pve

import "testing"

// TestReadSize: every spelling of a size is the same size, in binary units; what is none is none.
func TestReadSize(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{"20G": 20 << 30, "20g": 20 << 30, "20GB": 20 << 30, "20gb": 20 << 30, "20GiB": 20 << 30, "20 GiB": 20 << 30, " 20 G ": 20 << 30,
		"1.5T": 3 << 39, "512M": 512 << 20, "512MiB": 512 << 20, "4096": 4096, "4096B": 4096, "8K": 8 << 10} {
		if got, ok := ReadSize(text); !ok || got != want {
			t.Errorf("%q is %d, %v", text, got, ok)
		}
	}
	for _, text := range []string{"", " ", "G", "GB", "-5G", "5P", "5GG", "5Gi", "5iB", "5 5G", "five G", "5,5G", "+5G", "5Gbit"} {
		if got, ok := ReadSize(text); ok {
			t.Errorf("%q is %d", text, got)
		}
	}
}
