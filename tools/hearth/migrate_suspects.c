/* What only a running program could decide: it is listed, so that somebody looks at it. */
#include <string.h>

#include "migrate.h"

typedef struct Search {
  const Source *source;
  const NameList *names;
  size_t next;          /* of the names */
  Token before[2];      /* the last two tokens */
  size_t handled;       /* a string that another finding covers */
  FindingList *findings;
} Search;

/* Is the _ENV at this place the chunk's own? */
static bool is_chunk_environment(Search *S, Token t) {
  while (S->next < S->names->count && S->names->items[S->next].start < t.start) S->next++;
  const Name *name = S->next < S->names->count ? &S->names->items[S->next] : NULL;
  return name != NULL && name->start == t.start && name->role == ROLE_VARIABLE && name->free[NAME_ENV];
}

/* A key that is computed, or one that is a literal and Memory; other literals are harmless. */
static void judge_key(Search *S, Token table, Token key, Token after, const char *close) {
  bool literal = (key.kind == TOKEN_STRING || key.kind == TOKEN_NUMBER) &&
                 (token_is(S->source, after, close) || token_is(S->source, after, ","));
  if (!literal) {
    found(S->findings, table.start, LEFT_COMPUTED);
  } else if (key.kind == TOKEN_STRING && string_is_name(S->source, key)) {
    found(S->findings, table.start, LEFT_FIELD);
    S->handled = key.start;
  }
}

/* What follows _G or _ENV. */
static void look_at_globals(Search *S, Token t, Lexer ahead) {
  const Source *s = S->source;
  Token next = lexer_next(&ahead), key = lexer_next(&ahead), after = lexer_next(&ahead);
  bool raw = token_is(s, S->before[0], "rawget") || token_is(s, S->before[0], "rawset");
  if (token_is(s, next, ".") || token_is(s, next, ":")) {
    if (token_is(s, key, OLD_NAME)) found(S->findings, t.start, LEFT_FIELD);
  } else if (token_is(s, next, "[")) {
    judge_key(S, t, key, after, "]");
  } else if (raw && token_is(s, S->before[1], "(") && token_is(s, next, ",")) {
    judge_key(S, t, key, after, ")");
  } else if (!token_is(s, next, "=") || token_is(s, t, "_G")) { /* what assigns _ENV is told of at the uses */
    found(S->findings, t.start, LEFT_GLOBALS);
  }
}

static bool is_loader(const Source *s, Token t) {
  return token_is(s, t, "load") || token_is(s, t, "loadstring") || token_is(s, t, "loadfile") ||
         token_is(s, t, "dofile");
}

/* A call of load and its like with anything but a literal: that a string tells of itself when it has the name. */
static void look_at_loader(Search *S, Token t, Lexer ahead) {
  const Source *s = S->source;
  Token next = lexer_next(&ahead), argument = lexer_next(&ahead), after = lexer_next(&ahead);
  bool called = token_is(s, next, "(");
  bool literal = argument.kind == TOKEN_STRING && (token_is(s, after, ")") || token_is(s, after, ","));
  bool protected = token_is(s, S->before[1], "(") &&
                   (token_is(s, S->before[0], "pcall") || token_is(s, S->before[0], "xpcall"));
  if (token_is(s, S->before[1], ".") || token_is(s, S->before[1], ":") || token_is(s, S->before[1], "function"))
    return; /* another function of that name */
  if (called ? !literal : protected) found(S->findings, t.start, LEFT_CODE);
}

static void look_at(Search *S, Token t, Lexer ahead) {
  const Source *s = S->source;
  if (t.kind == TOKEN_STRING) {
    if (t.start != S->handled && string_has_name(s, t)) found(S->findings, t.start, LEFT_STRING);
  } else if (token_is(s, t, "_G") || (token_is(s, t, "_ENV") && is_chunk_environment(S, t))) {
    look_at_globals(S, t, ahead);
  } else if (is_loader(s, t)) {
    look_at_loader(S, t, ahead);
  }
}

void suspects_find(const Source *source, const NameList *names, FindingList *findings) {
  Search S = {.source = source, .names = names, .handled = source->size, .findings = findings};
  Lexer X = {.source = source, .at = source->body};
  Token t;
  while ((t = lexer_next(&X)).kind != TOKEN_END) {
    look_at(&S, t, X);
    S.before[0] = S.before[1];
    S.before[1] = t;
  }
}
