package rules

import (
	"fmt"
	"strings"
	"time"
)

// rule draws a rule. Some do not check, such as those that compare constants in ways that the language refuses: the caller draws again.
func (w world) rule() string { return w.condition(w.IntN(4)) }

func (w world) condition(depth int) string {
	if depth == 0 {
		return w.atom()
	}
	kid := func() string { return "(" + w.condition(depth-1) + ")" }
	switch w.IntN(9) {
	case 0, 1:
		return "!" + kid()
	case 2:
		return kid() + " ? " + kid() + " : " + kid()
	case 3, 4:
		return strings.Join([]string{kid(), kid(), kid()}, " && ")
	case 5, 6:
		return strings.Join([]string{kid(), kid(), kid()}, " || ")
	case 7:
		return kid() + " == " + kid()
	default:
		return kid() + " != " + kid()
	}
}

func (w world) op() string { return pick(w, "==", "!=", "<", "<=", ">", ">=") }

// order is an operator that the language also has between an int and a double.
func (w world) order() string { return pick(w, "<", "<=", ">", ">=") }

func (w world) window() string {
	return pick(w, "duration('10s')", "duration('1m')", "hours(1)", "days(1)", "duration('168h')", "days(30)")
}

func (w world) zone() string {
	return pick(w, "", "'UTC'", "'America/New_York'", "'Asia/Kolkata'", "'Australia/Lord_Howe'", "'Europe/Berlin'", "user.timeZone")
}

// atom is a leaf: every form that is evaluated without the interpreter, and many that are not.
func (w world) atom() string {
	switch w.IntN(17) {
	case 0:
		return w.text() + " " + w.op() + " " + w.text()
	case 1, 2:
		return w.whole() + " " + w.op() + " " + w.whole()
	case 3:
		return w.real() + " " + w.op() + " " + w.real()
	case 4: // an int and a double
		return pick(w, w.whole()+" "+w.order()+" "+w.real(), w.real()+" "+w.order()+" "+w.whole())
	case 5:
		return w.instant() + " " + w.op() + " " + w.instant()
	case 6:
		return w.span() + " " + w.op() + " " + w.span()
	case 7, 8:
		return w.eventCondition()
	case 9:
		return w.collection()
	case 10:
		return pick(w, "has(user.country)", "has(user.address)", "has(user.address.geo)", "has(user.address.geo.zip)", "has(request.platform)",
			"has(user.tags)", "has(user.spent)", "has(user.email)", "has(user.consent)", "has(user.consent.push)", "has(user.scores.a)")
	case 11:
		return pick(w, "user.vip", "request.beta", "user.consent.push", "user.vip == true", "user.vip != request.beta", "user.?vip.orValue(true)",
			"user.?vip.hasValue()", "true", "false")
	case 12, 13:
		return w.plain()
	case 14, 15:
		return w.calendar()
	default:
		return w.textual()
	}
}

// plain is a comparison with a constant, near the values that users have.
func (w world) plain() string {
	return pick(w, "user.age "+w.order()+" 2.5", "19.5 "+w.order()+" user.age", "user.big "+w.order()+" 9007199254740992.0", "user.big "+w.op()+" 9007199254740993",
		"user.spent "+w.op()+" "+pick(w, "0.0", "-0.0"), "user.spent "+w.op()+" "+pick(w, "0.0", "-0.0", "2.5", "100.0"), "user.spent "+w.order()+" 3", "user.age "+w.op()+" "+pick(w, "20", "2"),
		"user.country "+w.op()+" 'US'", "'DE' "+w.op()+" user.country", "user.name "+w.op()+" 'Zoë'", "request.width "+w.op()+" 390", "request.scale "+w.order()+" 2",
		"request.platform "+w.op()+" 'ios'", "channel "+w.op()+" 'push'", "user.vip == "+pick(w, "true", "false"))
}

