#include "chunk.h"

#include <limits.h>
#include <string.h>

#include "cursor.h"
#include "lua54.h"

/* What luaO_chunkid shows of a text: [string "..."] in LUA_IDSIZE (60) bytes. */
#define SHOWN_BEFORE "[string \""
#define SHOWN_CUT "..."
#define SHOWN_AFTER "\"]"
#define SHOWN_TEXT 45
#define SHOWN_SIZE (1 + sizeof SHOWN_BEFORE + SHOWN_TEXT + sizeof SHOWN_CUT + sizeof SHOWN_AFTER)

bool chunk_supported(const ChunkHeader *h) {
  return h->version == LUA54_VERSION && h->format == LUA54_FORMAT && h->instruction_size == INSTRUCTION_SIZE &&
         (h->integer_size == 4 || h->integer_size == 8) && (h->number_size == 4 || h->number_size == 8);
}

/* ------------------------------------------------------------- primitives */

/* Lua's numbers: groups of 7 bits, the highest first; the last byte is marked. */
static uint64_t load_size(Cursor *c) {
  uint64_t n = 0;
  for (;;) {
    unsigned char byte = cursor_byte(c);
    if (c->why != NULL) return 0;
    if (n == 0 && byte == 0) break; /* lua_dump writes no leading zeros */
    if (n > (UINT64_MAX >> 7)) break;
    n = n << 7 | (byte & 0x7f);
    if (byte & 0x80) return n;
  }
  cursor_fail(c, "a number in the bytecode has an impossible form");
  return 0;
}

static void dump_size(Buffer *b, uint64_t n) {
  unsigned char bytes[10], *p = bytes + sizeof bytes;
  *--p = (unsigned char)(0x80 | (n & 0x7f));
  while ((n >>= 7) != 0) *--p = (unsigned char)(n & 0x7f);
  buffer_put(b, p, (size_t)(bytes + sizeof bytes - p));
}

/* Up to where Lua reads one (loadUnsigned, lundump.c): it refuses the last 128. */
static uint32_t load_int(Cursor *c) {
  uint64_t n = load_size(c);
  if (n >> 7 >= INT_MAX >> 7) cursor_fail(c, "a number in the bytecode exceeds an int");
  return c->why != NULL ? 0 : (uint32_t)n;
}

/* A count of things that take at least `least` bytes each, checked against the bytes that remain. */
static uint32_t load_count(Cursor *c, size_t least) {
  uint32_t n = load_int(c);
  if (n > cursor_left(c) / least) {
    cursor_fail(c, "a count in the bytecode exceeds the bytes that remain");
    return 0;
  }
  return n;
}

typedef struct Text {
  const char *bytes; /* NULL: absent */
  size_t size;
} Text;

static Text load_text(Cursor *c) {
  Text text = {NULL, 0};
  uint64_t size = load_size(c);
  if (size == 0) return text;
  text.bytes = (const char *)cursor_bytes(c, size - 1);
  text.size = text.bytes != NULL ? (size_t)(size - 1) : 0;
  return text;
}

static bool text_equal(Text a, Text b) {
  return (a.bytes == NULL) == (b.bytes == NULL) && a.size == b.size &&
         (a.size == 0 || memcmp(a.bytes, b.bytes, a.size) == 0); /* NOLINT(*NonNullParam*): NULL has size 0 */
}

static void put_fixed(unsigned char **p, uint64_t n, unsigned size, bool little_endian) {
  for (unsigned i = 0; i < size; i++) *(*p)++ = (unsigned char)(n >> 8 * (little_endian ? i : size - 1 - i));
}

static uint64_t read_fixed(const unsigned char *p, unsigned size, bool little_endian) {
  uint64_t n = 0;
  for (unsigned i = 0; i < size; i++) n = n << 8 | p[little_endian ? size - 1 - i : i];
  return n;
}

/* ----------------------------------------------------------------- source */

static bool is_name(Text source) {
  return source.size > 0 && (source.bytes[0] == '=' || source.bytes[0] == '@');
}

static char *append(char *p, const char *bytes, size_t n) {
  memcpy(p, bytes, n);
  return p + n;
}

