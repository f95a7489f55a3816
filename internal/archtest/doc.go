// Package archtest holds the import laws of the house: which room may import which, and which one room may import each core library. It has no code of its own.
package archtest
