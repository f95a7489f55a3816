// Package shop makes up a web shop: its attributes, event types and placements, a score of promotions, and as many shoppers as wanted with
// thirty days of plausible behaviour each. The same seed and the same Config.Now give the same data to the byte, whatever the order in
// which shoppers are asked for, so that a test, a tutorial and a load generator can speak of the same users.
package shop
