package audience

import (
	"strconv"
	"strings"
	"time"

	"eligibility/internal/engine"
	"eligibility/internal/precheck"
	"eligibility/internal/profile"
	"eligibility/internal/rules"
)

func (p *page) answer(user *profile.Snapshot) {
	request := engine.Request{Channel: p.job.Ask.Channel, Now: p.job.Ask.At.UnixNano()}
	outcome := p.checker.Check(p.rules, user, &request, p.rule)
	one := answer{reason: outcome.Reason, eligible: outcome.Eligible}
	if p.slot >= 0 {
		one.text, one.present = valueText(user, p.slot, p.kind)
	}
	p.found = append(p.found, one)
	if !outcome.Eligible && !p.job.Ask.AllLines {
		return
	}
	line := precheck.Line{UserID: user.Key.User, Eligible: outcome.Eligible, Reason: outcome.Reason, Warning: outcome.Warning, RetryAt: rules.Forever}
	if !outcome.Eligible {
		line.RetryAt = outcome.ValidUntil
	}
	p.buf = precheck.AppendLine(p.buf, &line)
}

// maxValueBytes bounds a value that is counted by.
const maxValueBytes = 128

func valueText(user *profile.Snapshot, slot int, kind profile.Kind) (text string, present bool) {
	if user.State(slot) != profile.Present {
		return "", false
	}
	switch kind {
	case profile.Bool:
		return strconv.FormatBool(user.Bool(slot)), true
	case profile.Int:
		return strconv.FormatInt(user.Int(slot), 10), true
	case profile.Double:
		return strconv.FormatFloat(user.Double(slot), 'g', -1, 64), true
	case profile.Timestamp:
		return time.Unix(0, user.Timestamp(slot)).UTC().Format(time.DateOnly), true
	}
	if text = user.String(slot); len(text) > maxValueBytes {
		text = strings.ToValidUTF8(text[:maxValueBytes], "")
	}
	return strings.Clone(text), true // the snapshot's memory must not live as long as the job
}
