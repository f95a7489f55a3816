//go:build race

package server

// raceDetector: the detector makes pools drop what they hold, so that allocations cannot be counted.
const raceDetector = true