/* Absent and named sources as they are; of a program's text, what luaO_chunkid shows of it, after '='. */
static Text source_shown(Text source, char shown[SHOWN_SIZE]) {
  if (source.bytes == NULL || is_name(source)) return source;
  const char *zero = memchr(source.bytes, '\0', source.size); /* luaO_chunkid looks with strchr */
  const char *newline = memchr(source.bytes, '\n', zero != NULL ? (size_t)(zero - source.bytes) : source.size);
  char *p = append(shown, "=" SHOWN_BEFORE, sizeof SHOWN_BEFORE);
  if (source.size < SHOWN_TEXT && newline == NULL) {
    p = append(p, source.bytes, source.size);
  } else {
    size_t size = newline != NULL ? (size_t)(newline - source.bytes) : source.size;
    p = append(p, source.bytes, size > SHOWN_TEXT ? SHOWN_TEXT : size);
    p = append(p, SHOWN_CUT, sizeof SHOWN_CUT - 1);
  }
  p = append(p, SHOWN_AFTER, sizeof SHOWN_AFTER - 1);
  return (Text){shown, (size_t)(p - shown)};
}

/* ------------------------------------------------------------------- walk */

/* One function whose nested functions are being read. */
typedef struct Level {
  Text source; /* as read, or inherited */
  uint32_t code, functions_left;
  unsigned char upvalues, stack;
} Level;

/*
** One walk checks and normalises: with `out` set, what was read is copied there,
** but for the places that are rewritten; without it, those places must be in normal form already.
*/
typedef struct Walk {
  Cursor in;
  const ChunkHeader *header;
  Buffer *out;
  const unsigned char *copied; /* input up to here is in `out` */
  const unsigned char *names;  /* of the upvalues of the function whose end was read last */
  unsigned nupvalues;          /* of the outermost function, as the chunk's header counts them */
  unsigned depth;
  Level levels[CHUNK_MAX_NESTING];
} Walk;

/* Copies the input up to `until`, and goes on after what was read: the bytes between are rewritten. */
static void rewrite_from(Walk *w, const unsigned char *until) {
  buffer_put(w->out, w->copied, (size_t)(until - w->copied));
  w->copied = w->in.next;
}

static void walk_source(Walk *w, Level *level) {
  const Text none = {NULL, 0};
  const Text parent = w->depth > 0 ? w->levels[w->depth - 1].source : none;
  const unsigned char *start = w->in.next;
  const Text read = load_text(&w->in);
  if (w->in.why != NULL) return;
  level->source = read.bytes != NULL ? read : parent;
  char here[SHOWN_SIZE], above[SHOWN_SIZE];
  const Text shown = source_shown(level->source, here);
  const bool inherited = text_equal(shown, source_shown(parent, above)); /* lua_dump omits it then */
  if (w->out != NULL) {
    rewrite_from(w, start);
    dump_size(w->out, inherited ? 0 : shown.size + 1);
    if (!inherited) buffer_put(w->out, shown.bytes, shown.size);
  } else if (read.bytes != NULL && (inherited || !is_name(read))) {
    cursor_fail(&w->in, "a function's source is not in the stored form");
  }
}

static void walk_constants(Walk *w) {
  for (uint32_t n = load_count(&w->in, 1); n > 0; n--) {
    switch (cursor_byte(&w->in)) {
      case CONSTANT_NIL: case CONSTANT_FALSE: case CONSTANT_TRUE:
        break;
      case CONSTANT_INTEGER:
        (void)cursor_bytes(&w->in, w->header->integer_size);
        break;
      case CONSTANT_FLOAT:
        (void)cursor_bytes(&w->in, w->header->number_size);
        break;
      case CONSTANT_SHORT_STRING: case CONSTANT_LONG_STRING:
        if (load_text(&w->in).bytes == NULL) cursor_fail(&w->in, "a constant string is absent");
        break;
      default:
        cursor_fail(&w->in, "a constant has an unknown type");
    }
    if (w->in.why != NULL) return;
  }
}

