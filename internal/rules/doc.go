// Package rules is the promotion's life: the document a marketer writes, its revisions, the check of its rule, and the compiled, immutable
// Ruleset of a project that decisions are made with.
//
// The rule language is CEL; this package owns it. A rule goes through check (parse, types, limits, findings), compile (a Boolean formula
// over literals, each either typed or a cel-go program) and evaluation (one Input, one Verdict with the horizon until which passing time alone cannot
// change it).
package rules
