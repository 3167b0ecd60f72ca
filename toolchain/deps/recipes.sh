# shellcheck shell=bash
# recipes.sh - how each component is built. Read by toolchain/deps/build, which sets
#   SRC     the unpacked source, to be used up
#   OUT     where to install: $OUT/include/NAME, $OUT/lib, $OUT/share
#   CC AR CFLAGS PIC (ON, OFF) TARGET TRIPLET (of a cross target) JOBS HERE
# Each component has an include folder of its own, so that a library that may not use one cannot see it.
# A recipe's text is part of its component's hash: changing it builds the component again.

# cc_archive LIB.a FLAGS -- SOURCES: compiles the sources at once and makes a static library of them.
cc_archive() {
    local lib=$1 flags=() source
    shift
    while [ "$1" != -- ]; do
        flags+=("$1")
        shift
    done
    shift
    for source; do
        printf '%s\0' "$source"
    done | xargs -0 -P "$JOBS" -I{} sh -c 'src=$0; "$@" -c -o "${src%.c}.o" "$src"' {} $CC $CFLAGS "${flags[@]}"
    mkdir -p "$OUT/lib"
    $AR rcs "$OUT/lib/$lib" "${@/%.c/.o}"
}

cmake_static() {
    cmake -S "$SRC" -B "$SRC/_build" -G Ninja \
        -DCMAKE_C_COMPILER="${CC%% *}" -DCMAKE_AR="$(command -v $AR)" -DCMAKE_C_FLAGS="$CFLAGS" -DCMAKE_BUILD_TYPE=None \
        -DCMAKE_POSITION_INDEPENDENT_CODE=$PIC -DBUILD_SHARED_LIBS=OFF -DBUILD_TESTING=OFF -Wno-dev "$@"
}

recipe_mbedtls() {
    {
        printf '%s\n' $MBEDTLS_DEFINES | sed -n 's/^-D\([^=]*\)=\{0,1\}\(.*\)$/#define \1 \2/p'
        cat "$HERE/mbedtls/config.h"
    } > "$SRC/include/mbedtls/mbedtls_config.h"
    local machine=
    # The AES code looks at run time whether the processor has these instructions.
    case $($CC -dumpmachine) in x86_64-*) machine="-maes -mpclmul" ;; esac
    # GEN_FILES is empty: the release ships its generated files.
    make -C "$SRC/library" -j"$JOBS" GEN_FILES= CC="$CC" AR="$AR" CFLAGS="$CFLAGS $machine" \
        libmbedcrypto.a libmbedx509.a libmbedtls.a
    mkdir -p "$OUT/lib" "$OUT/include/mbedtls"
    cp "$SRC"/library/lib{mbedcrypto,mbedx509,mbedtls}.a "$OUT/lib"
    cp -r "$SRC/include/mbedtls" "$SRC/include/psa" "$OUT/include/mbedtls"
}

recipe_nghttp2() {
    cmake_static -DENABLE_LIB_ONLY=ON -DBUILD_STATIC_LIBS=ON -DENABLE_DOC=OFF
    cmake --build "$SRC/_build" -j "$JOBS"
    mkdir -p "$OUT/lib" "$OUT/include/nghttp2"
    cp "$SRC/_build/lib/libnghttp2.a" "$OUT/lib"
    mkdir -p "$OUT/include/nghttp2/nghttp2"
    cp "$SRC/lib/includes/nghttp2/nghttp2.h" "$SRC/_build/lib/includes/nghttp2/nghttp2ver.h" "$OUT/include/nghttp2/nghttp2"
}

# The C that is generated from llhttp's description travels in nghttp2's tarball, of which nothing else is used here;
# Debian's own source package of it has the description alone. The version is what the lock says, or the build ends.
recipe_llhttp() {
    local lib=$SRC/third-party/llhttp
    [ "$(sed -n 's/^#define LLHTTP_VERSION_[A-Z]* //p' "$lib/include/llhttp.h" | paste -sd.)" = 9.4.2 ]
    cc_archive libllhttp.a -I"$lib/include" -- "$lib/src/api.c" "$lib/src/http.c" "$lib/src/llhttp.c"
    mkdir -p "$OUT/include/llhttp"
    cp "$lib/include/llhttp.h" "$OUT/include/llhttp"
}

# On a device no io_uring: its way through the file operations, none of which the agent uses, would come along,
# and with the kernel's version the C library's scanf.
recipe_libuv() {
    if [ -n "$TRIPLET" ]; then
        sed -i -e 's/^static int uv__use_io_uring(uint32_t flags) {$/&\n  return 0;/' \
            -e 's/^static void uv__poll_io_uring(uv_loop_t\* loop, struct uv__iou\* iou) {$/&\n  return;/' "$SRC/src/unix/linux.c"
        [ "$(grep -A1 '^static .* uv__\(use\|poll\)_io_uring(.*{$' "$SRC/src/unix/linux.c" | grep -c '^  return\( 0\)\?;$')" = 2 ]
    fi
    cmake_static -DLIBUV_BUILD_SHARED=OFF -DLIBUV_BUILD_TESTS=OFF -DLIBUV_BUILD_BENCH=OFF
    cmake --build "$SRC/_build" -j "$JOBS" --target uv_a
    mkdir -p "$OUT/lib" "$OUT/include"
    cp "$SRC/_build/libuv.a" "$OUT/lib"
    cp -r "$SRC/include" "$OUT/include/libuv"
}

