// Package web holds the pages that are embedded in the binary.
package web

import "embed"

// Files are the pages and what they load.
//
//go:embed *.html *.css *.png
var Files embed.FS
