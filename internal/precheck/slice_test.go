package precheck

import (
	"testing"
	"time"
)

func TestSlicesFillTheirSpan(t *testing.T) {
	const span = 250 * time.Microsecond
	for _, c := range []struct {
		name  string
		users time.Duration // what each takes
		want  int
	}{{"cached", time.Microsecond, maxSliceUsers}, {"read", 10 * time.Microsecond, 25}, {"slowly read", time.Millisecond, minSliceUsers}, {"too fast to be measured", 0, maxSliceUsers}} {
		var s Slice
		if n := s.Users(span); n != minSliceUsers {
			t.Errorf("the first slice has %d users", n)
		}
		for range 3 {
			n := s.Users(span)
			s.Took(n, time.Duration(n)*c.users)
		}
		if n := s.Users(span); n != c.want {
			t.Errorf("%s: %d users, want %d", c.name, n, c.want)
		}
	}
	var s Slice
	s.Took(10, 10*time.Microsecond)
	s.Took(0, time.Hour)
	for range 20 {
		s.Took(10, 10*25*time.Microsecond)
	}
	if n := s.Users(span); n < 8 || n > 11 {
		t.Errorf("after users that take more than before: %d", n)
	}
}
