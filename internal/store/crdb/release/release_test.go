package release

import "testing"

func TestParse(t *testing.T) {
	for _, c := range []struct {
		name, text, want string // want "": refused
	}{
		{"a release", "CockroachDB CCL v22.1.9 (x86_64-pc-linux-gnu, built 2022/10/17 14:34:07, go1.17.11)", "CockroachDB v22.1.9"},
		{"open source build", "CockroachDB OSS v22.1.22 (x86_64-pc-linux-gnu)", "CockroachDB v22.1.22"},
		{"no distribution", "CockroachDB v25.4.0 (x86_64)", "CockroachDB v25.4.0"},
		{"pre-release", "CockroachDB CCL v26.1.0-beta.2 (x86_64)", "CockroachDB v26.1.0"},
		{"PostgreSQL", "PostgreSQL 15.18 (Debian 15.18-0+deb12u1) on x86_64-pc-linux-gnu", "PostgreSQL 15.18"},
		{"PostgreSQL beta", "PostgreSQL 18beta1 on x86_64", "PostgreSQL 18.0"},
		{"something else", "MariaDB 11.4.2", ""},
		{"no number", "CockroachDB CCL", ""},
		{"a word for a number", "PostgreSQL devel", ""},
		{"nothing", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Parse(c.text)
			if c.want == "" {
				if err == nil {
					t.Errorf("Parse(%q) = %v, want an error", c.text, got)
				}
				return
			}
			if err != nil || got.String() != c.want {
				t.Errorf("Parse(%q) = %v, %v, want %s", c.text, got, err, c.want)
			}
		})
	}
}

func TestFeaturesByRelease(t *testing.T) {
	for _, c := range []struct {
		release Release
		feature string
		want    bool
	}{
		{Release{CockroachDB, 22, 1, 9}, ChangefeedGrant, false},
		{Release{CockroachDB, 22, 2, 0}, ChangefeedGrant, true},
		{Release{CockroachDB, 23, 1, 0}, ChangefeedGrant, true},
		{Release{CockroachDB, 22, 2, 9}, UserAudit, false},
		{Release{CockroachDB, 26, 1, 0}, PlainSinks, true},
		{Release{PostgreSQL, 26, 1, 0}, PlainSinks, false},
	} {
		if got := c.release.Has(c.feature); got != c.want {
			t.Errorf("%v has %s: %v, want %v", c.release, c.feature, got, c.want)
		}
	}
	features := Features()
	for i := 1; i < len(features); i++ {
		if a, b := features[i-1], features[i]; (Release{Major: a.Major, Minor: a.Minor}) != (Release{Major: b.Major, Minor: b.Minor}) &&
			(Release{Major: a.Major, Minor: a.Minor}).AtLeast(b.Major, b.Minor) {
			t.Errorf("%s stands before %s, which is older", a.ID, b.ID)
		}
	}
}
