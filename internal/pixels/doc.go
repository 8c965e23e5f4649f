// Package pixels makes images of stored frames: it decodes every encoding of PS3.5 that holds single images, writes data
// sets anew with native pixel data, and renders frames as a viewer would show them. It knows nothing of HTTP and nothing
// of storage.
//
// The words:
//
//   - An Image is what a header says of its pixels (PS3.3 C.7.6.3), and of how they are to be shown.
//   - A frame is the bytes of one image as stored, encoded or not: one part of dicom.Header.Frames.
//   - Native is a frame decoded: samples in little endian, colour by pixel.
//   - A View is what a caller asks of a rendering: window, part of the image, size.
//   - A codec is a decoder of others in WebAssembly. It runs in a sandbox: memory of its own with a limit, nothing of the
//     system, and an end when its time is over. What goes wrong inside is an error of that frame and of nothing else.
//
// Memory is bounded by what the header says, which is checked before anything is allocated: see Limits.
package pixels