recipe_lmdb() {
    local lib=$SRC/libraries/liblmdb
    cc_archive liblmdb.a -pthread -w -- "$lib/mdb.c" "$lib/midl.c"
    mkdir -p "$OUT/include/lmdb"
    cp "$lib/lmdb.h" "$OUT/include/lmdb"
}

# The C part is built with 32-bit field sizes (a message may be over 64 KB) and checks that strings are
# UTF-8; pb.h says so itself, so that no user of it can disagree. The generator is Python.
recipe_nanopb() {
    sed -i -e 's|^/\* #define PB_FIELD_32BIT 1 \*/|#define PB_FIELD_32BIT 1|' \
        -e 's|^/\* #define PB_VALIDATE_UTF8 1 \*/|#define PB_VALIDATE_UTF8 1|' "$SRC/pb.h"
    [ "$(grep -c '^#define PB_\(FIELD_32BIT\|VALIDATE_UTF8\) 1' "$SRC/pb.h")" = 2 ]
    cc_archive libnanopb.a -I"$SRC" -- "$SRC/pb_common.c" "$SRC/pb_encode.c" "$SRC/pb_decode.c"
    mkdir -p "$OUT/include/nanopb" "$OUT/share/nanopb/proto"
    cp "$SRC"/pb.h "$SRC"/pb_{common,encode,decode}.h "$OUT/include/nanopb"
    cp "$SRC/generator/nanopb_generator.py" "$OUT/share/nanopb"
    cp -r "$SRC"/generator/proto/{__init__.py,_utils.py,google,nanopb.proto} "$OUT/share/nanopb/proto"
    (cd "$OUT/share/nanopb/proto" && protoc --python_out=. nanopb.proto)
}

recipe_yyjson() {
    cc_archive libyyjson.a -I"$SRC/src" -- "$SRC/src/yyjson.c"
    mkdir -p "$OUT/include/yyjson"
    cp "$SRC/src/yyjson.h" "$OUT/include/yyjson"
}

recipe_cmocka() {
    cmake_static -DWITH_EXAMPLES=OFF
    cmake --build "$SRC/_build" -j "$JOBS"
    mkdir -p "$OUT/lib" "$OUT/include/cmocka"
    cp "$(find "$SRC/_build" -name libcmocka.a)" "$OUT/lib"
    cp "$SRC"/include/*.h "$OUT/include/cmocka"
}

# Errors are to name the line, a name cut short must not pass for another, and a value may be a long path.
recipe_inih() {
    sed -i -e 's/^#define INI_HANDLER_LINENO 0/#define INI_HANDLER_LINENO 1/' \
        -e 's/^#define INI_STOP_ON_FIRST_ERROR 0/#define INI_STOP_ON_FIRST_ERROR 1/' \
        -e 's/^#define INI_ALLOW_MULTILINE 1/#define INI_ALLOW_MULTILINE 0/' \
        -e 's/^#define INI_MAX_LINE 200/#define INI_MAX_LINE 4096/' "$SRC/ini.h"
    sed -i -e 's/^#define MAX_SECTION 50/#define MAX_SECTION 4096/' -e 's/^#define MAX_NAME 50/#define MAX_NAME 4096/' "$SRC/ini.c"
    [ "$(grep -c '^#define INI_\(HANDLER_LINENO 1\|STOP_ON_FIRST_ERROR 1\|ALLOW_MULTILINE 0\|MAX_LINE 4096\)' "$SRC/ini.h")" = 4 ]
    [ "$(grep -c '^#define MAX_\(SECTION\|NAME\) 4096' "$SRC/ini.c")" = 2 ]
    cc_archive libinih.a -I"$SRC" -- "$SRC/ini.c"
    mkdir -p "$OUT/include/inih"
    cp "$SRC/ini.h" "$OUT/include/inih"
}

# musl for a cross target, with what Debian's cross compiler needs to build with it instead of its own C
# library: the kernel's headers, and bin/cc, which puts musl's headers and libraries first. Its start-up code and
# the functions that the compiler itself calls do not survive link-time optimisation. printf of a floating-point
# number fails: nothing here prints one, and it would bring 15 KB of arithmetic along.
recipe_musl() {
    local root=$OUT/$TARGET
    sed -i 's/^\t\t\tl = fmt_fp(f, arg.f, w, p, fl, t);$/\t\t\tl = -1;/' "$SRC/src/stdio/vfprintf.c"
    [ "$(grep -c 'fmt_fp(' "$SRC/src/stdio/vfprintf.c")" = 1 ]
    ./configure --target="$TRIPLET" --prefix=/ --syslibdir=/lib --disable-shared CC="$CC" AR="$AR" RANLIB="$TRIPLET-gcc-ranlib" \
        CFLAGS="${CFLAGS/ -flto/}"
    make -j"$JOBS"
    make DESTDIR="$root" install-headers install-libs
    cp -rL "${KERNEL_HEADERS%/version.h}" "$KERNEL_ASM" "${KERNEL_HEADERS%/linux/version.h}/asm-generic" "$root/include"
    mkdir -p "$OUT/bin"
    cat >"$OUT/bin/cc" <<END
#!/bin/sh
# $CC with musl in the place of Debian's C library; static.
root=\$(dirname "\$(readlink -f "\$0")")/../$TARGET
static=-static
for word; do
    case \$word in -static-pie | -shared | -r) static= ;; esac
done
exec $CC -B"\$root/lib" -nostdinc -isystem "\$root/include" -isystem "$($CC -print-file-name=include)" \$static "\$@"
END
    chmod 755 "$OUT/bin/cc"
}
