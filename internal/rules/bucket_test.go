package rules

import (
	"fmt"
	"testing"
)

func TestBucketIsFrozen(t *testing.T) {
	// Computed with coreutils: printf 'shop\0fd26\0u1' | sha256sum, its first 16 hexadecimal digits modulo 10,000.
	for _, tt := range []struct {
		project, salt, user string
		want                int
	}{
		{"shop", "fd26", "u1", 6667},
		{"shop", "fd26", "u2", 5276},
		{"shop", "", "u1", 4077},
		{"demo", "fd26", "Zoë", 2318},
	} {
		if got := Bucket(tt.project, tt.salt, tt.user); got != tt.want {
			t.Errorf("Bucket(%q, %q, %q) is %d, want %d", tt.project, tt.salt, tt.user, got, tt.want)
		}
	}
}

func TestBucketsAreEven(t *testing.T) {
	const users = 100_000
	var tenths [10]int
	for i := range users {
		tenths[Bucket("shop", "salt", fmt.Sprint("user-", i))*10/Buckets]++
	}
	for i, n := range tenths {
		if n < users/10*95/100 || n > users/10*105/100 {
			t.Errorf("tenth %d holds %d of %d users", i, n, users)
		}
	}
}

func TestBucketAllocatesNothing(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() { Bucket("shop", "fathers-day-2026", "01J9ZK3T6YB0S1Q8W3N5R7V2XD") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
