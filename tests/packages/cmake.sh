#!/bin/bash
# cmake.sh PREFIX FOLDER: a CMake project finds Hearth by find_package, and asks for what is not there.
# shellcheck source=tests/packages/common.sh
. "$(dirname "$0")/common.sh"
cp "$root/tests/packages/program/"{program.c,CMakeLists.txt} .
configure=(cmake -G Ninja -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_BUILD_TYPE=Debug -S . -B)

"${configure[@]}" build
ninja -C build
readelf -d build/shared | grep -q 'NEEDED.*\[libhearth\.so\.0\]' || fail "the program does not ask for libhearth.so.0"
counts build/shared shared.hearth
if readelf -d build/static | grep -q libhearth; then fail "the static program asks for a shared libhearth"; fi
counts build/static static.hearth

sed -i 's/find_package(Hearth 0.1 /find_package(Hearth 0.99 /' CMakeLists.txt
refused "requested version \"0.99\"" "${configure[@]}" newer
sed -i 's/find_package(Hearth 0.99 /find_package(Hearth 0.1 /; s/hearth sqlite)/hearth tape)/' CMakeLists.txt
refused "without the component tape" "${configure[@]}" tape