/* The outermost function's upvalues are all taken from the maker's registers, whatever they were. */
static void walk_own_upvalues(Walk *w, uint32_t n) {
  if (n != w->nupvalues) {
    cursor_fail(&w->in, "a function's upvalues are counted twice, differently");
    return;
  }
  const unsigned char *start = w->in.next;
  const unsigned char *p = cursor_bytes(&w->in, (uint64_t)n * UPVALUE_SIZE); /* they are there: load_count saw it */
  if (w->out != NULL) rewrite_from(w, start);
  for (uint32_t i = 0; i < n; i++, p += UPVALUE_SIZE) {
    const unsigned char normal[UPVALUE_SIZE] = {1, (unsigned char)i, 0};
    if (w->out != NULL)
      buffer_put(w->out, normal, UPVALUE_SIZE);
    else if (memcmp(p, normal, UPVALUE_SIZE) != 0)
      cursor_fail(&w->in, "a function's upvalues are not in the stored form");
  }
}

/* Lua takes a nested function's upvalues from these places without a look at their bounds. */
static void walk_nested_upvalues(Walk *w, uint32_t n, const Level *enclosing) {
  const unsigned char *p = cursor_bytes(&w->in, (uint64_t)n * UPVALUE_SIZE);
  if (p == NULL) return;
  for (uint32_t i = 0; i < n; i++, p += UPVALUE_SIZE)
    if (p[0] > 1 || p[1] >= (p[0] ? enclosing->stack : enclosing->upvalues) || p[2] > LAST_VARIABLE_KIND)
      cursor_fail(&w->in, "a nested function's upvalue is out of bounds");
}

/* A function up to those nested in it. */
static void walk_head(Walk *w) {
  if (w->depth == CHUNK_MAX_NESTING) {
    cursor_fail(&w->in, "functions are nested too deep");
    return;
  }
  Level *level = &w->levels[w->depth];
  walk_source(w, level);
  (void)load_int(&w->in); /* line where it begins */
  (void)load_int(&w->in); /* and ends */
  unsigned char parameters = cursor_byte(&w->in);
  unsigned char vararg = cursor_byte(&w->in);
  level->stack = cursor_byte(&w->in);
  if (vararg > 1 || level->stack == 0 || parameters > level->stack)
    cursor_fail(&w->in, "a function's parameters exceed its registers");
  level->code = load_count(&w->in, INSTRUCTION_SIZE);
  if (level->code == 0) cursor_fail(&w->in, "a function without code");
  (void)cursor_bytes(&w->in, (uint64_t)level->code * INSTRUCTION_SIZE);
  walk_constants(w);
  uint32_t upvalues = load_count(&w->in, UPVALUE_SIZE);
  if (upvalues > CHUNK_MAX_UPVALUES) cursor_fail(&w->in, "a function has too many upvalues");
  level->upvalues = (unsigned char)upvalues;
  if (w->depth == 0)
    walk_own_upvalues(w, upvalues);
  else
    walk_nested_upvalues(w, upvalues, level - 1);
  level->functions_left = load_count(&w->in, LEAST_FUNCTION);
  w->depth++;
}

static void walk_lines(Walk *w, const Level *level) {
  uint32_t lines = load_count(&w->in, 1);
  if (lines != 0 && lines != level->code) cursor_fail(&w->in, "line information and code differ in size");
  (void)cursor_bytes(&w->in, lines);
  uint32_t absolute = load_count(&w->in, 2);
  if (absolute > 0 && (lines == 0 || absolute < (level->code - 1) / INSTRUCTIONS_PER_ABSOLUTE_LINE))
    cursor_fail(&w->in, "absolute line information is missing");
  uint32_t least = 0;
  for (; absolute > 0 && w->in.why == NULL; absolute--) {
    uint32_t pc = load_int(&w->in);
    if (pc < least || pc >= level->code) cursor_fail(&w->in, "line information is out of bounds");
    least = pc + 1;
    (void)load_int(&w->in);
  }
}

/* A stripped function that was loaded has absent names where it had none: these are left out again. */
static void walk_names(Walk *w, const Level *level) {
  const unsigned char *start = w->names = w->in.next;
  bool named = false;
  uint32_t names = load_count(&w->in, 1);
  if (names != 0 && names != level->upvalues) cursor_fail(&w->in, "upvalues and their names differ in number");
  for (uint32_t i = 0; i < names && w->in.why == NULL; i++) named |= load_text(&w->in).bytes != NULL;
  if (w->in.why != NULL || named || names == 0) return;
  if (w->out != NULL) {
    rewrite_from(w, start);
    dump_size(w->out, 0);
  } else {
    cursor_fail(&w->in, "a function's upvalues are not in the stored form");
  }
}

