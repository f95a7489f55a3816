// Package hlc holds the one notion of time that the whole engine orders data by: the hybrid logical clock stamp that
// the database gives to a commit or to a read, and an estimate of what that clock says now.
package hlc
