package change

import (
	"fmt"
	"slices"
)

// unlocks says which rule a step would let its guest slip out of, or into: who may be changed is decided by tags and pools that the owner
// set, so no change through this server moves a guest across such a line, today's plan for tomorrow's included (S08).
func (s *Sheriff) unlocks(st *Step, t Target, grants []Grant) string {
	after := t
	if tags, ok := st.Want.Set["tags"]; ok {
		after.Tags = splitTags(tags)
	}
	if slices.Contains(st.Want.Unset, "tags") {
		after.Tags = nil
	}
	if st.Want.Pool != nil {
		after.Pool = *st.Want.Pool
	}
	if st.Program != nil {
		after = st.Program.relabelled(after)
	}
	rules := slices.Concat(s.Rules.Deny, s.Rules.Allow, s.Rules.Protected)
	if len(s.Rules.Exec.Allow) > 0 {
		rules = append(rules, Scope{Tag: s.Rules.Exec.Tag})
	}
	for _, g := range grants {
		rules = append(rules, g.Scope)
	}
	for _, r := range rules {
		if r.Fits(t) != r.Fits(after) {
			return fmt.Sprintf("a rule of the owner goes by this (%s), so it is not changed here", r)
		}
	}
	return ""
}
