package disk

import (
	"os"
	"unsafe"
)

// Blocks that go past the page cache are written from where their buffer lies, whose address and length must be multiples
// of directBlock. Below directFrom the cache costs less than doing without it.
const (
	directBlock = 4096
	directFrom  = 384 << 10
)

// alignedBuffer makes a buffer that blocks can be written from.
func alignedBuffer(size int) []byte {
	b := make([]byte, size+directBlock)
	from := -uintptr(unsafe.Pointer(unsafe.SliceData(b))) % directBlock
	return b[from : from : int(from)+size]
}

// fill writes data into an empty file, the whole blocks of what is large past the page cache where the file system can do
// that: they are fsynced at once and seldom read soon, so that the cache would only copy them, and drop others for them.
// The rest, and all elsewhere, is written as usual.
func fill(file *os.File, data []byte) error {
	done := 0
	if whole := len(data) &^ (directBlock - 1); whole >= directFrom && passCache(file, true) == nil {
		done, _ = file.Write(data[:whole]) // what it does not take is written as usual, which tells why
		if err := passCache(file, false); err != nil {
			return err
		}
	}
	_, err := file.Write(data[done:])
	return err
}
