package tools

import (
	"encoding/json"
	"reflect"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

// Check says whether Call would take this input, without running anything: a door that has to do costly work before the call refuses
// a wrong one first. The error is a *fault.Error.
func (s Spec) Check(raw json.RawMessage) error {
	if err := decodeInput(raw, s.fields(), reflect.New(s.in).Elem()); err != nil {
		return fault.Of(err)
	}
	return nil
}
