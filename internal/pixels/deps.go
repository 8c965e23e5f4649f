package pixels

import (
	_ "github.com/tetratelabs/wazero"
	_ "golang.org/x/image/draw"
)
