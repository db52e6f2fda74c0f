package repo

import "path"

// Write brings the folder to what was planned. The manifest first says what is about to be written, so that a write that was cut off is
// not taken for somebody's edits.
func (c *Change) Write() error {
	f := c.folder
	if err := f.make(); err != nil {
		return err
	}
	intent := f.Manifest
	intent.Writing = map[string]string{}
	for _, fc := range c.Files {
		if fc.generated != nil {
			intent.Writing[fc.Path] = hash(fc.generated)
		}
	}
	if len(intent.Writing) > 0 {
		intent.Version, intent.Cluster = manifestVersion, c.next.Cluster
		if err := f.record(manifestPath, intent); err != nil {
			return err
		}
	}
	for i := range c.Files {
		if err := c.apply(&c.Files[i]); err != nil {
			return err
		}
	}
	if err := f.record(worldPath, c.world); err != nil {
		return err
	}
	if err := f.record(manifestPath, c.next); err != nil {
		return err
	}
	f.Manifest = c.next
	return nil
}

// apply writes one file, then what was generated for it: cut off between the two, the next merge finds the same on both sides.
func (c *Change) apply(fc *FileChange) error {
	f := c.folder
	if fc.State == Removed {
		delete(c.next.Files, fc.Path)
		if err := f.drop(fc.Path); err != nil {
			return err
		}
		return f.drop(path.Join(basePath, fc.Path))
	}
	if fc.write != nil {
		if err := f.put(fc.Path, fc.write); err != nil {
			return err
		}
	}
	if fc.generated == nil {
		return nil
	}
	c.next.Files[fc.Path] = Entry{Target: fc.target, SHA256: hash(fc.generated)}
	return f.put(path.Join(basePath, fc.Path), fc.generated)
}

func (f *Folder) record(p string, v any) error {
	raw, err := marshal(v)
	if err != nil {
		return err
	}
	return f.put(p, raw)
}
