package rules

func variableEntries() []Entry {
	return []Entry{
		{"user.<attribute>", "An attribute of the user, of its declared type; nested ones with dots.", "user.country == 'DE' && user.address.city == 'Köln'", "true"},
		{"user.id, user.email, user.timeZone: string", "Every user has an id; the others may be missing.", "user.id == 'anna' && user.email.endsWith('.com')", "true"},
		{"user.consent.<channel>: bool", "Whether the user agreed to hear from you there: embedded, push, whatsapp, email, sms.", "user.consent.whatsapp", "true"},
		{"request.<field>", "What the app says about the request; the project declares the fields.", "request.platform == 'ios'", "true"},
		{"channel: string", "How the message would reach the user: embedded for an app's own request, else the channel that a sender asks for.", "channel in ['push', 'whatsapp']", "true"},
		{"now: timestamp", "The instant of the decision, the same for the whole rule.", "now < timestamp('2026-07-01T00:00:00Z')", "true"},
		{"events.<function>(…)", "What the user did. See User events.", "events.exists('purchase', days(30))", "true"},
	}
}

func operatorEntries() []Entry {
	return []Entry{
		{"a && b, a || b, !a", "and, or, not.", "user.vip && !(user.country == 'US' || user.country == 'CA')", "true"},
		{"a == b, a != b", "Both sides are of the same type: compare a double with 100.0, not with 100.", "user.country != 'US'", "true"},
		{"a < b, a <= b, a > b, a >= b", "For numbers, text, timestamps, durations and versions. Whole numbers and doubles can be ordered against each other.", "user.lifetimeValue > 100", "true"},
		{"a in list, key in map", "Whether a list has the element or a map the key.", "user.country in ['AT', 'DE', 'CH'] && 'tools' in user.scores", "true"},
		{"condition ? a : b", "a when the condition is true, b when it is false.", "user.age > 40 ? user.vip : user.country == 'US'", "true"},
		{"a + b, a - b, a * b, a / b, a % b, -a", "Arithmetic; + also joins text, and adds durations to timestamps.", "user.signedUpAt + days(14) <= now", "true"},
		{"list[i], map['key']", "An element; one that is not there is an error, missing_key.", "user.tags[0] == 'a' && user.scores['tools'] > 2.0", "true"},
	}
}

func eventEntries() []Entry {
	return []Entry{
		{"events.count(type, window): int", "How many.", "events.count('purchase', days(7)) >= 2", "true"},
		{"events.count(type, window, e, condition): int", "How many meet the condition. e has the properties of the type and occurredAt.", "events.count('purchase', days(30), e, e.total > 10.0) == 2", "true"},
		{"events.exists(type, window): bool", "Whether there is one.", "!events.exists('purchase', hours(24))", "true"},
		{"events.exists(type, window, e, condition): bool", "Whether one meets the condition.", "events.exists('purchase', days(30), e, e.category in ['tools', 'garden'])", "true"},
		{"events.sum(type, property, window): int or double", "The sum of a numeric property, 0 of no events.", "events.sum('purchase', 'total', days(30)) > 80.0", "true"},
		{"events.sum(type, property, window, e, condition): int or double", "The same over the events that meet the condition.", "events.sum('purchase', 'total', days(30), e, e.category == 'tools') == 60.5", "true"},
		{"events.min(type, property, window): optional", "The least value; none of no events, so say what then: .orValue(…). A condition can follow as above.", "events.min('purchase', 'total', days(30)).orValue(0.0) == 5.0", "true"},
		{"events.max(type, property, window): optional", "The greatest value.", "events.max('purchase', 'items', days(30)).orValue(0) == 3", "true"},
		{"events.avg(type, property, window): optional<double>", "The mean.", "events.avg('purchase', 'total', days(7)).orValue(0.0) > 40.0", "true"},
		{"events.last(type): optional<timestamp>", "When it last happened. A condition can follow: events.last(type, e, condition).", "now - events.last('purchase').orValue(now) < days(2)", "true"},
		{"events.first(type): optional<timestamp>", "When it first happened, as far back as events are kept.", "events.first('purchase', e, e.total > 10.0).hasValue()", "true"},
	}
}

func timeEntries() []Entry {
	return []Entry{
		{"days(int), hours(int): duration", "A span of so many times 24 hours, or hours.", "now - user.signedUpAt == days(14)", "true"},
		{"duration(string): duration", "A span as Go writes it, up to hours: '168h', '1h30m'.", "days(7) == duration('168h')", "true"},
		{"timestamp(string): timestamp", "An instant as RFC 3339 writes it.", "user.signedUpAt < timestamp('2026-06-02T00:00:00Z')", "true"},
		{"t.getHours(zone?), t.getMinutes(zone?), t.getSeconds(zone?), t.getMilliseconds(zone?): int", "Parts of the time of the day.", "now.getHours('Europe/Berlin') == 14 && now.getHours(user.timeZone) == 14", "true"},
		{"t.getDayOfWeek(zone?): int", "0 is Sunday, 6 is Saturday.", "now.getDayOfWeek('Europe/Berlin') == 1", "true"},
		{"t.getDate(zone?), t.getDayOfMonth(zone?): int", "The day of the month from 1, and from 0.", "now.getDate() == 15 && now.getDayOfMonth() == 14", "true"},
		{"t.getMonth(zone?), t.getDayOfYear(zone?), t.getFullYear(zone?): int", "Months and days of the year count from 0.", "now.getMonth('UTC') == 5 && now.getFullYear('UTC') == 2026", "true"},
		{"d.getHours(), d.getMinutes(), d.getSeconds(), d.getMilliseconds(): int", "A duration in whole units.", "(now - user.signedUpAt).getHours() == 336", "true"},
	}
}

