// Package ops is the ops plane: health, metrics, profiles and the version of a replica over net/http, and how its log is written. Every
// metric's name is defined here; what it counts is read from the rooms when somebody scrapes.
package ops