/* A function after those nested in it. */
static void walk_debug(Walk *w) {
  const Level *level = &w->levels[--w->depth];
  walk_lines(w, level);
  for (uint32_t locals = load_count(&w->in, 3); locals > 0 && w->in.why == NULL; locals--) {
    if (load_text(&w->in).bytes == NULL) cursor_fail(&w->in, "a local variable without a name");
    (void)load_int(&w->in);
    (void)load_int(&w->in);
  }
  walk_names(w, level);
}

static bool walk_body(Walk *w, size_t before, ChunkFault *fault) {
  walk_head(w);
  while (w->depth > 0 && w->in.why == NULL) {
    Level *level = &w->levels[w->depth - 1];
    if (level->functions_left > 0) {
      level->functions_left--;
      walk_head(w);
    } else {
      walk_debug(w);
    }
  }
  if (cursor_left(&w->in) > 0) cursor_fail(&w->in, "bytes follow the function");
  if (w->in.why != NULL) {
    *fault = (ChunkFault){before + w->in.position, w->in.why};
    return false;
  }
  if (w->out != NULL) rewrite_from(w, w->in.end);
  return true;
}

static bool check_body(Walk *w, const ChunkHeader *header, const void *body, size_t size, unsigned nupvalues,
                       ChunkFault *fault) {
  w->in = cursor_over(body, size);
  w->header = header;
  w->out = NULL;
  w->copied = NULL;
  w->nupvalues = nupvalues;
  w->depth = 0;
  return walk_body(w, 0, fault);
}

bool chunk_check(const ChunkHeader *header, const void *body, size_t size, unsigned nupvalues, ChunkFault *fault) {
  Walk w; /* levels are filled as they are entered */
  return check_body(&w, header, body, size, nupvalues, fault);
}

const char *chunk_upvalue_name(const ChunkHeader *header, const void *body, size_t size, unsigned nupvalues,
                               unsigned number, size_t *name_size) {
  Walk w;
  ChunkFault fault;
  *name_size = 0;
  if (!check_body(&w, header, body, size, nupvalues, &fault)) return NULL;
  Cursor c = cursor_over(w.names, (size_t)(w.in.end - w.names));
  uint32_t names = load_count(&c, 1);
  Text name = {NULL, 0};
  for (uint32_t i = 0; i < names && i < number; i++) name = load_text(&c);
  if (number > names) return NULL;
  *name_size = name.size;
  return name.bytes;
}

/* ----------------------------------------------------------------- chunks */

/* Reads what precedes the body. */
static void load_header(Cursor *c, ChunkHeader *h, unsigned *nupvalues) {
  const unsigned char *signature = cursor_bytes(c, SIGNATURE_SIZE);
  h->version = cursor_byte(c);
  h->format = cursor_byte(c);
  const unsigned char *conversion = cursor_bytes(c, CONVERSION_CHECK_SIZE);
  h->instruction_size = cursor_byte(c);
  h->integer_size = cursor_byte(c);
  h->number_size = cursor_byte(c);
  if (c->why != NULL) return;
  if (memcmp(signature, SIGNATURE, SIGNATURE_SIZE) != 0 ||
      memcmp(conversion, CONVERSION_CHECK, CONVERSION_CHECK_SIZE) != 0 || !chunk_supported(h)) {
    cursor_fail(c, "not a binary chunk of Lua 5.4");
    return;
  }
  const unsigned char *integer = cursor_bytes(c, h->integer_size);
  const unsigned char *number = cursor_bytes(c, h->number_size);
  *nupvalues = cursor_byte(c);
  if (c->why != NULL) return;
  h->little_endian = read_fixed(integer, h->integer_size, true) == INTEGER_CHECK;
  if (read_fixed(integer, h->integer_size, h->little_endian) != INTEGER_CHECK ||
      read_fixed(number, h->number_size, h->little_endian) != (h->number_size == 8 ? FLOAT64_CHECK : FLOAT32_CHECK))
    cursor_fail(c, "numbers of an unknown format");
}

