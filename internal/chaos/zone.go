package chaos

import (
	"cmp"
	"math"
	"slices"
)

// zone is the time that one written value needs: every order of the calls has to keep the value in the register from the first end of a call that wrote or
// read it to the last beginning of one. When the first end comes before the last beginning the zone is forward: the value was there all the time between.
// Otherwise it is backward: one instant of it is enough.
type zone struct {
	from, to int64
	forward  bool
}

// consistent decides whether the calls of one key have a legal order, when every value was written once. Gibbons and Korach ("Testing Shared Memories", SIAM J.
// Comput. 26, 1997) show that they have one exactly if no read ended before its value's write began, no two forward zones overlap, and no backward zone lies
// within a forward one. The time is that of sorting, where a search for the order may take for ever.
func consistent(ops []op) bool {
	type cluster struct {
		written         bool
		begun           int64 // of the write
		firstEnd, start int64 // the first end and the last beginning of all its calls
	}
	clusters := map[int]*cluster{0: {written: true, begun: math.MinInt64, firstEnd: math.MinInt64, start: math.MinInt64}} // 0 was always there
	of := func(value int) *cluster {
		if clusters[value] == nil {
			clusters[value] = &cluster{firstEnd: math.MaxInt64, start: math.MinInt64}
		}
		return clusters[value]
	}
	for i := range ops {
		o := &ops[i]
		c := of(o.value)
		c.firstEnd, c.start = min(c.firstEnd, o.ret), max(c.start, o.call)
		if o.write {
			c.written, c.begun = true, o.call
		}
	}
	for i := range ops {
		if o := &ops[i]; !o.write && (!of(o.value).written || o.ret < of(o.value).begun) {
			return false
		}
	}
	var zones []zone
	for _, c := range clusters {
		zones = append(zones, zone{min(c.firstEnd, c.start), max(c.firstEnd, c.start), c.firstEnd < c.start})
	}
	return apart(zones)
}

// apart reports whether no two forward zones overlap and no backward one lies within a forward one.
func apart(zones []zone) bool {
	slices.SortFunc(zones, func(a, b zone) int { return cmp.Compare(a.from, b.from) })
	var forward []zone
	for _, z := range zones {
		if !z.forward {
			continue
		}
		if n := len(forward); n > 0 && z.from < forward[n-1].to {
			return false
		}
		forward = append(forward, z)
	}
	for _, z := range zones {
		if z.forward {
			continue
		}
		i, _ := slices.BinarySearchFunc(forward, z.from, func(f zone, from int64) int { return cmp.Compare(f.from, from) })
		if i > 0 && forward[i-1].from < z.from && z.to < forward[i-1].to {
			return false
		}
	}
	return true
}
