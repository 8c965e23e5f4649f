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

// fill writes data at a place of a file. Where place and buffer are aligned, the whole blocks of what is large go past the
// page cache if the file system can do that: they are fsynced soon and seldom read soon, so that the cache would only copy
// them, and drop others for them. The rest, and all elsewhere, is written as usual.
func fill(file *os.File, data []byte, at int64, aligned bool) error {
	done := 0
	if whole := len(data) &^ (directBlock - 1); aligned && whole >= directFrom && passCache(file, true) == nil {
		done, _ = file.WriteAt(data[:whole], at) // what it does not take is written as usual, which tells why
		if err := passCache(file, false); err != nil {
			return err
		}
	}
	_, err := file.WriteAt(data[done:], at+int64(done))
	return err
}
