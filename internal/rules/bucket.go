package rules

import (
	"crypto/sha256"
	"encoding/binary"
)

// Buckets is the number of buckets that users are spread over: one is a hundredth of a percent.
const Buckets = 10_000

// Bucket is the user's bucket, 0 to Buckets-1, under a salt: the first 8 bytes, big endian, of SHA-256(project NUL salt NUL user) modulo
// Buckets. It is part of the contract with measurements in other systems and never changes. It allocates nothing for keys of ordinary
// length.
func Bucket(project, salt, user string) int {
	var buffer [512]byte
	text := append(buffer[:0], project...)
	text = append(text, 0)
	text = append(text, salt...)
	text = append(text, 0)
	text = append(text, user...)
	sum := sha256.Sum256(text)
	return int(binary.BigEndian.Uint64(sum[:8]) % Buckets)
}
