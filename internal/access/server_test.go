package access

import "testing"

type found map[string]*Entry

func (f found) Lookup(key []byte) (*Entry, bool) {
	e, ok := f[string(key)]
	return e, ok
}

func TestServerKeyLetsInOnlyServerKeysInForce(t *testing.T) {
	keys := found{
		"s": {Project: "shop", Kind: Server}, "c": {Project: "shop", Kind: Client}, "a": {Project: "shop", Kind: Admin},
		"held": {Project: "shop", Kind: Server, Suspended: true},
	}
	for key, want := range map[string]string{
		"s": "", "c": "forbidden", "a": "forbidden", "held": "key_suspended", "": "missing_credential", "x": "invalid_credential",
	} {
		entry, p := ServerKey(keys, []byte(key))
		code := ""
		if p != nil {
			code = p.Code
		}
		if code != want || (p == nil) != (entry != nil) {
			t.Errorf("%q: %s %v, want %s", key, code, entry, want)
		}
	}
}
