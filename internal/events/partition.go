package events

import "github.com/cespare/xxhash/v2"

// Partition is the bus partition of a row, 0 to partitions-1: the 64-bit xxHash (seed 0) of project, a zero byte and key, modulo
// partitions. It is part of the wire format: every relay must put a row into the same partition, or its changes could overtake each
// other's resolved stamps.
func Partition(project, key string, partitions int) uint16 {
	var d xxhash.Digest
	d.Reset()
	_, _ = d.WriteString(project) // a Digest's writes cannot fail
	_, _ = d.Write([]byte{0})
	_, _ = d.WriteString(key)
	return uint16(d.Sum64() % uint64(partitions))
}

// MaxPartitions bounds the number of partitions of a bus.
const MaxPartitions = 256
