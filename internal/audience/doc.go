// Package audience evaluates a promotion over every user of a project who has a profile, as a job that may take hours. A job belongs to the replica that it was
// started on: its results and its checkpoint are files there, written in an order that lets a killed process go on with nothing twice and nothing lost.
package audience
