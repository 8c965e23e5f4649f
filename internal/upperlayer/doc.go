// Package upperlayer speaks DICOM over TCP: the PDUs, negotiation and state table of PS3.8 and, on top of them, the
// messages of PS3.7, in both directions. It knows bytes and nothing of images, members or storage.
//
// The words:
//
//   - A Proposal is what the caller of an association asks for, an Agreement what the called side makes of it.
//   - An Association carries Messages: a Command and, if the command says so, a data set that is read as it arrives.
//   - A Request is a Message that this side must answer; a Call is one that this side has sent and whose responses it reads.
//   - A Server accepts associations, Dial opens one. Both sides may then do both: a C-GET is answered by calls of C-STORE.
//
// Nothing is allocated before the bytes have come that need it, and no peer holds a connection without making progress:
// see Options.
package upperlayer
