package pvesim

import (
	"strings"
	"sync"
)

// storageType is what a type of storage knows: its contents, which of them it has when none are named, and its options.
type storageType struct {
	contents, byDefault string
	shared              bool
	required, fixed     string // fixed: required and the same for ever; required: may be changed
	fixedOptional       string
	optional            string
}

// Options that many types share.
const (
	everyStorage = "nodes disable content bwlimit "
	fileStorage  = everyStorage + "maxfiles prune-backups max-protected-backups format mkdir create-base-path create-subdirs content-dirs preallocation "
	fileContents = "images rootdir vztmpl iso backup snippets import none"
)

// storageTypes are the types that a storage can have (13/071).
var storageTypes = sync.OnceValue(func() map[string]storageType {
	return map[string]storageType{
		"dir": {contents: fileContents, byDefault: "images,rootdir", fixed: "path",
			optional: fileStorage + "shared is_mountpoint snapshot-as-volume-chain"},
		"btrfs": {contents: fileContents, byDefault: "images,rootdir", fixed: "path", optional: fileStorage + "shared is_mountpoint nocow"},
		"nfs": {contents: fileContents, byDefault: "images", shared: true, fixed: "server export", fixedOptional: "path",
			optional: fileStorage + "options snapshot-as-volume-chain"},
		"cifs": {contents: fileContents, byDefault: "images", shared: true, fixed: "server share", fixedOptional: "path",
			optional: fileStorage + "subdir username password domain smbversion options snapshot-as-volume-chain"},
		"cephfs": {contents: "vztmpl iso backup snippets import none", byDefault: "backup", shared: true, fixedOptional: "path",
			optional: fileStorage + "monhost subdir options username fuse keyring fs-name"},
		"lvm": {contents: "images rootdir none", byDefault: "images", fixed: "vgname", fixedOptional: "base",
			optional: everyStorage + "shared saferemove saferemove_throughput saferemove-stepsize tagged_only snapshot-as-volume-chain"},
		"lvmthin":     {contents: "images rootdir none", byDefault: "images,rootdir", fixed: "vgname thinpool", optional: everyStorage},
		"zfspool":     {contents: "images rootdir none", byDefault: "images,rootdir", fixed: "pool", optional: everyStorage + "blocksize sparse mountpoint"},
		"rbd":         {contents: "images rootdir none", byDefault: "images", shared: true, optional: everyStorage + "pool data-pool namespace monhost username krbd keyring authsupported"},
		"pbs":         {contents: "backup none", byDefault: "backup", shared: true, fixed: "server datastore", optional: everyStorage + "namespace port username password encryption-key master-pubkey maxfiles prune-backups max-protected-backups fingerprint"},
		"iscsi":       {contents: "images none", byDefault: "images", shared: true, fixed: "portal target", optional: everyStorage},
		"iscsidirect": {contents: "images", byDefault: "images", shared: true, fixed: "portal target", optional: everyStorage},
		"zfs": {contents: "images", byDefault: "images", shared: true, fixed: "portal target pool blocksize iscsiprovider",
			optional: everyStorage + "nowritecache sparse comstar_hg comstar_tg lio_tpg zfs-base-path"},
		"esxi": {contents: "import", byDefault: "import", shared: true, required: "server username password", optional: everyStorage + "skip-cert-verification"},
	}
})

// numericOptions are shown as numbers; all others, is_mountpoint too, as strings (13/054).
const numericOptions = " disable shared mkdir create-base-path create-subdirs sparse krbd fuse tagged_only saferemove nowritecache nocow " +
	"skip-cert-verification snapshot-as-volume-chain maxfiles port max-protected-backups "

// secretOptions are kept apart and never shown.
const secretOptions = " password keyring encryption-key master-pubkey "

// options are the type's options.
func (t storageType) options() optionSet {
	return optionSet{required: t.required, fixed: t.fixed, fixedOptional: t.fixedOptional, optional: t.optional}
}

// take gives options as the configuration holds them.
func (t storageType) take(given Object) (Object, error) {
	out := Object{}
	for k, v := range given {
		s := text(v)
		if !t.options().knows(k) {
			return nil, fail("unexpected property '%s'", k)
		}
		switch {
		case k == "content":
			if err := t.checkContents(s); err != nil {
				return nil, err
			}
			out[k] = strings.Join(splitList(s), ",")
		case k == "nodes":
			out[k] = strings.Join(splitList(s), ",")
		case strings.Contains(numericOptions, " "+k+" "):
			out[k] = integer(s)
		case !strings.Contains(secretOptions, " "+k+" "):
			out[k] = s
		}
	}
	return out, nil
}

func (t storageType) checkContents(list string) error {
	kinds := splitList(list)
	for _, k := range kinds {
		if !contains(strings.Fields(t.contents), k) {
			return fail("storage does not support content type '%s'", k)
		}
	}
	if len(kinds) > 1 && contains(kinds, "none") {
		return fail("unable to combine 'none' with other content types")
	}
	return nil
}
