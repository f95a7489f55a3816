package app

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// Ready is what the ready file says.
type Ready struct {
	Listen        string            `json:"listen,omitempty"`
	AdminListen   string            `json:"adminListen,omitempty"`
	OpsListen     string            `json:"opsListen"`
	BulkListen    string            `json:"bulkListen,omitempty"`
	WebhookListen string            `json:"webhookListen,omitempty"` // of a relay that the database sends changes to
	Project       string            `json:"project,omitempty"`       // of the demo
	Keys          map[string]string `json:"keys,omitempty"`          // of the demo, by kind
}

// Ready describes the running replica. Valid after Start.
func (a *App) Ready() Ready {
	decision, control, ops := a.Addrs()
	return Ready{
		Listen: decision, AdminListen: control, OpsListen: ops, BulkListen: a.listeners.bulk.Addr().String(), WebhookListen: a.relay.webhookAddr(),
		Project: a.cfg.ReadyProject, Keys: a.cfg.ReadyKeys,
	}
}

// write writes the file in one step: who sees it sees all of it. Without a path it does nothing.
func (r Ready) write(path string) error {
	if path == "" {
		return nil
	}
	text, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("ready file: %w", err)
	}
	temporary, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("ready file: %w", err)
	}
	_, err = temporary.Write(append(text, '\n'))
	if closeErr := temporary.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(temporary.Name(), path)
	}
	if err != nil {
		os.Remove(temporary.Name())
		return fmt.Errorf("ready file: %w", err)
	}
	return nil
}
