// Package mappings holds what is data and not code: code maps and catalogues, each file with its provenance, and the
// loaders that lint them.
package mappings
