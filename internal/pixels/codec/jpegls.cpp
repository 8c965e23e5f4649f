// JPEG-LS, lossless and near-lossless, by CharLS.
#include <exception>
#include <cstdio>
#include <typeinfo>

extern "C" {
#include "codec.h"
}
#include "charls/charls.h"

// CharLS reports by exceptions, which end the instance here: there is no unwinding in the sandbox.
extern "C" {
void *__cxa_allocate_exception(size_t size) noexcept { return malloc(size); }
void __cxa_free_exception(void *at) noexcept { free(at); }
[[noreturn]] void __cxa_throw(void *thrown, std::type_info *, void (*)(void *)) {
	stop(reinterpret_cast<std::exception *>(thrown)->what());
}
}

extern "C" uint8_t *decode_frame(const uint8_t *in, uint32_t size, uint32_t columns, uint32_t rows, uint32_t components, uint32_t) {
	charls::jpegls_decoder decoder;
	decoder.source(in, size);
	decoder.read_header();
	const auto info = decoder.frame_info();
	if (!fits(info.width, info.height, columns, rows) || static_cast<uint32_t>(info.component_count) != components)
		return static_cast<uint8_t *>(fail("the JPEG-LS image has another size or number of components"));
	report.bits = info.bits_per_sample;
	report.bytes = info.bits_per_sample > 8 ? 2 : 1;
	report.planar = components > 1 && decoder.interleave_mode() == charls::interleave_mode::none;
	const size_t total = decoder.destination_size();
	auto *out = static_cast<uint8_t *>(malloc(total));
	if (!out) return static_cast<uint8_t *>(fail("there is no memory for the image"));
	decoder.decode(out, total);
	return out;
}
