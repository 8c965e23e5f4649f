#!/usr/bin/env bash
# Builds the decoders of internal/pixels/codec: released sources of libjpeg-turbo, CharLS and OpenJPEG, with the glue in
# that folder, to WebAssembly. The results are committed; this reproduces them, byte for byte with the compiler named here.
#
#   scripts/pixel-codecs.sh          fetches what is missing into .cache/pixels and builds
#   scripts/pixel-codecs.sh check    builds, and fails when that differs from what is committed
#
# The sources are those of Debian's source packages: what their authors released, told by its SHA-256. A release that the
# archive has no more can be put into .cache/pixels by hand. The compiler is that of Debian 12; its packages are
# clang lld llvm wasi-libc libc++-dev-wasm32 libclang-rt-dev-wasm32 binaryen.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
cache=$PWD/.cache/pixels
glue=$PWD/internal/pixels/codec
mkdir -p "$cache/lists/partial" "$cache/archives/partial"

# package version, file, SHA-256, folder inside
sources=(
	"libjpeg-turbo=1:3.1.3-4 libjpeg-turbo_3.1.3.orig.tar.gz 3a13a5ba767dc8264bc40b185e41368a80d5d5f945944d1dbaa4b2fb0099f4e5 libjpeg-turbo-3.1.3"
	"charls=2.4.2-2 charls_2.4.2.orig.tar.gz d1c2c35664976f1e43fec7764d72755e6a50a80f38eca70fcc7553cad4fe19d9 charls-2.4.2"
	"openjpeg2=2.5.4-1.1 openjpeg2_2.5.4.orig.tar.xz 6f6cf917e9587bc2df83aee5b51aa22dd56111640b3bad290b93443b6a4682b7 openjpeg-2.5.4"
)

listed=
fetch() {
	local options=(-qq -o "Dir::Etc::sourcelist=$cache/sources.list" -o Dir::Etc::sourceparts=- -o "Dir::State::lists=$cache/lists" -o "Dir::Cache=$cache")
	if [ -z "$listed" ]; then
		echo "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian sid main" >"$cache/sources.list"
		apt-get "${options[@]}" update
		listed=yes
	fi
	(cd "$cache" && apt-get "${options[@]}" source --download-only "$1")
}

for line in "${sources[@]}"; do
	read -r package file sum folder <<<"$line"
	[ -f "$cache/$file" ] || fetch "$package"
	echo "$sum  $cache/$file" | sha256sum --check --quiet
	[ -d "$cache/$folder" ] || tar -xf "$cache/$file" -C "$cache"
done

out=$(mktemp -d "$cache/build.XXXXXX")
trap 'rm -rf "$out"' EXIT

flags=(--target=wasm32-wasi -O3 -msimd128 -mbulk-memory -mnontrapping-fptoint -msign-ext -DNDEBUG -ffile-prefix-map="$cache=" -ffile-prefix-map="$glue=" -ffunction-sections
	-fdata-sections -fvisibility=hidden -w)
# A codec may use at most 3 GiB; the host gives each far less. Its stack lies below its data, so that an overflow traps.
link=(-mexec-model=reactor -Wl,--gc-sections -Wl,--strip-all -Wl,--stack-first -Wl,-z,stack-size=262144 -Wl,--max-memory=3221225472)

# A call of the check whether to stop, in branches: at least one in every loop that has an end (see room.c).
checks=(-Xclang -fsanitize-coverage-type=3 -Xclang -fsanitize-coverage-trace-pc)

# build NAME COMPILER SOURCES... compiles with the flags in $extra and writes NAME.wasm.
build() {
	local name=$1 compiler=$2
	shift 2
	mkdir -p "$out/$name"
	local objects=()
	for source in "$@"; do
		local object
		object=$out/$name/${#objects[@]}.o
		case $source in
		*/room.c) clang "${flags[@]}" "${extra[@]}" -c "$source" -o "$object" ;;
		*.c) clang "${flags[@]}" "${checks[@]}" "${extra[@]}" -c "$source" -o "$object" ;;
		*) clang++ "${flags[@]}" "${checks[@]}" "${extra[@]}" -std=c++17 -fexceptions -fignore-exceptions -c "$source" -o "$object" ;;
		esac
		objects+=("$object")
	done
	"$compiler" --target=wasm32-wasi "${link[@]}" "${objects[@]}" -o "$out/$name.linked.wasm"
	wasm-opt -O3 --enable-simd --enable-bulk-memory --enable-sign-ext --enable-nontrapping-float-to-int \
		"$out/$name.linked.wasm" -o "$out/$name.wasm"
}

