#include "prototype.h"

#include <lauxlib.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "error.h"
#include "lua54.h"

#if LUA_VERSION_NUM / 100 * 16 + LUA_VERSION_NUM % 100 != LUA54_VERSION
#error "Hearth reads and writes the bytecode of Lua 5.4, lib/format/lua54.h: docs/LUA.md says what another one needs"
#endif

/* What the Lua that this file is compiled for needs of a prototype. */
static ChunkHeader own_header(void) {
  const unsigned one = 1;
  unsigned char first;
  memcpy(&first, &one, 1);
  return (ChunkHeader){LUA54_VERSION,       LUA54_FORMAT,       INSTRUCTION_SIZE,
                       sizeof(lua_Integer), sizeof(lua_Number), first == 1};
}

bool prototype_fits(const Prototype *p) {
  const ChunkHeader own = own_header();
  return p->header.version == own.version && p->header.format == own.format &&
         p->header.instruction_size == own.instruction_size && p->header.integer_size == own.integer_size &&
         p->header.number_size == own.number_size && p->header.little_endian == own.little_endian;
}

/* ------------------------------------------------------------------- dump */

static int append_block(lua_State *L, const void *bytes, size_t size, void *ud) {
  Buffer *b = ud;
  (void)L;
  buffer_put(b, bytes, size);
  return b->failed;
}

/* False: the seal's function failed. */
static bool put_seal(Buffer *out, size_t start, const hearth_seal *seal) {
  unsigned char *p = buffer_reserve(out, PROTOTYPE_SEAL_SIZE);
  if (p == NULL) return true; /* the buffer remembers */
  if (seal->hash(seal->ud, out->data + start, out->size - start, p) != 0) return false;
  out->size += PROTOTYPE_SEAL_SIZE;
  return true;
}

/* Appends the record of the chunk that lua_dump wrote. */
static hearth_status put_record(const Buffer *chunk, const hearth_seal *seal, Buffer *out, const char **why) {
  const size_t start = out->size;
  ChunkHeader header;
  unsigned nupvalues = 0;
  ChunkFault fault;
  if (buffer_reserve(out, PROTOTYPE_HEAD_SIZE) == NULL) return HEARTH_NOMEM;
  out->size += PROTOTYPE_HEAD_SIZE; /* filled when the body's size is known */
  if (!chunk_normalise(chunk->data, chunk->size, &header, &nupvalues, out, &fault)) {
    *why = fault.why;
    return HEARTH_UNSTORABLE;
  }
  if (out->failed) return HEARTH_NOMEM;
  const size_t body_size = out->size - start - PROTOTYPE_HEAD_SIZE;
  *why = "the function is over 2 GiB";
  if (body_size > INT_MAX) return HEARTH_UNSTORABLE; /* GCOVR_EXCL_BR_LINE: it takes 4 GiB of memory to get here */
  prototype_put_head(&header, nupvalues, body_size, seal != NULL, out->data + start);
  if (seal != NULL && !put_seal(out, start, seal)) {
    *why = "the seal's function failed";
    return HEARTH_SEAL;
  }
  return out->failed ? HEARTH_NOMEM : HEARTH_OK;
}

hearth_status prototype_dump(lua_State *L, int index, bool strip, const hearth_seal *seal, Buffer *out,
                             const char **why) {
  const char *ignored;
  const size_t start = out->size;
  if (why == NULL) why = &ignored;
  if (!lua_checkstack(L, 1)) return HEARTH_NOMEM;
  Buffer chunk;
  buffer_init(&chunk, &out->allocator);
  lua_pushvalue(L, index);
  (void)lua_dump(L, append_block, &chunk, strip);
  lua_pop(L, 1);
  const hearth_status status = chunk.failed ? HEARTH_NOMEM : put_record(&chunk, seal, out, why);
  buffer_free(&chunk);
  if (status != HEARTH_OK) out->size = start;
  return status;
}

/* ------------------------------------------------------------------- load */

hearth_status prototype_check_seal(const Prototype *p, const hearth_seal *seal, uint64_t base, hearth_error *err) {
  if (seal == NULL) return HEARTH_OK;
  if (p->seal == NULL)
    return hearth_fail_at(err, HEARTH_SEAL, base, "at byte %llu: a function without a seal", (unsigned long long)base);
  unsigned char expected[HEARTH_SEAL_SIZE], difference = 0;
  if (seal->hash(seal->ud, p->record, (size_t)(p->seal - p->record), expected) != 0)
    return hearth_fail_at(err, HEARTH_SEAL, base, "at byte %llu: the seal's function failed", (unsigned long long)base);
  for (size_t i = 0; i < HEARTH_SEAL_SIZE; i++) /* no early exit: time must not tell how much is right */
    difference = (unsigned char)(difference | (expected[i] ^ p->seal[i]));
  if (difference == 0) return HEARTH_OK;
  return hearth_fail_at(err, HEARTH_SEAL, base, "at byte %llu: a function's seal does not match",
                        (unsigned long long)base);
}

typedef struct Description {
  char text[256];
} Description;

static void put_needs(char *out, size_t size, const ChunkHeader *h) {
  (void)snprintf(out, size, "Lua %u.%u, integers of %u bytes, floats of %u, %s byte order",
                 (unsigned)h->version >> 4, h->version & 15u, (unsigned)h->integer_size, (unsigned)h->number_size,
                 h->little_endian ? "little-endian" : "big-endian");
}

