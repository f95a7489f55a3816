package storetest

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"eligibility/internal/profile"
	"eligibility/internal/reserve"
)

// claim is one for a minute, of the promotion spring by push.
func claim(user, send string, edits ...func(c *reserve.Claim)) reserve.Claim {
	c := reserve.Claim{User: user, SendID: send, Promotion: "spring", Channel: "push", CampaignID: 7, For: time.Minute}
	for _, edit := range edits {
		edit(&c)
	}
	return c
}

func limited(n int64) func(c *reserve.Claim) { return func(c *reserve.Claim) { c.Limit = n } }

func capped(sends int64, channel string) func(c *reserve.Claim) {
	return func(c *reserve.Claim) {
		c.Caps = append(c.Caps, reserve.Cap{Channel: channel, Sends: sends, Per: time.Hour})
	}
}

func briefly(c *reserve.Claim) { c.For = reserve.MinFor }

// reserve makes the claims, which must be answered, and returns their outcomes.
func (k *kit) reserve(claims ...reserve.Claim) []reserve.Outcome {
	k.t.Helper()
	grants, err := k.s.Reserve(k.ctx, k.project, claims)
	if err != nil || len(grants) != len(claims) {
		k.t.Fatalf("Reserve: %v, %d answers to %d claims", err, len(grants), len(claims))
	}
	out := make([]reserve.Outcome, len(grants))
	for i, g := range grants {
		out[i] = g.Outcome
	}
	return out
}

func (k *kit) settle(list ...reserve.Settlement) []reserve.State {
	k.t.Helper()
	states, _, err := k.s.Settle(k.ctx, k.project, list)
	if err != nil || len(states) != len(list) {
		k.t.Fatalf("Settle: %v, %d answers to %d", err, len(states), len(list))
	}
	return states
}

// lapse waits until a reservation that was made briefly has lapsed by the store's own clock: until its slot is free.
func (k *kit) lapse(probe func() bool) {
	k.t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); !probe(); <-tick.C {
		if time.Now().After(end) {
			k.t.Fatal("the reservation does not lapse")
		}
	}
}

func testReservations(t *testing.T, h Harness) {
	const granted, full, none, again, other = reserve.Granted, reserve.Capped, reserve.Limited, reserve.AlreadySent, reserve.Mismatch
	each(t, h, map[string]func(*kit){
		"A cap counts what is reserved": func(k *kit) {
			one := capped(1, "push")
			same(k.t, "outcomes", k.reserve(
				claim("u", "a", one), claim("u", "b", one), claim("v", "b", one), claim("u", "a", one),
				claim("u", "c", capped(1, "email"), func(c *reserve.Claim) { c.Channel = "email" }),
				claim("u", "d", capped(2, "")), claim("u", "a", func(c *reserve.Claim) { c.Channel = "sms" }),
			), []reserve.Outcome{granted, full, granted, granted, granted, full, other})
			same(k.t, "in the next call", k.reserve(claim("u", "e", one), claim("u", "a", one)), []reserve.Outcome{full, granted})
		},
		"What is released is free": func(k *kit) {
			same(k.t, "outcomes", k.reserve(claim("u", "a", capped(1, ""), limited(1)), claim("v", "a", limited(1))), []reserve.Outcome{granted, none})
			same(k.t, "released", k.settle(reserve.Settlement{User: "u", SendID: "a", Release: true}, reserve.Settlement{User: "u", SendID: "a", Release: true}),
				[]reserve.State{reserve.Released, reserve.Released})
			same(k.t, "confirmed too late", k.settle(reserve.Settlement{User: "u", SendID: "a"}), []reserve.State{reserve.Unknown})
			same(k.t, "after it", k.reserve(claim("v", "a", limited(1)), claim("u", "b", capped(1, ""), limited(1))), []reserve.Outcome{granted, none})
		},
		"What is confirmed is a user event, once": func(k *kit) {
			k.reserve(claim("u", "a", limited(5)))
			before := k.now()
			states, at, err := k.s.Settle(k.ctx, k.project, []reserve.Settlement{{User: "u", SendID: "a"}, {User: "u", SendID: "a"}, {User: "w", SendID: "a"}})
			if err != nil || at.Compare(before) < 0 {
				k.t.Fatalf("Settle: %v, at %v, want after %v", err, at, before)
			}
			same(k.t, "states", states, []reserve.State{reserve.Confirmed, reserve.Confirmed, reserve.Unknown})
			same(k.t, "again", k.settle(reserve.Settlement{User: "u", SendID: "a"}, reserve.Settlement{User: "u", SendID: "a", Release: true}),
				[]reserve.State{reserve.Confirmed, reserve.Confirmed})
			same(k.t, "reserved again", k.reserve(claim("u", "a", limited(5))), []reserve.Outcome{again})
			sent := k.events("u", profile.EventSend)
			if sent.Len() != 1 || sent.String(0, profile.PropSendPromotion) != "spring" || sent.String(0, profile.PropSendChannel) != "push" ||
				sent.Int(0, profile.PropSendCampaignID) != 7 || sent.At(0) > at.Wall {
				k.t.Errorf("%d events of sends, or another than was confirmed", sent.Len())
			}
			same(k.t, "the cap counts it", k.reserve(claim("u", "b", capped(1, "push")), claim("u", "c", capped(2, "push"))), []reserve.Outcome{full, granted})
		},
		"What lapses is free, and is not sent": func(k *kit) {
			same(k.t, "outcomes", k.reserve(claim("u", "a", capped(1, ""), limited(1), briefly)), []reserve.Outcome{granted})
			k.lapse(func() bool { return k.reserve(claim("v", "a", limited(1)))[0] == granted })
			same(k.t, "too late", k.settle(reserve.Settlement{User: "u", SendID: "a"}), []reserve.State{reserve.Lapsed})
			same(k.t, "its cap", k.reserve(claim("u", "b", capped(1, "push"))), []reserve.Outcome{granted})
			same(k.t, "out already", k.settle(reserve.Settlement{User: "u", SendID: "a", Sent: true}), []reserve.State{reserve.Confirmed})
			equal(k.t, "events", k.events("u", profile.EventSend).Len(), 1)
			same(k.t, "both count", k.reserve(claim("u", "c", capped(3, "")), claim("w", "a", limited(2)), claim("w", "b", limited(3))),
				[]reserve.Outcome{granted, none, granted})
		},
		"A send without a reservation is recorded": func(k *kit) {
			out := reserve.Settlement{User: "u", SendID: "a", Sent: true, Promotion: "spring", Channel: "push"}
			same(k.t, "states", k.settle(out, out), []reserve.State{reserve.Confirmed, reserve.Confirmed})
			equal(k.t, "events", k.events("u", profile.EventSend).Len(), 1)
			same(k.t, "the cap counts it", k.reserve(claim("u", "b", capped(1, ""))), []reserve.Outcome{full})
		},
		"Projects are apart, and an erased user is forgotten": func(k *kit) {
			k.reserve(claim("u", "a", capped(1, ""), limited(1)))
			grants, err := k.s.Reserve(k.ctx, k.newProject(), []reserve.Claim{claim("u", "a", capped(1, ""), limited(1))})
			if err != nil || grants[0].Outcome != granted {
				k.t.Errorf("in another project: %+v, %v", grants, err)
			}
			if _, err := k.s.DeleteUser(k.ctx, k.key("u")); err != nil {
				k.t.Fatal(err)
			}
			same(k.t, "states", k.settle(reserve.Settlement{User: "u", SendID: "a"}), []reserve.State{reserve.Unknown})
		},
		"Calls are bounded, and may be empty": func(k *kit) {
			if _, err := k.s.Reserve(k.ctx, k.project, make([]reserve.Claim, reserve.MaxBatch+1)); err != reserve.ErrTooMany {
				k.t.Errorf("too many claims: %v", err)
			}
			if _, _, err := k.s.Settle(k.ctx, k.project, make([]reserve.Settlement, reserve.MaxBatch+1)); err != reserve.ErrTooMany {
				k.t.Errorf("too many settlements: %v", err)
			}
			same(k.t, "nothing", k.reserve(), []reserve.Outcome{})
			same(k.t, "nothing", k.settle(), []reserve.State{})
		},
		"Two race for one user's last slot": func(k *kit) {
			var won atomic.Int64
			var group sync.WaitGroup
			for worker := range 4 {
				group.Go(func() {
					for n := range 5 {
						grants, err := k.s.Reserve(k.ctx, k.project, []reserve.Claim{claim(fmt.Sprint("u", n), fmt.Sprint(worker), capped(1, "push"))})
						if err != nil {
							k.t.Error(err)
						} else if grants[0].Outcome == granted {
							won.Add(1)
						}
					}
				})
			}
			group.Wait()
			equal(k.t, "granted", won.Load(), int64(5))
		},
	})
	t.Run("Two workers race for 10000 last slots", func(t *testing.T) { lastSlots(newKit(t, h, open(t, h)), 10_000, 2) })
}

