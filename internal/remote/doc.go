// Package remote is the control plane seen from outside: a client for those who keep promotions in files, and the comparison of a folder with what a server has.
package remote
