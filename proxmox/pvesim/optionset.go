package pvesim

import (
	"maps"
	"slices"
	"strings"
)

// optionSet says which options a kind of entry in a configuration file has: lists of words. Those of fixed and required are
// there in each entry, those of fixed and fixedOptional never change.
type optionSet struct {
	required, fixed, fixedOptional, optional string
}

func (s optionSet) knows(option string) bool {
	return contains(strings.Fields(s.fixed+" "+s.fixedOptional+" "+s.required+" "+s.optional), option)
}

// complete checks that all required options are there.
func (s optionSet) complete(given Object) error {
	for k := range strings.FieldsSeq(s.fixed + " " + s.required) {
		if given[k] == nil {
			return fail("missing value for required option '%s'", k) // 13/070, 15/081
		}
	}
	return nil
}

// remove checks that options can be removed.
func (s optionSet) remove(keys []string, given Object) error {
	for _, k := range keys {
		switch {
		case !s.knows(k):
			return fail("no such option '%s'", k)
		case contains(strings.Fields(s.fixed+" "+s.required), k):
			return fail("unable to delete required option '%s'", k)
		case contains(strings.Fields(s.fixedOptional), k):
			return fail("unable to delete fixed option '%s'", k)
		case given[k] != nil:
			return fail("cannot set and delete property '%s' at the same time!", k)
		}
	}
	return nil
}

// take passes options on when there are such.
func (s optionSet) take(given Object) (Object, error) {
	for _, k := range slices.Sorted(maps.Keys(given)) {
		if !s.knows(k) {
			return nil, fail("unexpected property '%s'", k)
		}
	}
	return clone(given), nil
}

// change gives an entry with options set and others removed.
func (s optionSet) change(old, given Object, drop []string) (Object, error) {
	with, err := s.take(given)
	if err != nil {
		return nil, err
	}
	if err := s.remove(drop, with); err != nil {
		return nil, err
	}
	return merged(old, drop, with), nil
}

// collection is a list of sections by the key that has their ids.
type collection struct{ list, key string }

// find gives the entry of an id, nil when there is none.
func (l collection) find(w *World, id string) Object { return w.Cluster.section(l.list, l.key, id) }

// among is find in another list of such entries.
func (l collection) among(list []Object, id string) Object {
	return find(list, func(o Object) bool { return o[l.key] == id })
}

func (l collection) store(w *World, o Object) { w.Cluster.putSection(l.list, l.key, o) }

func (l collection) drop(w *World, id string) bool { return w.Cluster.dropSection(l.list, l.key, id) }

// unmodified checks the parameter digest.
func (l collection) unmodified(c *call) error { return c.unmodified(c.w.Cluster.sectionDigest(l.list)) }
