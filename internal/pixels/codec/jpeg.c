// JPEG: baseline, extended (8 and 12 bits), progressive and lossless (2 to 16 bits), by libjpeg-turbo.
#include <stdio.h>
#include <string.h>

#include "codec.h"
#define JPEG_INTERNALS
#include "jpeglib.h"
#include "jerror.h"

static void on_error(j_common_ptr info) {
	char text[JMSG_LENGTH_MAX];
	info->err->format_message(info, text);
	stop(text);
}

// A warning of corrupt data is counted by the library; an image with damaged entropy data is refused as a whole.
static void on_message(j_common_ptr info, int level) {
	if (level >= 0) return;
	info->err->num_warnings++;
	if (info->err->msg_code == JWRN_EXTRANEOUS_DATA || info->err->msg_code == JWRN_ADOBE_XFORM || info->err->msg_code == JWRN_JFIF_MAJOR) return;
	on_error(info);
}

static void no_output(j_common_ptr info) { (void)info; }

// colours decides what the components are: Adobe's marker knows, then the components' letters, then the host.
static J_COLOR_SPACE colours(j_decompress_ptr info, uint32_t colour) {
	if (info->num_components == 1) return JCS_GRAYSCALE;
	if (info->num_components == 4) return JCS_CMYK;
	if (info->num_components != 3) return JCS_UNKNOWN;
	if (info->master->lossless) return JCS_RGB; // as it is: no transformation is part of lossless JPEG
	const jpeg_component_info *c = info->comp_info;
	if (info->saw_Adobe_marker) return info->Adobe_transform ? JCS_YCbCr : JCS_RGB;
	if (c[0].component_id == 'R' && c[1].component_id == 'G' && c[2].component_id == 'B') return JCS_RGB;
	return colour == COLOUR_RGB ? JCS_RGB : JCS_YCbCr;
}

uint8_t *decode_frame(const uint8_t *in, uint32_t size, uint32_t columns, uint32_t rows, uint32_t components, uint32_t colour) {
	static struct jpeg_decompress_struct info;
	static struct jpeg_error_mgr errors;
	memset(&info, 0, sizeof info);
	info.err = jpeg_std_error(&errors);
	errors.error_exit = on_error;
	errors.emit_message = on_message;
	errors.output_message = no_output;
	jpeg_create_decompress(&info);
	jpeg_mem_src(&info, in, size);
	jpeg_read_header(&info, TRUE);
	if (!fits(info.image_width, info.image_height, columns, rows) || (uint32_t)info.num_components != components)
		return fail("the JPEG image has another size or number of components");
	info.jpeg_color_space = colours(&info, colour);
	info.out_color_space = info.jpeg_color_space == JCS_YCbCr ? JCS_RGB : info.jpeg_color_space;
	info.dct_method = JDCT_ISLOW;
	report.rgb = info.out_color_space == JCS_RGB && !info.master->lossless;
	report.bits = info.data_precision;
	report.bytes = info.data_precision > 8 ? 2 : 1;
	jpeg_start_decompress(&info);
	size_t row = (size_t)report.columns * components * report.bytes;
	uint8_t *out = malloc(row * report.rows);
	if (!out) return fail("there is no memory for the image");
	while (info.output_scanline < info.output_height) {
		uint8_t *at = out + row * info.output_scanline;
		if (info.data_precision <= 8)
			jpeg_read_scanlines(&info, (JSAMPARRAY)&at, 1);
		else if (info.data_precision <= 12)
			jpeg12_read_scanlines(&info, (J12SAMPARRAY)&at, 1);
		else
			jpeg16_read_scanlines(&info, (J16SAMPARRAY)&at, 1);
	}
	jpeg_destroy_decompress(&info);
	return out;
}