func textEntries() []Entry {
	return []Entry{
		{"s.contains(t), s.startsWith(t), s.endsWith(t): bool", "Whether a text has another in it; upper and lower case differ.", "user.email.contains('@') && user.email.startsWith('anna')", "true"},
		{"s.matches('pattern'): bool", "Whether a part of the text fits an RE2 pattern, which is written out.", "user.email.matches('^[a-z]+@example[.]com$')", "true"},
		{"size(s), s.size(): int", "How many characters.", "user.country.size() == 2", "true"},
		{"version(string): version", "A version such as 5.10.1 or 5.2.0-beta.1, ordered by its numbers.", "version(request.appVersion) >= version('5.2') && version('5.10') > version('5.9')", "true"},
		{"bucket('salt'): int", "A number from 0 to 9999, always the same for a user and salt, and evenly spread: a share of users for a test.", "bucket('new-home-look') < 10000", "true"},
	}
}

func listEntries() []Entry {
	return []Entry{
		{"size(x), x.size(): int", "How many elements or keys.", "user.tags.size() == 3", "true"},
		{"x.exists(e, condition): bool", "Whether an element of the list, or key of the map, meets the condition.", "user.tags.exists(t, t.startsWith('vip'))", "true"},
		{"x.all(e, condition), x.exists_one(e, condition): bool", "Whether all do; exactly one does.", "user.scores.all(k, user.scores[k] > 0.1)", "true"},
		{"x.filter(e, condition): list", "Those that do.", "user.tags.filter(t, t != 'a').size() == 2", "true"},
		{"x.map(e, value): list", "What becomes of each.", "user.visits.map(v, v * 2) == [2, 4, 6]", "true"},
	}
}

func optionalEntries() []Entry {
	return []Entry{
		{"has(user.x): bool", "Whether it is set.", "has(user.country) && !has(request.locale)", "true"},
		{"user.?x.orValue(value)", "The value, or another when it is not set.", "request.?locale.orValue('de') == 'de'", "true"},
		{"map[?'key'].orValue(value)", "The same for a key of a map.", "user.scores[?'x'].orValue(9.0) > 8.0", "true"},
		{"o.hasValue(): bool", "Whether an optional, such as events.last(…), is something.", "events.last('purchase').hasValue()", "true"},
		{"o.value()", "What it is; an error, missing_key, when it is nothing.", "events.max('purchase', 'total', days(30), e, e.total > 99.0).value() > 1.0", "missing_key"},
		{"o.or(other)", "The first of two that is something.", "user.?country.or(request.?locale).hasValue()", "true"},
	}
}

func numberEntries() []Entry {
	return []Entry{
		{"int(x), double(x), string(x)", "Conversions between numbers and text; what does not convert is an error, invalid_argument.", "int('41') == user.age && double(user.age) == 41.0 && string(user.age) == '41'", "true"},
		{"1, 1.0, 1e3, 'text', \"text\", true, false, [1, 2], {'a': 1}", "Literals. Whole numbers have 64 bits; beyond them is an error, overflow.", "{'DE': 10, 'AT': 20}[user.country] == 10", "true"},
	}
}

// Refusals are what CEL knows and a rule may not say.
func Refusals() []Refusal {
	return []Refusal{
		{"user.country", issueMustBeBool, "A rule is true or false."},
		{"dyn(user.age) == 'x'", issueReference, "No dyn and no type: every type is known when the rule is checked."},
		{"user == user", issueNotAllowed, "user, request and their nested parts are not values of their own; ask for one of their attributes."},
		{"user.country in []", issueEmptyList, "An empty list has nothing to be in."},
		{"events.count('purchase', duration(user.country)) > 1", issueWindowConstant, "A window is written out."},
		{"events.count('purchase', days(31)) > 1", issueWindow, "A window is not longer than events are kept."},
		{"user.email.matches(user.country)", issueRegexNotConstant, "A pattern is written out, so that its cost is known."},
		{"user.email.matches('(a{1,20}){1,20}')", issueRegexTooLarge, "A pattern has a limit."},
		{"now.getHours('Mars/Olympus') > 3", issueZone, "A zone is one of the IANA database, or an offset such as +05:30."},
		{"user.tags.exists(now, now == 'a')", issueShadowed, "A loop variable does not take the name of something else."},
		{"user.tags.exists(t, user.visits.exists(v, v > 1))", issueNesting, "A condition on elements or events does not contain another one."},
	}
}
