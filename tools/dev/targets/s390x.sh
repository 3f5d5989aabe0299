# shellcheck shell=bash disable=SC2034
# Sourced by source-deps.sh: s390x, which is big-endian; its programs run under qemu-user. By clang, since Debian's gcc
# for s390x cannot be installed beside gcc-multilib.
description='s390x'
multiarch=s390x-linux-gnu
compile=(clang --target=s390x-linux-gnu -fPIC)
archive=(s390x-linux-gnu-ar)
lua_defines=(-DLUA_COMPAT_5_3 -DLUA_USE_POSIX)
lua_libraries='-lm'