/* Which function it is, what it needs, and what is here. Its body was checked, or is of an unknown layout. */
static Description describe(const Prototype *p) {
  Description d;
  char name[80] = "a function", needs[80], has[80];
  const ChunkHeader own = own_header();
  if (chunk_supported(&p->header)) {
    ChunkInfo info;
    chunk_info(&p->header, p->body, p->body_size, &info);
    if (info.source_size > 0)
      (void)snprintf(name, sizeof name, "the function at %.*s:%d",
                     info.source_size > 50 ? 50 : (int)info.source_size - 1, info.source + 1, info.line);
  }
  put_needs(needs, sizeof needs, &p->header);
  put_needs(has, sizeof has, &own);
  (void)snprintf(d.text, sizeof d.text, "%s needs %s; this is %s", name, needs, has);
  return d;
}

/* A chunk in three pieces: the maker's beginning, the body where it lies, the maker's end. */
typedef struct Piece {
  const void *bytes;
  size_t size;
} Piece;

static const char *read_piece(lua_State *L, void *ud, size_t *size) {
  const Piece **next = ud, *piece = (*next)++;
  (void)L;
  *size = piece->size;
  return piece->bytes;
}

/* [-0, +1, -] Loads a body that was checked and fits: what this Lua refuses all the same is not for it. */
static hearth_status load_maker(lua_State *L, const void *body, size_t size, unsigned nupvalues, hearth_error *err) {
  ChunkWrap wrap;
  const ChunkHeader own = own_header();
  chunk_wrap(&own, nupvalues, &wrap);
  const Piece pieces[] = {{wrap.prefix, wrap.prefix_size}, {body, size}, {wrap.suffix, sizeof wrap.suffix}, {NULL, 0}};
  const Piece *next = pieces;
  int result = LUA_ERRMEM;
  if (lua_checkstack(L, 2)) {
    result = lua_load(L, read_piece, &next, "=prototype", "b");
    if (result == LUA_OK) return hearth_ok(err);
    lua_pop(L, 1);
  }
  if (result != LUA_ERRMEM) /* GCOVR_EXCL_BR_LINE: chunk_check is as strict as 5.4.4; another 5.4 may be stricter */
    return hearth_fail(err, HEARTH_LUA, "this Lua does not load a function's bytecode"); /* GCOVR_EXCL_LINE: the same */
  return hearth_fail(err, HEARTH_NOMEM, "out of memory");
}

hearth_status prototype_load(lua_State *L, const Prototype *p, const hearth_seal *seal, uint64_t base,
                             hearth_error *err) {
  hearth_status status = prototype_check_seal(p, seal, base, err);
  if (status != HEARTH_OK) return status;
  ChunkFault fault;
  if (chunk_supported(&p->header) && !chunk_check(&p->header, p->body, p->body_size, p->nupvalues, &fault)) {
    const uint64_t position = base + (size_t)(p->body - p->record) + fault.position;
    return hearth_fail_at(err, HEARTH_DAMAGED, position, "damaged at byte %llu: %s", (unsigned long long)position,
                          fault.why);
  }
  if (!prototype_fits(p)) return hearth_fail_at(err, HEARTH_LUA, base, "%s", describe(p).text);
  return load_maker(L, p->body, p->body_size, p->nupvalues, err);
}

void prototype_instantiate(lua_State *L, int maker, unsigned nupvalues) {
  luaL_checkstack(L, 3, NULL);
  lua_pushvalue(L, maker);
  lua_call(L, 0, 1);
  if (nupvalues < CHUNK_MAX_UPVALUES) return;
  lua_pushnil(L); /* the last cell holds the closure (chunk.h) */
  lua_setupvalue(L, -2, CHUNK_MAX_UPVALUES);
}

hearth_status prototype_push_cell_maker(lua_State *L, hearth_error *err) {
  const ChunkHeader own = own_header();
  unsigned char body[CHUNK_GETTER_SIZE];
  const size_t size = chunk_put_getter(&own, body);
  return load_maker(L, body, size, 1, err);
}

/* ----------------------------------------------------------- placeholders */

static int call_placeholder(lua_State *L) {
  size_t size;
  Prototype p;
  ChunkFault fault;
  const char *record = lua_tolstring(L, lua_upvalueindex(1), &size);
  if (record == NULL || !prototype_parse(record, size, &p, &fault))
    return luaL_error(L, "a stored function that does not fit this Lua was called");
  return luaL_error(L, "a stored function cannot be called: %s", describe(&p).text);
}

void prototype_push_placeholder(lua_State *L, int record) {
  luaL_checkstack(L, 3, NULL);
  lua_pushvalue(L, record);
  lua_newtable(L);
  lua_pushcclosure(L, call_placeholder, 2);
}

const char *prototype_placeholder_record(lua_State *L, int index, size_t *size) {
  if (lua_tocfunction(L, index) != call_placeholder || lua_getupvalue(L, index, 1) == NULL) return NULL;
  const char *record = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, size) : NULL;
  lua_pop(L, 1); /* the closure keeps the string */
  return record;
}
