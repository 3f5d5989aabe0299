/*
** Lua 5.4 binary chunks (ldump.c and lundump.c, 5.4.0 to 5.4.8) without Lua.
**
** A body is what follows a chunk's header and its upvalue count: one function
** and those nested in it. It is stored in a normal form: its own upvalue
** descriptors are (in stack, i, regular), so that a main function of ours can
** make closures of it, and a source that is program text is replaced by what
** error messages show of it. A body that was loaded and is dumped again
** normalises to the same bytes.
**
** lua_load trusts what it reads. chunk_check refuses everything that would make
** lua_load, lua_dump, the upvalue calls, debug.getinfo or debug.getlocal leave their
** arrays (but for the lines of a stripped vararg function, which crash Lua 5.4.4
** by itself). It does not verify instructions: running hostile bytecode is unsafe,
** as in Lua itself, and only a seal protects from that.
*/
#ifndef HEARTH_FORMAT_CHUNK_H
#define HEARTH_FORMAT_CHUNK_H

#include <stdbool.h>
#include <stddef.h>

#include "buffer.h"

/* What a function needs of the Lua that loads it. */
typedef struct ChunkHeader {
  unsigned char version;          /* 0x54 */
  unsigned char format;           /* 0: the official one */
  unsigned char instruction_size; /* sizeof(Instruction), 4 */
  unsigned char integer_size;     /* sizeof(lua_Integer), 8 or 4 */
  unsigned char number_size;      /* sizeof(lua_Number), 8 or 4 */
  bool little_endian;
} ChunkHeader;

/*
** Functions nested deeper are refused. Lua's compiler allows 200 nested C calls
** (LUAI_MAXCCALLS), at least one for each function, so that no source text gives
** more; lua_load and lua_dump recurse without a limit.
*/
#define CHUNK_MAX_NESTING 200

/* Lua's MAXUPVAL: a function's upvalues are counted in a byte. */
#define CHUNK_MAX_UPVALUES 255

/* Why and where bytes were refused. */
typedef struct ChunkFault {
  size_t position; /* offset in the bytes given */
  const char *why; /* static text, "a constant has an unknown type" */
} ChunkFault;

/* Is this a layout that this file reads: Lua 5.4, official format, integers and floats of 4 or 8 bytes? */
bool chunk_supported(const ChunkHeader *header);

/*
** Is `body` (size bytes, all of them) a well-formed body in normal form, with
** `nupvalues` upvalues? Needs no memory and does not recurse. `header` must be supported.
** False fills `fault`.
*/
bool chunk_check(const ChunkHeader *header, const void *body, size_t size, unsigned nupvalues, ChunkFault *fault);

/*
** Appends the normal form of `chunk` (what lua_dump wrote, header included) to
** `out`, fills `header` and `nupvalues`. False fills `fault`: the chunk is not one
** that chunk_check would accept; `out` has then what was written so far. Memory: out->failed.
*/
bool chunk_normalise(const void *chunk, size_t size, ChunkHeader *header, unsigned *nupvalues, Buffer *out,
                     ChunkFault *fault);

/*
** What a checked body says of itself. `source` points into it, NULL when it was stripped
** (it starts with '=' or '@' otherwise and has no zero at its end); lines as in lua_Debug.
*/
typedef struct ChunkInfo {
  const char *source;
  size_t source_size; /* bytes */
  int line, last_line;
  unsigned parameters; /* fixed ones */
  bool vararg;
} ChunkInfo;

void chunk_info(const ChunkHeader *header, const void *body, size_t size, ChunkInfo *out);

/* The name of upvalue `number` (from 1) of a checked body's function, not terminated, or NULL: it was stripped. */
const char *chunk_upvalue_name(const ChunkHeader *header, const void *body, size_t size, unsigned nupvalues,
                               unsigned number, size_t *name_size);

/*
** A loadable chunk is prefix, body, suffix. Its main function makes closures: load it
** once, call it once per closure without arguments. Each call gives a fresh closure whose upvalues
** are fresh cells, each of its own; they hold nil, but for a 255th, which holds the closure itself until it
** is set. The main function has no upvalues, so lua_load does not touch any, and
** no source, so that a stripped body stays one.
*/
#define CHUNK_PREFIX_SIZE 64
#define CHUNK_SUFFIX_SIZE 4

typedef struct ChunkWrap {
  unsigned char prefix[CHUNK_PREFIX_SIZE];
  size_t prefix_size;
  unsigned char suffix[CHUNK_SUFFIX_SIZE];
} ChunkWrap;

/* `header` must be supported, nupvalues at most CHUNK_MAX_UPVALUES. */
void chunk_wrap(const ChunkHeader *header, unsigned nupvalues, ChunkWrap *out);

/*
** Writes the body of `function() return x end`, x being its one upvalue, for the
** given layout, without debug information; answers its size.
*/
#define CHUNK_GETTER_SIZE 48

size_t chunk_put_getter(const ChunkHeader *header, unsigned char out[CHUNK_GETTER_SIZE]);

#endif
