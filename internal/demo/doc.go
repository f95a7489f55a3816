// Package demo fills an empty replica with the made-up shop of package shop: the project with its schema, placements and promotions, the
// well-known keys, and the shoppers with their history. Packages traffic and view bring it to life and show it.
package demo
