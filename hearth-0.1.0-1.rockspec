-- The Lua module as a rock: `luarocks make` in a checkout. It needs a C compiler, meson, ninja, pkg-config and xxHash's
-- header; libsodium, SQLite and libpq are used where they are there. Lua's headers are those that luarocks found.
rockspec_format = "3.0"
package = "hearth"
version = "0.1.0-1"
source = {
   url = "file://hearth-0.1.0.tar.gz", -- git archive --prefix hearth-0.1.0/ -o hearth-0.1.0.tar.gz HEAD
   dir = "hearth-0.1.0",
}
description = {
   summary = "Durable Lua values: one table, _home, is there again when the program starts the next time",
   detailed = [[
      Hearth stores Lua value graphs (tables, cycles, functions with their upvalues, metatables) in a compact versioned
      format, and keeps a whole persistent table in a file, an SQLite database or PostgreSQL, commit by commit.
   ]],
   license = "MIT",
   labels = { "persistence", "serialization", "database" },
}
supported_platforms = { "unix" }
dependencies = { "lua >= 5.4, < 5.5" }
external_dependencies = { XXHASH = { header = "xxhash.h" } }
build = {
   type = "command",
   build_command = "meson setup build-rock --prefix $(PREFIX) --buildtype release -Dlua_headers=$(LUA_INCDIR)"
      .. " -Dlua_module_dir=$(LIBDIR) && ninja -C build-rock lua-module",
   install_command = "meson install -C build-rock --no-rebuild --tags lua-module",
   copy_directories = { "docs" },
}
