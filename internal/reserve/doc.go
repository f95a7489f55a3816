// Package reserve decides who gets the last slots: a send is reserved against the caps of its user and the limit of its promotion for a short time, and then confirmed, released
// or left to lapse. The decisions are pure; a Book, which a store is, makes them one after the other on what it keeps, and answers after it is durable.
package reserve
