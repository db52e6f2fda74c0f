package app

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/iac/runner"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

// ownersWords are what the story's owner writes behind a line of the generated code.
const ownersWords = " # ours: the CI runner, ask before resizing"

// code tells how a homelab becomes code, drifts from it, and is brought back beside its owner's edit.
func (s *story) code(ctx context.Context) {
	s.line("A simulated homelab becomes Terraform and Ansible code, in a folder of the demo's own. Each call below is a real one over MCP.\n" +
		"Answers are shortened.")
	s.title("The cluster as code, from the store: no request goes to Proxmox VE")
	s.call(ctx, "export_code", map[string]any{})
	s.title("One guest of it")
	s.call(ctx, "describe_as_code", map[string]any{"guest": storyGuest})
	s.title("The real provider plans it")
	s.judged(ctx)
	s.title("Somebody changes a guest, and the drift is named")
	s.elsewhere(ctx, "PUT", storyGuestPath+"/config", "memory", "6144")
	s.call(ctx, "sync_inventory", map[string]any{})
	s.call(ctx, "diff_code", map[string]any{})
	s.judged(ctx)
	s.title("Meanwhile its owner edited the code")
	s.annotate()
	s.title("Exported again: what changed is merged beside the edit")
	s.call(ctx, "export_code", map[string]any{})
	s.excerpt()
	s.judged(ctx)
}

// judged lets terraform plan where it is installed and can get its provider, and says so where it cannot.
func (s *story) judged(ctx context.Context) {
	if s.err != nil {
		return
	}
	if _, err := runner.Find(s.parts.cfg.Code.Terraform); err != nil {
		s.line("  not here: %s", fault.Of(err).Message)
		return
	}
	s.line("agent> check_code {}")
	text, err := s.agent.call(ctx, "check_code", json.RawMessage(`{}`))
	if err != nil {
		s.err = err
		return
	}
	s.show(text)
}

// guestFile is the generated file that holds the story's guest.
func (s *story) guestFile() string {
	return filepath.Join(s.app.codeFolder(s.parts.cfg, s.parts.cfg.Clusters[0].Name), "terraform", "vms.tf")
}

// annotate is the owner's edit: words behind the guest's name.
func (s *story) annotate() {
	if s.err != nil {
		return
	}
	raw, err := os.ReadFile(s.guestFile())
	if err != nil {
		s.err = err
		return
	}
	edited := strings.Replace(string(raw), "\"runner\"\n", "\"runner\""+ownersWords+"\n", 1)
	if edited == string(raw) {
		s.err = fault.New(fault.Internal, "the code of the guest is not as the story knows it")
		return
	}
	s.err = os.WriteFile(s.guestFile(), []byte(edited), 0o600) //nolint:gosec // the story's own folder
	s.line("owner> edits terraform/vms.tf\n  name = \"runner\"%s", ownersWords)
}

// excerpt shows the lines that count of what was merged.
func (s *story) excerpt() {
	if s.err != nil {
		return
	}
	raw, err := os.ReadFile(s.guestFile())
	if err != nil {
		s.err = err
		return
	}
	s.line("terraform/vms.tf:")
	inside := false
	for line := range strings.Lines(string(raw)) {
		line = strings.TrimRight(line, "\n")
		inside = strings.HasPrefix(line, "resource ") && strings.Contains(line, `"runner"`) || inside && !strings.HasPrefix(line, "}")
		if inside && (strings.HasPrefix(line, "resource ") || strings.Contains(line, ownersWords) || strings.Contains(line, "dedicated")) {
			s.line("  %s", line)
		}
	}
}