turbo=$cache/libjpeg-turbo-3.1.3/src
cat >"$out/jconfig.h" <<'H'
#define JPEG_LIB_VERSION 62
#define LIBJPEG_TURBO_VERSION 3.1.3
#define LIBJPEG_TURBO_VERSION_NUMBER 3001003
#define MEM_SRCDST_SUPPORTED 1
#define D_ARITH_CODING_SUPPORTED 1
#ifndef BITS_IN_JSAMPLE
#define BITS_IN_JSAMPLE 8
#endif
H
cat >"$out/jconfigint.h" <<'H'
#define BUILD ""
#define HIDDEN
#define INLINE inline
#define THREAD_LOCAL
#define PACKAGE_NAME "libjpeg-turbo"
#define VERSION "3.1.3"
#define SIZEOF_SIZE_T 4
#define HAVE_BUILTIN_CTZL
#define FALLTHROUGH __attribute__((fallthrough));
#ifndef BITS_IN_JSAMPLE
#define BITS_IN_JSAMPLE 8
#endif
#define D_ARITH_CODING_SUPPORTED 1
H
sed -e 's/@COPYRIGHT_YEAR@/2025/' "$turbo/jversion.h.in" >"$out/jversion.h"
jpeg=()
for part in jaricom jcomapi jdapimin jdarith jdatasrc jdhuff jdicc jdinput jdlhuff jdmarker jdmaster jdphuff jdtrans jerror jmemmgr jmemnobs jpeg_nbits; do
	jpeg+=("$turbo/$part.c")
done
for part in jdapistd jdcolor jddiffct jdlossls jdmainct jdpostct jdsample jutils; do
	jpeg+=("$turbo/wrapper/$part-8.c" "$turbo/wrapper/$part-12.c" "$turbo/wrapper/$part-16.c")
done
for part in jdcoefct jddctmgr jdmerge jidctflt jidctfst jidctint jidctred jquant1 jquant2; do
	jpeg+=("$turbo/wrapper/$part-8.c" "$turbo/wrapper/$part-12.c")
done
extra=(-I"$out" -I"$turbo" -I"$glue")
build jpeg clang "$glue/room.c" "$glue/jpeg.c" "${jpeg[@]}"

charls=$cache/charls-2.4.2
extra=(-I"$charls/include" -I"$charls/src" -I"$glue" -DCHARLS_STATIC -DCHARLS_LIBRARY_BUILD)
build jpegls clang++ "$glue/room.c" "$glue/jpegls.cpp" "$charls"/src/{charls_jpegls_decoder,jpeg_stream_reader,jpegls,jpegls_error,validate_spiff_header}.cpp

openjpeg=$cache/openjpeg-2.5.4/src/lib/openjp2
cat >"$out/opj_config.h" <<'H'
#define OPJ_VERSION_MAJOR 2
#define OPJ_VERSION_MINOR 5
#define OPJ_VERSION_BUILD 4
H
cat >"$out/opj_config_private.h" <<'H'
#define OPJ_PACKAGE_VERSION "2.5.4"
#define OPJ_HAVE_POSIX_MEMALIGN
#define _POSIX_C_SOURCE 200112L
H
jpeg2000=()
for part in thread bio cio dwt event ht_dec image invert j2k jp2 mct mqc openjpeg pi t1 t2 tcd tgt function_list opj_malloc sparse_array; do
	jpeg2000+=("$openjpeg/$part.c")
done
extra=(-I"$out" -I"$openjpeg" -I"$glue" -DOPJ_STATIC)
build jpeg2000 clang "$glue/room.c" "$glue/jpeg2000.c" "${jpeg2000[@]}"

if [ "${1:-}" = check ]; then
	for name in jpeg jpegls jpeg2000; do cmp "$out/$name.wasm" "$glue/$name.wasm"; done
	exit 0
fi
cp "$out/jpeg.wasm" "$out/jpegls.wasm" "$out/jpeg2000.wasm" "$glue/"
cp "$cache/libjpeg-turbo-3.1.3/LICENSE.md" "$glue/LICENSE-libjpeg-turbo.md"
cp "$cache/charls-2.4.2/LICENSE.md" "$glue/LICENSE-charls.md"
cp "$cache/openjpeg-2.5.4/LICENSE" "$glue/LICENSE-openjpeg"
cp /usr/share/doc/wasi-libc/copyright "$glue/LICENSE-wasi-libc"
cp -L /usr/share/doc/libc++-14-dev-wasm32/copyright "$glue/LICENSE-llvm"
ls -l "$glue"/*.wasm
