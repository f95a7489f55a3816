package demo

import (
	"crypto/sha256"
	"time"

	"eligibility/internal/access"
)

// Project is the one project of the demo.
const Project = "demo"

// The well-known keys of the demo. They are no secrets: a demo binds to loopback only and `serve` refuses a data directory that holds them.
const (
	ClientKey = "demo-client-key" // asks for decisions of any user: it demands no user token
	ServerKey = "demo-server-key"
	AdminKey  = "demo-admin-key" // of the owner role
)

// Keys are the well-known keys by kind, as the ready file tells them.
func Keys() map[string]string {
	return map[string]string{"client": ClientKey, "server": ServerKey, "admin": AdminKey}
}

// credentials are the stored forms of the keys.
func credentials(now time.Time) []access.Credential {
	made := func(id, key string, kind access.Kind, role access.Role) access.Credential {
		return access.Credential{
			ID: id, Project: Project, Kind: kind, Role: role, Name: "well-known key of the demo",
			Hash: sha256.Sum256([]byte(key)), CreatedAt: now.UTC(), Demo: true,
		}
	}
	return []access.Credential{
		made("demo-client", ClientKey, access.Client, ""),
		made("demo-server", ServerKey, access.Server, ""),
		made("demo-admin", AdminKey, access.Admin, access.Owner),
	}
}
