package admin

import (
	"strings"

	"eligibility/internal/access"
)

// Endpoint is one call of the plane, as its route table has it.
type Endpoint struct {
	Method string
	Path   string      // {name} stands for a part that varies
	Need   access.Role // least role of an admin key; "" is for the root key alone
	Query  []string    // parameters that it knows; one that ends in . is a prefix
}

// Endpoints lists every call of the plane. The API's document is held against it.
func Endpoints() []Endpoint {
	routes := table()
	all := make([]Endpoint, 0, len(routes))
	for i := range routes {
		r := &routes[i]
		if r.verbs == nil {
			all = append(all, Endpoint{Method: r.method, Path: r.path, Need: r.need, Query: r.query})
			continue
		}
		for verb, inner := range r.verbs {
			path := strings.Replace(r.path, "{target}", "{id}:"+verb, 1)
			all = append(all, Endpoint{Method: r.method, Path: path, Need: inner.need, Query: inner.query})
		}
	}
	return all
}
