package bootstrap

import (
	"errors"
	"strconv"
	"time"
)

// documentVersion is the version of the document that this build reads.
const documentVersion = 1

// Document is what an operator declares.
type Document struct {
	Version  int              `json:"version"`
	Database string           `json:"database"`
	Roles    []Role           `json:"roles"`
	Users    []User           `json:"users"`
	Settings map[string]Value `json:"settings"` // cluster settings by name
	Tables   []Table          `json:"tables"`
	Audit    Audit            `json:"audit"`
	Ignore   []string         `json:"ignore"` // roles of others, whose privileges are not reported
}

// Role is a set of privileges that users become members of. It cannot log in.
type Role struct {
	Name   string  `json:"name"`
	Duty   Duty    `json:"duty"`   // "": only Grants
	Grants []Grant `json:"grants"` // beside those of the duty
}

// Grant is privileges on one table.
type Grant struct {
	On         string   `json:"on"`
	Privileges []string `json:"privileges"`
}

// User logs in.
type User struct {
	Name         string   `json:"name"`
	Roles        []string `json:"roles"`
	PasswordFile string   `json:"passwordFile"` // in the secrets directory; "": no password, the user shows a certificate
}

// Table says how a table is kept. Tables come from migrations; what is declared for one that is not there yet waits.
type Table struct {
	Name    string           `json:"name"`
	GCTTL   Duration         `json:"gcTTL"`   // how long old versions are kept, and so how long a feed may be away; 0: not declared
	Options map[string]Value `json:"options"` // storage parameters: schema_locked, ttl_delete_rate_limit, …
}

// Audit says whose statements the cluster writes to its sensitive-access log.
type Audit struct {
	Users  []string `json:"users"`  // users or roles: every statement of theirs
	Tables []string `json:"tables"` // every statement on them
}

// Value is a scalar of YAML as it is written: true, 1s, 100.
type Value string

// UnmarshalText takes any scalar.
func (v *Value) UnmarshalText(text []byte) error {
	*v = Value(text)
	return nil
}

// bare reports whether the value is a word of SQL by itself: a truth value or a number.
func (v Value) bare() bool {
	if v == "true" || v == "false" {
		return true
	}
	for i := range len(v) {
		if (v[i] < '0' || v[i] > '9') && v[i] != '.' && (v[i] != '-' || i > 0) {
			return false
		}
	}
	_, err := strconv.ParseFloat(string(v), 64)
	return err == nil
}

// Duration is a length of time as Go writes it: 90m, 25h.
type Duration time.Duration

// UnmarshalText reads what time.ParseDuration reads.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	if err != nil {
		return errors.New("no length of time; write it as 90m or 25h")
	}
	*d = Duration(parsed)
	return nil
}

// seconds is the whole seconds of d.
func (d Duration) seconds() int64 { return int64(time.Duration(d) / time.Second) }

// String is d as it is written.
func (d Duration) String() string { return time.Duration(d).String() }
