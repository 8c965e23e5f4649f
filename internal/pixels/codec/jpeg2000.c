// JPEG 2000 and HTJ2K, as a bare codestream or in a JP2 file, by OpenJPEG.
#include <string.h>

#include "codec.h"
#include "openjpeg.h"

struct bytes {
	const uint8_t *at;
	size_t size, pos;
};

static OPJ_SIZE_T on_read(void *to, OPJ_SIZE_T n, void *state) {
	struct bytes *b = state;
	size_t left = b->size - b->pos;
	if (!left) return (OPJ_SIZE_T)-1;
	if (n > left) n = left;
	memcpy(to, b->at + b->pos, n);
	b->pos += n;
	return n;
}

static OPJ_OFF_T on_skip(OPJ_OFF_T n, void *state) {
	struct bytes *b = state;
	if (n < 0 || (uint64_t)n > b->size - b->pos) {
		b->pos = b->size;
		return -1;
	}
	b->pos += (size_t)n;
	return n;
}

static OPJ_BOOL on_seek(OPJ_OFF_T to, void *state) {
	struct bytes *b = state;
	if (to < 0 || (uint64_t)to > b->size) return OPJ_FALSE;
	b->pos = (size_t)to;
	return OPJ_TRUE;
}

static void on_error(const char *text, void *state) {
	(void)state;
	if (!report.message[0]) fail(text);
}

static const char *misfit(const opj_image_t *image, uint32_t columns, uint32_t rows, uint32_t components) {
	if (image->numcomps < components) return "the JPEG 2000 image has fewer components";
	for (uint32_t i = 0; i < components; i++) {
		const opj_image_comp_t *c = &image->comps[i];
		if (!fits(c->w, c->h, columns, rows) || c->w != image->comps[0].w || c->h != image->comps[0].h) return "the JPEG 2000 image has another size";
		if (c->prec != image->comps[0].prec || c->sgnd != image->comps[0].sgnd) return "the components of the JPEG 2000 image differ";
		if (c->prec > 32) return "the JPEG 2000 image has more than 32 bits";
	}
	return 0;
}

static uint8_t *samples_of(const opj_image_t *image, size_t count, uint32_t components) {
	report.bits = image->comps[0].prec;
	report.negative = image->comps[0].sgnd;
	report.bytes = report.bits > 16 ? 4 : report.bits > 8 ? 2 : 1;
	uint8_t *out = malloc(count * components * report.bytes);
	if (!out) return fail("there is no memory for the image");
	for (uint32_t c = 0; c < components; c++) {
		const OPJ_INT32 *from = image->comps[c].data;
		if (!from) {
			free(out);
			return fail("a component of the JPEG 2000 image is not there");
		}
		if (report.bytes == 1)
			for (size_t i = 0; i < count; i++) out[i * components + c] = (uint8_t)from[i];
		else if (report.bytes == 2)
			for (size_t i = 0; i < count; i++) ((uint16_t *)out)[i * components + c] = (uint16_t)from[i];
		else
			for (size_t i = 0; i < count; i++) ((uint32_t *)out)[i * components + c] = (uint32_t)from[i];
	}
	return out;
}

uint8_t *decode_frame(const uint8_t *in, uint32_t size, uint32_t columns, uint32_t rows, uint32_t components, uint32_t colour) {
	(void)colour;
	struct bytes b = {in, size, 0};
	int boxed = size > 12 && !memcmp(in, "\0\0\0\x0cjP  ", 8);
	opj_codec_t *codec = opj_create_decompress(boxed ? OPJ_CODEC_JP2 : OPJ_CODEC_J2K);
	opj_stream_t *stream = opj_stream_create(1 << 16, OPJ_TRUE);
	opj_image_t *image = 0;
	uint8_t *out = 0;
	if (!codec || !stream) return fail("there is no memory for the decoder");
	opj_stream_set_read_function(stream, on_read);
	opj_stream_set_skip_function(stream, on_skip);
	opj_stream_set_seek_function(stream, on_seek);
	opj_stream_set_user_data(stream, &b, 0);
	opj_stream_set_user_data_length(stream, size);
	opj_set_error_handler(codec, on_error, 0);
	opj_dparameters_t parameters;
	opj_set_default_decoder_parameters(&parameters);
	parameters.flags |= OPJ_DPARAMETERS_IGNORE_PCLR_CMAP_CDEF_FLAG;
	const char *wrong;
	if (!opj_setup_decoder(codec, &parameters) || !opj_read_header(stream, codec, &image))
		fail(report.message[0] ? report.message : "the JPEG 2000 header cannot be read");
	else if ((wrong = misfit(image, columns, rows, components)))
		fail(wrong);
	else if (!opj_decode(codec, stream, image))
		fail(report.message[0] ? report.message : "the JPEG 2000 image cannot be decoded");
	else if ((wrong = misfit(image, columns, rows, components)))
		fail(wrong);
	else
		out = samples_of(image, (size_t)report.columns * report.rows, components);
	opj_image_destroy(image);
	opj_stream_destroy(stream);
	opj_destroy_codec(codec);
	return out;
}
