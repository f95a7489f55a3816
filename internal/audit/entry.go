// Package audit defines the record of who changed what: one entry for every accepted change of promotions, schema, settings and keys, stored in the
// same commit as the change itself.
package audit

import "time"

// Entry is one accepted change. It is written by the store in the commit that it describes and never altered.
type Entry struct {
	At         time.Time `json:"at"`      // the commit's time; set by the store
	Project    string    `json:"project"` // "" for changes above projects
	Actor      string    `json:"actor"`   // id of the credential, "root" for the root key
	RemoteAddr string    `json:"remoteAddr,omitempty"`
	RequestID  string    `json:"requestId,omitempty"`
	Action     string    `json:"action"`                 // "promotion.publish", "attribute.create", "key.revoke", …
	Target     string    `json:"target"`                 // what was changed: a promotion id, an attribute name
	Before     string    `json:"before,omitempty"`       // SHA-256 in hex of the old content, "" when there was none
	After      string    `json:"after,omitempty"`        // the same of the new content
	Version    uint64    `json:"rulesVersion,omitempty"` // the ruleset version that the change made, 0 if none
	Comment    string    `json:"comment,omitempty"`
}
