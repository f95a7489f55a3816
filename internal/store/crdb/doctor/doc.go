// Package doctor looks over what a replica stands on, before or while it runs: the database cluster, the bus, the data directory and its
// files. Every check says what was seen, why it matters and what to run.
//
// Looking and judging are apart. Examine asks a database and gives Facts; Facts.Judge is pure, and so is all that decides between ok, warn
// and fail. Nothing that is looked at is changed, but for a small file that measures how fast the disk is.
package doctor
