// Package admin is the control plane: the net/http surface through which people and tools author promotions, declare the schema, hand out
// keys and ask why. It translates between HTTP and the authoring service of package rules; what may become of a promotion is decided
// there.
package admin
