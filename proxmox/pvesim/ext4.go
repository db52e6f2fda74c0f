package pvesim

import (
	"fmt"
	"strings"
)

// ext4 is the layout of an ext4 file system as mkfs makes it without options: what it prints, and how much of the
// volume is left for data.
type ext4 struct {
	size                   int64
	block, blocks, inodes  int64
	perGroup, groups       int64
	firstBlock, descriptor int64
}

// Defaults of mkfs.ext4: bytes for each inode, below 512 MiB ("small") more inodes in smaller blocks; bytes of an inode
// and of a group's descriptor.
const (
	inodeRatio, smallInodeRatio = 16384, 4096
	smallFileSystem             = 512 * mib
	inodeSize, descriptorSize   = 256, 64
)

func newExt4(size int64) *ext4 {
	fs := &ext4{size: size, block: 4096, descriptor: descriptorSize}
	ratio := int64(inodeRatio)
	if size < smallFileSystem {
		fs.block, ratio, fs.firstBlock = 1024, smallInodeRatio, 1
	}
	fs.blocks = size / fs.block
	fs.perGroup = fs.block * 8
	fs.groups = max(1, ceil(fs.blocks-fs.firstBlock, fs.perGroup))
	perTable := fs.block / inodeSize // the inodes of a group fill whole blocks
	fs.inodes = ceil(ceil(size/ratio, fs.groups), perTable) * perTable * fs.groups
	return fs
}

func ceil(a, b int64) int64 { return (a + b - 1) / b }

// describe logs what mkfs says of a new file system (06/004, 06/025).
func (fs *ext4) describe(uuid string, log logger) {
	log("Creating filesystem with %d %dk blocks and %d inodes", fs.blocks, fs.block/1024, fs.inodes)
	log("Filesystem UUID: %s", uuid)
	if fs.groups == 1 {
		return
	}
	log("Superblock backups stored on blocks: %s", fs.backups())
}

// backupColumns is how wide mkfs makes a line of backup blocks.
const backupColumns = 72

// backups lists the blocks of the superblock's copies, in lines that begin with a tab.
func (fs *ext4) backups() string {
	var b strings.Builder
	left := 0
	for i := int64(1); i < fs.groups; i++ {
		if !hasBackup(i) {
			continue
		}
		if b.Len() > 0 {
			b.WriteString(", ")
		}
		word := fmt.Sprint(fs.firstBlock + i*fs.perGroup)
		if need := len(word) + 1; need > left {
			b.WriteString("\n\t")
			left = backupColumns
		}
		left -= len(word) + 1
		b.WriteString(word)
	}
	return b.String()
}

// hasBackup is whether a group has a copy of the superblock: the first two do, and the powers of 3, 5 and 7.
func hasBackup(group int64) bool {
	if group < 2 {
		return true
	}
	for _, base := range []int64{3, 5, 7} {
		n := base
		for n < group {
			n *= base
		}
		if n == group {
			return true
		}
	}
	return false
}

// capacity is what statfs says: the size without inodes, bitmaps, descriptors, room for more of these, and the journal
// (06/026: 4143677440 of 4 GiB, 06/034: 1020702720 of 1 GiB).
func (fs *ext4) capacity() int64 {
	perBlock := fs.block / fs.descriptor
	descriptors := ceil(fs.groups, perBlock)
	grown := min(fs.blocks*1024, 1<<32-1)
	reserved := min(ceil(ceil(grown-fs.firstBlock, fs.perGroup), perBlock)-descriptors, fs.block/4)
	copies := int64(0)
	for i := range fs.groups {
		if hasBackup(i) {
			copies++
		}
	}
	overhead := fs.inodes*inodeSize/fs.block + 2*fs.groups + copies*(1+descriptors+reserved) + fs.journal() + fs.firstBlock
	return (fs.blocks - overhead) * fs.block
}

// journal is the default size of the journal in blocks.
func (fs *ext4) journal() int64 {
	for _, step := range []struct{ below, blocks int64 }{
		{2048, 0}, {32768, 1024}, {256 << 10, 4096}, {512 << 10, 8192}, {4096 << 10, 16384}, {8192 << 10, 32768}, {16384 << 10, 65536},
		{32768 << 10, 131072},
	} {
		if fs.blocks < step.below {
			return step.blocks
		}
	}
	return 262144
}
