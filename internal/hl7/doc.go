// Package hl7 reads and writes HL7 version 2 messages (2.1 to 2.8.2, chapter 2) in their delimited form, called ER7, and the
// frames that carry them over TCP (MLLP). It knows bytes and places, and nothing of what a segment means.
//
// Its words: a Message has Segments, a segment fields, a field repetitions, a repetition components, a component
// subcomponents. A Value is any of those as sent, and knows its Place, so that whatever is wrong, or was not looked at, can
// be named: OBX[2]-5[1].3 is the third component of the first repetition of the fifth field of the second OBX.
//
// Parse decodes the character set before anything is split: in GB 18030 and Big5 a character's second byte may look like a
// delimiter. It is lenient where nothing is lost by it, and says in Message.Warnings what it overlooked; it refuses what
// could be read in two ways. Nothing here panics on bytes from outside, and nothing is allocated ahead of them.
package hl7
