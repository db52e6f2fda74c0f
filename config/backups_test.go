package config

import (
	"strings"
	"testing"
)

func TestBackups(t *testing.T) {
	t.Parallel()
	cfg, _, err := loadText(t, oneCluster+"backups: {files: [/etc/*.conf, /srv/**]}\n", nil)
	if err != nil || len(cfg.Backups.Files) != 2 || cfg.Backups.Files[1].String() != "/srv/**" {
		t.Fatal(cfg, err)
	}
	_, _, err = loadText(t, oneCluster+"backups: {files: [etc/hosts]}\n", nil)
	if err == nil || !strings.Contains(err.Error(), "backups.files[0]: must be a path from / on") || !strings.Contains(err.Error(), "such as /etc/*.conf") {
		t.Error(err)
	}
}
