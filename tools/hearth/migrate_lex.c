/* The tokens of Lua, as far as migrate has to tell them apart. */
#include <string.h>

#include "migrate.h"

void source_open(Source *source, const char *name, const char *text, size_t size) {
  size_t at = size >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
  if (at < size && text[at] == '#') /* as luaL_loadfile: the line end stays */
    while (at < size && text[at] != '\n') at++;
  *source = (Source){.name = name, .text = text, .size = size, .body = at};
}

static bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

static bool is_letter(char c) { /* Lua's own idea of it, whatever the locale */
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_hex(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

/* The byte `ahead` of the present one; 0 behind the end. */
static char peek(const Lexer *X, size_t ahead) {
  return X->source->size - X->at > ahead ? X->source->text[X->at + ahead] : '\0';
}

/* The number of '=' when a long bracket opens here, else -1. */
static long long_bracket(const Lexer *X) {
  long level = 0;
  if (peek(X, 0) != '[') return -1;
  while (peek(X, (size_t)level + 1) == '=') level++;
  return peek(X, (size_t)level + 1) == '[' ? level : -1;
}

static void skip_long(Lexer *X, long level) {
  const Source *s = X->source;
  for (X->at += (size_t)level + 2; X->at < s->size; X->at++) {
    if (s->text[X->at] != ']') continue;
    long n = 0;
    while (peek(X, (size_t)n + 1) == '=') n++;
    if (n == level && peek(X, (size_t)n + 1) == ']') {
      X->at += (size_t)level + 2;
      return;
    }
  }
}

static void skip_comment(Lexer *X) {
  X->at += 2;
  long level = long_bracket(X);
  if (level >= 0) {
    skip_long(X, level);
  } else {
    while (X->at < X->source->size && peek(X, 0) != '\n' && peek(X, 0) != '\r') X->at++;
  }
}

/* A quoted string: only its end matters, and that a backslash takes what follows with it. */
static void skip_string(Lexer *X) {
  const Source *s = X->source;
  char quote = s->text[X->at++];
  while (X->at < s->size) {
    char c = s->text[X->at++];
    if (c == quote) return;
    if (c == '\\' && X->at < s->size) X->at++;
  }
}

static void skip_number(Lexer *X) {
  bool hex = peek(X, 0) == '0' && (peek(X, 1) == 'x' || peek(X, 1) == 'X');
  if (hex) X->at += 2;
  for (;; X->at++) {
    char c = peek(X, 0), lower = (char)(c | 0x20);
    if (lower == (hex ? 'p' : 'e') && (peek(X, 1) == '+' || peek(X, 1) == '-'))
      X->at++;
    else if (!is_hex(c) && !is_letter(c) && c != '.')
      return;
  }
}

static void skip_operator(Lexer *X) {
  static const char *const operators[] = {"...", "..", "::", "==", "~=", "<=", ">=", "//", "<<", ">>"};
  for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) {
    size_t n = strlen(operators[i]);
    if (X->source->size - X->at >= n && memcmp(X->source->text + X->at, operators[i], n) == 0) {
      X->at += n;
      return;
    }
  }
  X->at++;
}

static void skip_blank(Lexer *X) {
  for (;;) {
    if (X->at < X->source->size && is_space(peek(X, 0)))
      X->at++;
    else if (peek(X, 0) == '-' && peek(X, 1) == '-')
      skip_comment(X);
    else
      return;
  }
}

Token lexer_next(Lexer *X) {
  Token token = {.kind = TOKEN_END};
  skip_blank(X);
  token.start = token.end = X->at;
  if (X->at >= X->source->size) return token;
  char c = peek(X, 0);
  long level = long_bracket(X);
  if (is_letter(c)) {
    token.kind = TOKEN_NAME;
    while (is_letter(peek(X, 0)) || is_digit(peek(X, 0))) X->at++;
  } else if (is_digit(c) || (c == '.' && is_digit(peek(X, 1)))) {
    token.kind = TOKEN_NUMBER;
    skip_number(X);
  } else if (c == '"' || c == '\'') {
    token.kind = TOKEN_STRING;
    skip_string(X);
  } else if (level >= 0) {
    token.kind = TOKEN_STRING;
    skip_long(X, level);
  } else {
    token.kind = TOKEN_OTHER;
    skip_operator(X);
  }
  token.end = X->at;
  return token;
}

bool token_is(const Source *s, Token token, const char *text) {
  size_t n = strlen(text);
  return token.kind != TOKEN_END && token.kind != TOKEN_STRING && token.end - token.start == n &&
         memcmp(s->text + token.start, text, n) == 0;
}

/* ------------------------------------------------------- what a string says */

/* A hexadecimal digit's value. */
static unsigned digit_value(char c) {
  return is_digit(c) ? (unsigned)(c - '0') : (unsigned)((c | 0x20) - 'a') + 10;
}

/* Reads the escape whose backslash was read. -1: for no byte. Above 0x7F only matters that it is no letter. */
static int read_escape(Lexer *X) {
  static const char controls[] = "abfnrtv";
  char c = peek(X, 0);
  unsigned value = 0;
  if (is_digit(c)) {
    for (int i = 0; i < 3 && is_digit(peek(X, 0)); i++, X->at++) value = value * 10 + digit_value(peek(X, 0));
    return (int)value;
  }
  X->at++;
  if (c == 'x') {
    for (int i = 0; i < 2 && is_hex(peek(X, 0)); i++, X->at++) value = value * 16 + digit_value(peek(X, 0));
    return (int)value;
  }
  if (c == 'u') { /* u{XXX} */
    for (X->at++; is_hex(peek(X, 0)); X->at++)
      if (value < 0x80) value = value * 16 + digit_value(peek(X, 0));
    X->at++;
    return (int)value;
  }
  if (c == 'z') {
    while (X->at < X->source->size && is_space(peek(X, 0))) X->at++;
    return -1;
  }
  return c != '\0' && strchr(controls, c) != NULL ? '\n' : c; /* any control character for all */
}

/* Where the literal's contents begin and end. */
static size_t contents(const Source *s, Token literal, size_t *end) {
  const Lexer X = {.source = s, .at = literal.start};
  long level = long_bracket(&X);
  size_t around = level >= 0 ? (size_t)level + 2 : 1;
  *end = literal.end - around;
  return literal.start + around;
}

/* The next byte that the literal stands for; -1: its contents end, which is where `end` says. */
static int next_byte(Lexer *X, bool quoted, size_t end) {
  while (X->at < end) {
    int byte = (unsigned char)X->source->text[X->at++];
    if (quoted && byte == '\\') byte = read_escape(X);
    if (byte >= 0) return byte;
  }
  return -1;
}

/* Follows how much of the name was seen: words begin anew after what is no letter. */
typedef struct Match {
  size_t seen;  /* letters of the name, in a row from a word's beginning */
  bool in_word; /* the last byte was a letter or a digit */
  bool whole;   /* the name was seen as a word */
} Match;

static void match_byte(Match *m, int byte) {
  static const char name[] = OLD_NAME;
  bool letter = byte >= 0 && byte < 0x80 && (is_letter((char)byte) || is_digit((char)byte));
  if (!letter && m->seen == sizeof name - 1) m->whole = true;
  if (letter && (!m->in_word || m->seen > 0) && m->seen < sizeof name - 1 && name[m->seen] == (char)byte)
    m->seen++;
  else
    m->seen = 0;
  m->in_word = letter;
}

bool string_has_name(const Source *s, Token literal) {
  Match m = {.seen = 0};
  size_t end;
  int byte;
  Lexer X = {.source = s, .at = contents(s, literal, &end)};
  while ((byte = next_byte(&X, s->text[literal.start] != '[', end)) >= 0) match_byte(&m, byte);
  match_byte(&m, '\n');
  return m.whole;
}

bool string_is(const Source *s, Token literal, const char *text) {
  size_t end;
  int byte;
  if (literal.kind != TOKEN_STRING) return false;
  Lexer X = {.source = s, .at = contents(s, literal, &end)};
  while ((byte = next_byte(&X, s->text[literal.start] != '[', end)) >= 0)
    if (*text == '\0' || byte != (unsigned char)*text++) return false;
  return *text == '\0';
}
