// Package view shows a running demo: on a terminal as a screen that is drawn anew twice a second, elsewhere as a plain line every few
// seconds.
package view
