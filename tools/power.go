package tools

import (
	"context"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/change"
)

type powerIn struct {
	Action  string `json:"action" req:"true" enum:"start,shutdown,reboot,stop,reset,suspend,resume" example:"start"`
	Timeout int    `json:"timeout_s" min:"1" max:"3600" example:"120" desc:"for a shutdown or reboot"`
	Force   bool   `json:"force" desc:"stop it when a shutdown times out"`
	Write
}

func powerGuest() Spec {
	return writes(Spec{
		Name: "power_guest", Title: "Power", Family: "change", Command: "guest power", Args: []string{"guest", "action"}, Tier: R1,
		Acts:    []Act{{"start", R1}, {"shutdown", R2}, {"reboot", R2}, {"stop", R2}, {"reset", R2}, {"suspend", R2}, {"resume", R1}},
		Needs:   []Need{needPower.orNothing(), needGuests},
		Summary: "Start, shut down, restart or pause one guest or those of a query.",
		Examples: []Example{
			{CLI: "guest power 208 start", Args: map[string]any{"guest": "208", "action": "start"}, Why: "start one guest"},
			{CLI: "guest power 208 stop --dry-run", Args: map[string]any{"guest": "208", "action": "stop", "dry_run": true}, Why: "only plan it"},
		},
	}, func(_ context.Context, _ Deps, in *powerIn) (change.Request, error) {
		return in.acting(change.Power{Verb: in.Action, Timeout: time.Duration(in.Timeout) * time.Second, Force: in.Force}), nil
	})
}
