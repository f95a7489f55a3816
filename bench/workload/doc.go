// Package workload makes the rules and users that the benchmarks are run on: seeded, so that a figure can be had again, and without a server, so that
// every engine gets the same question.
//
// Two styles are drawn. Shop is what marketers write: three to six clauses, joined by AND, a quarter of them an OR of two or three, a tenth under NOT; a
// clause is an equality (30 in 100), a list of values (10), a number (25), a yes or no (8), a member of a list (12) or a count of recent events (15). Nested is the
// generator ABE-Gen of Ji and Jacobsen (SIGMOD 2021): trees with two to twelve children, here one to three deep since a rule has at most 4,096 characters, operators 40 % AND, 40 % OR, 10 % NOT, 5 % XOR and 5 %
// XNOR over a pool of shared predicates. Values are Zipf distributed in both.
package workload
