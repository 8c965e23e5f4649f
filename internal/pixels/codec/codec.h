// What each codec gives its host. A codec is one WebAssembly module that decodes one frame at a time:
//
//   room     makes room for the encoded bytes; the host writes them there
//   decode   decodes them to samples, in host order, and returns where they are; 0 is an error with a message
//   report   is where the result's description lies, the message of an error too; still good after a trap
//   done     gives back the room and the samples
//
// The caller says how large the image may be, and how many components it has; a stream that says otherwise is refused before
// memory is taken for it.
#ifndef CODEC_H
#define CODEC_H

#include <stdint.h>
#include <stdlib.h>

#define EXPORT(name) __attribute__((export_name(name), used))

struct report {
	uint32_t columns;   // of the image, at most as many as asked for
	uint32_t rows;
	uint32_t bits;      // precision of a sample
	uint32_t negative;  // samples are two's complement
	uint32_t bytes;     // of a sample: 1, 2 or 4
	uint32_t planar;    // colour by plane
	uint32_t rgb;       // the stream says by itself that the samples, as they are now, are RGB
	char message[180];  // of an error; ends with 0
};

extern struct report report;

// The host's question to decode: how colours are meant where the stream does not say.
enum { COLOUR_ANY, COLOUR_RGB };

// fail notes a message, of which it takes at most what there is room for, and returns 0.
static inline void *fail(const char *message) {
	size_t i = 0;
	for (; i + 1 < sizeof report.message && message[i]; i++) report.message[i] = message[i];
	report.message[i] = 0;
	return 0;
}

// fits tells images that are as large as asked for, or smaller, from others.
static inline int fits(uint32_t columns, uint32_t rows, uint32_t most_columns, uint32_t most_rows) {
	report.columns = columns;
	report.rows = rows;
	return columns && rows && columns <= most_columns && rows <= most_rows;
}

// stop ends the instance for good: the host reads the message and throws the instance away.
static inline _Noreturn void stop(const char *message) {
	fail(message);
	__builtin_trap();
}

#endif
