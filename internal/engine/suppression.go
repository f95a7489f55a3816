package engine

import (
	"fmt"
	"time"

	"eligibility/internal/profile"
	"eligibility/internal/rules"
)

// schedule says whether now lies within the promotion's schedule, start included, end excluded, and until when that stays so.
func schedule(p *rules.Compiled, now int64) (on bool, until int64) {
	switch {
	case p.End != 0 && now >= p.End:
		return false, rules.Forever
	case p.Start != 0 && now < p.Start:
		return false, p.Start
	case p.End != 0:
		return true, p.End
	default:
		return true, rules.Forever
	}
}

// heldOut says whether the user is in the share that is withheld for measurement.
func heldOut(p *rules.Compiled, snap *profile.Snapshot) bool {
	if p.Holdout == nil || p.Holdout.Percent <= 0 {
		return false
	}
	const bucketsPerPercent = rules.Buckets / 100
	return float64(rules.Bucket(snap.Key.Project, p.Holdout.Salt, snap.Key.User)) < p.Holdout.Percent*bucketsPerPercent
}

// capped says whether the promotion was shown as often as its frequency cap allows in (now-per, now], and until when that stays so. When
// the store cut the impressions inside the window, those seen are at least there: they may fill the cap, and if they do not, the cap counts as full, since showing once too
// often cannot be taken back.
func capped(p *rules.Compiled, snap *profile.Snapshot, now int64) (over bool, until int64) {
	if p.FrequencyCap == nil {
		return false, rules.Forever
	}
	per := int64(p.FrequencyCap.Per)
	events := snap.Events(profile.SlotImpression)
	from, to := events.Window(now, per)
	sum := int64(0)
	for i := from; i < to; i++ {
		sum += shown(events, i, p.ID)
	}
	until = rules.Forever
	if to < events.Len() {
		until = events.At(to)
	}
	if sum < p.FrequencyCap.Impressions {
		if since := events.Since(); since > 0 && now-per+1 < since {
			return true, min(until, since+per-1)
		}
		return false, until
	}
	// Full until enough of the oldest impressions have left the window. Future ones only prolong that.
	for i := from; i < to; i++ {
		if sum -= shown(events, i, p.ID); sum < p.FrequencyCap.Impressions {
			return true, events.At(i) + per
		}
	}
	return true, rules.Forever
}

// shown is how many impressions of the promotion event i stands for.
func shown(events profile.Events, i int, promotion string) int64 {
	if !events.Has(i, profile.PropPromotion) || events.String(i, profile.PropPromotion) != promotion {
		return 0
	}
	if !events.Has(i, profile.PropCount) {
		return 1
	}
	return events.Int(i, profile.PropCount)
}

// needConsent are the channels on which the absence of consent means no.
var needConsent = [...]string{"push", "whatsapp"}

// consented says whether the user may be reached on the channel: not where consent is needed and absent, and nowhere where it was refused.
func consented(snap *profile.Snapshot, channel string) bool {
	for i, name := range profile.Channels {
		if name != channel {
			continue
		}
		if slot := profile.SlotConsent(i); snap.State(slot) == profile.Present {
			return snap.Bool(slot)
		}
	}
	for _, name := range needConsent {
		if name == channel {
			return false
		}
	}
	return true
}

func stamp(wallNanos int64) string { return time.Unix(0, wallNanos).UTC().Format(time.RFC3339Nano) }

func capText(p *rules.Compiled) string {
	per, _ := p.FrequencyCap.Per.MarshalText()
	return fmt.Sprintf("shown %d times in %s", p.FrequencyCap.Impressions, per)
}
