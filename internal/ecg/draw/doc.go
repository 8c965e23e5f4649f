// Package draw makes pictures of electrocardiograms as they look on paper: a grid of millimetres, the leads in their
// places, a pulse of one millivolt and the scale in words. It measures in millimetres throughout; an SVG has them as its
// units and a PNG says how many of its pixels make one, so that a ruler laid on either reads the right voltage and time.
//
// The words:
//
//   - A Layout is which leads stand where, and for how long each.
//   - A Row is one baseline across the sheet, of one or more leads side by side.
//   - A sheet is the picture before it is written: lines, traces and words in millimetres.
package draw
