// Package docs holds these documents, so that a hub can show them where there is no internet.
package docs

import "embed"

// Files are the documents, in Markdown.
//
//go:embed *.md
var Files embed.FS
