// Package framing refuses requests about whose beginning and end two readers of HTTP/1 could disagree.
//
// net/http reads more than it need: lines that end with LF alone, header lines that continue on the next one, a body with both a length and
// a transfer coding, targets that name another server. A proxy in front that reads one of these otherwise takes for a body what net/http
// takes for the next request. Listen puts a reader before net/http that knows one way to write a request, and ends a connection on which
// another one arrives: net/http then answers 400 and closes, and nothing behind the fault is read.
//
// It looks at what a server receives only, after TLS, for connections that speak HTTP/1 and are not upgraded.
package framing
