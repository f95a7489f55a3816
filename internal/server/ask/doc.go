// Package ask reads the body of an eligibility request: what SDKs send without allocating, and everything else, faults
// above all, through the strict decoder that all calls share.
package ask
