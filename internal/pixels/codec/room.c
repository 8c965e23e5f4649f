// The part of a codec that is the same for all: memory, the report, and a C library without a system below it.
#include "codec.h"

struct report report;
static uint8_t *encoded;
static uint8_t *samples;

uint8_t *decode_frame(const uint8_t *in, uint32_t size, uint32_t columns, uint32_t rows, uint32_t components, uint32_t colour);

EXPORT("report") struct report *codec_report(void) { return &report; }

EXPORT("room") uint8_t *codec_room(uint32_t size) { return encoded = malloc(size); }

EXPORT("decode") uint8_t *codec_decode(uint32_t size, uint32_t columns, uint32_t rows, uint32_t components, uint32_t colour) {
	report = (struct report){0};
	return samples = decode_frame(encoded, size, columns, rows, components, colour);
}

// alive asks the host whether to go on. It is the only import of a codec.
__attribute__((import_module("hub"), import_name("alive"))) int32_t alive(void);

// The compiler puts calls of this into branches, so that no loop runs without. Now and then it goes out to the host: there
// a decoder that takes too long is stopped, and the host's own threads of work, which cannot be interrupted in here, get
// their turn.
void __sanitizer_cov_trace_pc(void) {
	static uint32_t beats;
	if (++beats & 0x7FFF) return;
	if (!alive()) stop("the time was over");
}

EXPORT("done") void codec_done(void) {
	free(encoded);
	free(samples);
	encoded = samples = 0;
}

// What the C library would ask of a system. There is none: no environment, nowhere to write to, and whoever ends the
// process ends the instance.
#define SYSTEM(name) __imported_wasi_snapshot_preview1_##name

enum { NOT_THERE = 8 };

int32_t SYSTEM(environ_sizes_get)(int32_t count, int32_t size) {
	*(uint32_t *)count = 0;
	*(uint32_t *)size = 0;
	return 0;
}

int32_t SYSTEM(environ_get)(int32_t to, int32_t text) { return (void)to, (void)text, 0; }
int32_t SYSTEM(fd_close)(int32_t fd) { return (void)fd, NOT_THERE; }
int32_t SYSTEM(fd_fdstat_get)(int32_t fd, int32_t to) { return (void)fd, (void)to, NOT_THERE; }
int32_t SYSTEM(fd_seek)(int32_t fd, int64_t by, int32_t from, int32_t to) { return (void)fd, (void)by, (void)from, (void)to, NOT_THERE; }
int32_t SYSTEM(fd_write)(int32_t fd, int32_t from, int32_t count, int32_t to) { return (void)fd, (void)from, (void)count, (void)to, NOT_THERE; }
_Noreturn void SYSTEM(proc_exit)(int32_t code) { (void)code, stop("the decoder gave up"); }