bool chunk_normalise(const void *chunk, size_t size, ChunkHeader *header, unsigned *nupvalues, Buffer *out,
                     ChunkFault *fault) {
  Cursor c = cursor_over(chunk, size);
  load_header(&c, header, nupvalues);
  if (c.why != NULL) {
    *fault = (ChunkFault){c.position, c.why};
    return false;
  }
  Walk w;
  w.in = cursor_over(c.next, cursor_left(&c));
  w.header = header;
  w.out = out;
  w.copied = c.next;
  w.nupvalues = *nupvalues;
  w.depth = 0;
  return walk_body(&w, cursor_position(&c), fault);
}

void chunk_info(const ChunkHeader *header, const void *body, size_t size, ChunkInfo *out) {
  (void)header; /* what is read here is the same in every layout */
  Cursor c = cursor_over(body, size);
  Text source = load_text(&c);
  out->source = source.bytes;
  out->source_size = source.size;
  out->line = (int)load_int(&c);
  out->last_line = (int)load_int(&c);
  out->parameters = cursor_byte(&c);
  out->vararg = cursor_byte(&c) != 0;
}

static void put_instruction(unsigned char **p, const ChunkHeader *h, uint32_t instruction) {
  put_fixed(p, instruction, INSTRUCTION_SIZE, h->little_endian);
}

/* A number under 128, as the chunk writes it. */
static void put_small(unsigned char **p, unsigned n) {
  *(*p)++ = (unsigned char)(0x80 | n);
}

void chunk_wrap(const ChunkHeader *h, unsigned nupvalues, ChunkWrap *out) {
  /*
  ** The closure goes into the register after those of its cells; there are 255 registers, so a 255th cell is its own.
  */
  const unsigned parameters = nupvalues < CHUNK_MAX_UPVALUES ? nupvalues : CHUNK_MAX_UPVALUES - 1;
  unsigned char *p = out->prefix;
  memcpy(p, SIGNATURE, SIGNATURE_SIZE);
  p += SIGNATURE_SIZE;
  *p++ = h->version;
  *p++ = h->format;
  memcpy(p, CONVERSION_CHECK, CONVERSION_CHECK_SIZE);
  p += CONVERSION_CHECK_SIZE;
  *p++ = h->instruction_size;
  *p++ = h->integer_size;
  *p++ = h->number_size;
  put_fixed(&p, INTEGER_CHECK, h->integer_size, h->little_endian);
  put_fixed(&p, h->number_size == 8 ? FLOAT64_CHECK : FLOAT32_CHECK, h->number_size, h->little_endian);
  *p++ = 0;         /* upvalues of the main function */
  put_small(&p, 0); /* source */
  put_small(&p, 0); /* lines */
  put_small(&p, 0);
  *p++ = (unsigned char)parameters;
  *p++ = 0; /* not vararg */
  *p++ = (unsigned char)(parameters + 1 < 2 ? 2 : parameters + 1); /* Lua's compiler gives two at least */
  put_small(&p, 2);
  put_instruction(&p, h, OP_CLOSURE | parameters << SHIFT_A | 0u << SHIFT_BX);
  put_instruction(&p, h, OP_RETURN | parameters << SHIFT_A | 1u << SHIFT_K | 2u << SHIFT_B); /* k: close the cells */
  put_small(&p, 0); /* constants */
  put_small(&p, 0); /* upvalues */
  put_small(&p, 1); /* nested functions: the body */
  out->prefix_size = (size_t)(p - out->prefix);
  memset(out->suffix, 0x80, sizeof out->suffix); /* no lines, absolute lines, locals, names of upvalues */
}

size_t chunk_put_getter(const ChunkHeader *h, unsigned char out[CHUNK_GETTER_SIZE]) {
  unsigned char *p = out;
  put_small(&p, 0); /* source */
  put_small(&p, 0); /* lines */
  put_small(&p, 0);
  *p++ = 0; /* parameters */
  *p++ = 0; /* not vararg */
  *p++ = 2; /* registers */
  put_small(&p, 2);
  put_instruction(&p, h, OP_GETUPVAL);
  put_instruction(&p, h, OP_RETURN1 | 2u << SHIFT_B);
  put_small(&p, 0); /* constants */
  put_small(&p, 1); /* upvalues */
  *p++ = 1;
  *p++ = 0;
  *p++ = 0;
  for (int i = 0; i < 5; i++) put_small(&p, 0); /* nested functions, debug information */
  return (size_t)(p - out);
}
