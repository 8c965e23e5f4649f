//go:build !linux

package disk

import (
	"errors"
	"os"
)

// passCache is for Linux only.
func passCache(*os.File, bool) error { return errors.ErrUnsupported }