// lastSlots has workers ask for half as many slots again as there are, in chunks and for users of their own and shared ones, and confirm what they are granted. Exactly as many are
// granted as there are, and exactly those are in the users' events.
func lastSlots(k *kit, slots, workers int) {
	const chunk = 500
	asked := slots + slots/2
	begun := time.Now()
	var granted, confirmed, refused atomic.Int64
	var group sync.WaitGroup
	for worker := range workers {
		group.Go(func() {
			for from := 0; from < asked/workers; from += chunk {
				claims := make([]reserve.Claim, 0, chunk)
				for n := from; n < min(from+chunk, asked/workers); n++ {
					claims = append(claims, claim(fmt.Sprintf("u%d", n), fmt.Sprintf("s%d", worker), limited(int64(slots))))
				}
				grants, err := k.s.Reserve(k.ctx, k.project, claims)
				if err != nil {
					k.t.Error(err)
					return
				}
				var list []reserve.Settlement
				for i := range grants {
					switch grants[i].Outcome {
					case reserve.Granted:
						list = append(list, reserve.Settlement{User: claims[i].User, SendID: claims[i].SendID})
					case reserve.Limited:
						refused.Add(1)
					default:
						k.t.Errorf("claim %+v: %+v", claims[i], grants[i])
					}
				}
				granted.Add(int64(len(list)))
				states, _, err := k.s.Settle(k.ctx, k.project, list)
				if err != nil {
					k.t.Error(err)
					return
				}
				for _, state := range states {
					if state != reserve.Confirmed {
						k.t.Errorf("a granted send is %s", state)
					}
					confirmed.Add(1)
				}
			}
		})
	}
	group.Wait()
	k.t.Logf("%d slots granted to %d workers and confirmed in %s", granted.Load(), workers, time.Since(begun).Round(time.Millisecond))
	equal(k.t, "granted", granted.Load(), int64(slots))
	equal(k.t, "confirmed", confirmed.Load(), int64(slots))
	equal(k.t, "refused", refused.Load(), int64(asked-slots))
	var users []string
	for n := range asked / workers {
		users = append(users, fmt.Sprintf("u%d", n))
	}
	typ, _ := k.schema.EventType(profile.EventSend)
	events := 0
	for part := range slices.Chunk(users, chunk) {
		for _, snap := range k.load(part...) {
			events += snap.Events(typ.Slot).Len()
		}
	}
	equal(k.t, "events of sends", events, slots)
}
