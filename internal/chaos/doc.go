// Package chaos is for tests that break real processes: a TCP proxy that does what networks do, and a judge of the histories that clients saw meanwhile.
package chaos