// calendar compares a field of the local time with what it is about then.
func (w world) calendar() string {
	zone := pick(w, "UTC", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Europe/Berlin")
	location, err := time.LoadLocation(zone)
	if err != nil {
		panic(err)
	}
	then := time.Unix(0, pick(w, bases()...)+w.Int64N(int64(48*time.Hour))).In(location)
	field, value := "getHours", then.Hour()
	switch w.IntN(4) {
	case 0:
		field, value = "getDate", then.Day()
	case 1:
		field, value = "getDayOfWeek", int(then.Weekday())
	case 2:
		field, value = "getMinutes", then.Minute()
	}
	return fmt.Sprintf("now.%s('%s') %s %d", field, zone, w.op(), value)
}

func (w world) text() string {
	return pick(w, "user.country", "user.country", "user.name", "user.address.city", "request.platform", "channel", "user.id", "user.timeZone", "user.email",
		"'US'", "'DE'", "''", "'Łódź'", `'\u00e9'`, "'u'", "user.?country.orValue('US')", "user.words['a']", "user.?words[?'k'].orValue('')",
		"user.country + user.name", "(user.vip ? user.country : 'US')", "user.tags[0]")
}

func (w world) whole() string {
	return pick(w, "user.age", "user.age", "user.big", "user.address.geo.zip", "request.width", "0", "20", "-1", "9007199254740993", "9223372036854775807",
		"size(user.tags)", "user.name.size()", "user.counts['a']", "user.?age.orValue(20)", "bucket('s')", "user.age + user.big", "user.age / 7", "user.big % user.age",
		"user.sizes[0]", "(user.vip ? 1 : user.age)", "-user.big", "user.age * 3",
		"now.getHours("+w.zone()+")", "now.getMinutes("+w.zone()+")", "now.getDayOfWeek("+w.zone()+")", "now.getDate("+w.zone()+")", "now.getFullYear("+w.zone()+")",
		"now.getSeconds("+w.zone()+")", "now.getMonth("+w.zone()+")", "user.seen.getHours("+w.zone()+")",
		"events.count('buy', "+w.window()+")", "events.count('buy', "+w.window()+")", "events.count('cart updated', "+w.window()+")",
		"events.count('buy', "+w.window()+", e, "+w.about()+")", "events.sum('buy', 'qty', "+w.window()+")",
		"events.max('buy', 'qty', "+w.window()+").orValue(2)", "events.min('buy', 'qty', "+w.window()+", e, "+w.about()+").orValue(0)")
}

func (w world) real() string {
	return pick(w, "user.spent", "user.spent", "request.scale", "0.0", "-0.0", "2.5", "100.00000000000001", "9007199254740992.0", "1e308", "user.scores['a']", "user.spent * 10.0",
		"user.spent / user.spent", "user.spent - user.spent", "user.?spent.orValue(2.5)", "user.weights[0]", "0.0 / user.spent",
		"events.sum('buy', 'total', "+w.window()+")", "events.sum('buy', 'total', "+w.window()+", e, "+w.about()+")",
		"events.avg('buy', 'total', "+w.window()+").orValue(0.5)", "events.avg('buy', 'qty', "+w.window()+").value()",
		"events.max('buy', 'total', "+w.window()+").value()")
}

func (w world) instant() string {
	literal := time.Unix(0, pick(w, bases()...)+int64(w.ago())).UTC().Format(time.RFC3339Nano)
	return pick(w, "now", "now", "user.seen", "user.seen", "request.since", "timestamp('"+literal+"')", "events.last('buy').value()", "events.first('buy').value()",
		"events.last('view').orValue(user.seen)", "now - "+w.window(), "user.seen + "+w.window(), "events.last('buy', e, "+w.about()+").value()",
		"events.first('buy', e, "+w.about()+").value() + "+w.window(), "user.visits[0]", "now + "+w.window())
}

func (w world) span() string {
	return pick(w, w.window(), w.window(), "now - user.seen", "user.seen - now", "now - events.last('buy').value()", "events.last('view').value() - user.seen", "now - request.since",
		"duration('0s')", "now - user.seen - "+w.window())
}

// about is a condition on a buy.
func (w world) about() string {
	return pick(w, "e.total > 1.0", "e.total <= 3.0", "e.kind == 'tools'", "e.gift", "!e.gift", "e.qty >= 2", "e.due > now", "e.occurredAt > now - hours(1)", "has(e.total)",
		"e.total > 1.0 && e.kind in ['tools', 'Łódź']", "e.total > user.spent", "e.kind == user.country || e.qty == 1", "!(e.total > 1.0)", "e.due < e.occurredAt + days(1)",
		"e.qty / (e.qty - 1) > 0", "true")
}

func (w world) eventCondition() string {
	n, window := w.IntN(4), w.window()
	return pick(w,
		fmt.Sprintf("events.count('buy', %s) %s %d", window, w.op(), n), fmt.Sprintf("%d %s events.count('buy', %s)", n, w.op(), window),
		fmt.Sprintf("events.count('view', %s) %s %d", window, w.op(), n), fmt.Sprintf("events.count('buy', %s, e, %s) %s %d", window, w.about(), w.op(), n),
		"events.exists('buy', "+window+")", "events.exists('view', "+window+")", "events.exists('buy', "+window+", e, "+w.about()+")",
		"events.exists('view', "+window+", v, v.page == '/cart')",
		"events.last('buy').hasValue()", "events.first('view').hasValue()", "events.last('buy', e, "+w.about()+").hasValue()",
		"events.max('buy', 'total', "+window+").hasValue()", "events.last('buy') == events.first('buy')",
	)
}

func (w world) collection() string {
	return pick(w, "'a' in user.tags", "user.country in user.tags", "user.country in ['US', 'FR', 'Łódź']", "user.age in [0, 20]", "user.big in [9007199254740993]",
		"channel in ['push']", "'a' in user.scores", "user.spent in [0.0, 2.5]", "user.tags.exists(x, x == 'b')", "user.tags.all(x, x != 'a')", "user.sizes.exists_one(x, x > 1)",
		"user.flags.exists(f, f)", "user.weights.exists(x, x > user.spent)", "user.tags == ['a', 'b']", "user.scores == {'a': 1.0, 'b': 2.5}", "user.sizes.filter(x, x > 1).size() == 2",
		"user.visits.exists(v, v > now - days(1))", "user.tags.map(x, x + 'x') == ['ax', 'bx']", "!(user.country in ['US'])", "request.platform in ['ios', 'android']")
}

func (w world) textual() string {
	return pick(w, "user.country.startsWith('U')", "user.name.contains('ë')", "user.email.endsWith('.example')", "user.name.matches('^[a-zA-Z ]+$')",
		"version(request.appVersion) >= version('5.2.0')", "version(request.appVersion) < version('5.10')", "bucket('s') < 5000", "bucket('t') >= 2500",
		"size(user.name) > 1", "user.country < user.name", "version(user.country) == version('1')")
}
