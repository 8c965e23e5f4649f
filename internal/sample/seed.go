package sample

import (
	"encoding/binary"
	"fmt"
	"math/big"
	"math/rand/v2"
)

// dice are the random numbers that belong to one seed and one purpose. Different purposes are independent, so that a
// new field in one resource changes no other.
func dice(seed uint64, purpose string) *rand.Rand {
	h := uint64(14695981039346656037) // FNV-1a
	for i := range len(purpose) {
		h = (h ^ uint64(purpose[i])) * 1099511628211
	}
	return rand.New(rand.NewPCG(seed, h))
}

// uuidBytes is the n-th random UUID (RFC 9562 version 4 in form) of a seed and a purpose.
func uuidBytes(seed uint64, purpose string, n int) (b [16]byte) {
	r := dice(seed^uint64(n)*0x9E3779B97F4A7C15, purpose)
	binary.BigEndian.PutUint64(b[:8], r.Uint64())
	binary.BigEndian.PutUint64(b[8:], r.Uint64())
	b[6], b[8] = b[6]&0x0F|0x40, b[8]&0x3F|0x80
	return b
}

// UUID is the n-th UUID of a seed and a purpose, in lower case.
func UUID(seed uint64, purpose string, n int) string {
	b := uuidBytes(seed, purpose, n)
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// UID is the same UUID as a DICOM UID under 2.25 (PS3.5 B.2), 44 characters at most.
func UID(seed uint64, purpose string, n int) string {
	b := uuidBytes(seed, purpose, n)
	return "2.25." + new(big.Int).SetBytes(b[:]).String()
}
