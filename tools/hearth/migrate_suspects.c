/* What only a running program could decide: it is listed, so that somebody looks at it. */
#include <string.h>

#include "migrate.h"

typedef struct Search {
  const Source *source;
  const NameList *names;
  Token before[2];      /* the last two tokens */
  size_t handled;       /* a string that another finding covers */
  FindingList *findings;
} Search;

/* ----------------------------------------------------------- code to load */

static bool is_loader(const Source *s, Token t) {
  for (int i = NAME_LOADER; i < NAMES; i++)
    if (token_is(s, t, name_texts[i]) || string_is(s, t, name_texts[i])) return true;
  return false;
}

/* A call with a literal, which tells of itself when it has the name. `ahead` stands behind what is called. */
static bool is_literal_call(const Source *s, Lexer ahead) {
  Token next = lexer_next(&ahead), argument = lexer_next(&ahead), after = lexer_next(&ahead);
  if (next.kind == TOKEN_STRING) return true;
  return token_is(s, next, "(") && argument.kind == TOKEN_STRING &&
         (token_is(s, after, ")") || token_is(s, after, ","));
}

/* -------------------------------------------------- fields of the globals */

/* Of _G or _ENV: whose field is it? */
static Reason reason_of_field(const Search *S, const Name *table) {
  if (table->role == ROLE_UNKNOWN || name_is_global(S->names, table)) return LEFT_FIELD;
  if (!table->free[table->which]) return LEFT_PERHAPS_FIELD;
  return table->free[NAME_ENV] ? LEFT_ASSIGNED_ENV : LEFT_LOCAL_ENV;
}

/* Is the field, behind whose key `ahead` stands, assigned something else than the home table? */
static bool assigns_other_home(const Search *S, Lexer ahead) {
  const Source *s = S->source;
  Lexer behind = ahead;
  Token next = lexer_next(&ahead);
  if (token_is(s, S->before[1], "function") && token_is(s, next, "(")) return true;
  return token_is(s, next, "=") &&
         (token_is(s, S->before[1], ",") || !assigns_home_itself(s, S->names, behind.at));
}

/* A field whose key is known. `ahead` stands behind it. */
static void judge_field(Search *S, const Name *table, Token key, Lexer ahead, bool raw_set) {
  const Source *s = S->source;
  bool literal = key.kind == TOKEN_STRING;
  if (literal ? string_is(s, key, OLD_NAME) : token_is(s, key, OLD_NAME)) {
    found(S->findings, table->start, reason_of_field(S, table));
    S->handled = literal ? key.start : S->handled;
  } else if (literal ? string_is(s, key, NEW_NAME) : token_is(s, key, NEW_NAME)) {
    if (reason_of_field(S, table) == LEFT_FIELD && (raw_set || assigns_other_home(S, ahead)))
      found(S->findings, table->start, HOME_ASSIGNED);
  } else if (is_loader(s, key) && !is_literal_call(s, ahead)) {
    found(S->findings, table->start, LEFT_CODE);
  }
}

/* A key behind a bracket or a comma: one that is computed, or a literal. */
static void judge_key(Search *S, const Name *table, Lexer ahead, const char *close) {
  const Source *s = S->source;
  Token key = lexer_next(&ahead), after = lexer_next(&ahead);
  bool literal = (key.kind == TOKEN_STRING || key.kind == TOKEN_NUMBER) &&
                 (token_is(s, after, close) || token_is(s, after, ","));
  if (!literal)
    found(S->findings, table->start, LEFT_COMPUTED);
  else
    judge_field(S, table, key, ahead, token_is(s, S->before[0], "rawset"));
}

/* What follows _G or _ENV. */
static void look_at_globals(Search *S, const Name *table, Lexer ahead) {
  const Source *s = S->source;
  Token next = lexer_next(&ahead);
  bool raw = token_is(s, S->before[0], "rawget") || token_is(s, S->before[0], "rawset");
  if (token_is(s, next, ".") || token_is(s, next, ":")) {
    Token key = lexer_next(&ahead);
    judge_field(S, table, key, ahead, false);
  } else if (token_is(s, next, "[")) {
    judge_key(S, table, ahead, "]");
  } else if (raw && token_is(s, S->before[1], "(") && token_is(s, next, ",")) {
    judge_key(S, table, ahead, ")");
  } else if (!token_is(s, next, "=") || table->which == NAME_GLOBALS) { /* assigned _ENV: the uses tell of it */
    found(S->findings, table->start, LEFT_GLOBALS);
  }
}

/* ------------------------------------------------------------------ tokens */

static void look_at_name(Search *S, const Name *name, Lexer ahead) {
  bool local = name->role == ROLE_VARIABLE && !name->free[name->which];
  if (name->role == ROLE_DECLARATION || name->role == ROLE_KEY) return;
  if (name->which == NAME_GLOBALS || (name->which == NAME_ENV && !local))
    look_at_globals(S, name, ahead); /* a local _G may well be the global one */
  else if (name->which >= NAME_LOADER && !local && !is_literal_call(S->source, ahead))
    found(S->findings, name->start, LEFT_CODE);
}

static void look_at_string(Search *S, Token t) {
  const Source *s = S->source;
  if (t.start == S->handled) return;
  if (string_has_name(s, t)) found(S->findings, t.start, LEFT_STRING);
  if (string_is(s, t, "_G") || string_is(s, t, "_ENV")) found(S->findings, t.start, LEFT_GLOBALS_NAME);
}

static void look_at(Search *S, Token t, Lexer ahead) {
  const Name *name = t.kind == TOKEN_NAME ? name_at(S->names, t.start) : NULL;
  if (t.kind == TOKEN_STRING)
    look_at_string(S, t);
  else if (name != NULL)
    look_at_name(S, name, ahead);
  else if (token_is(S->source, t, "_G") && token_is(S->source, S->before[1], ".")) /* package.loaded._G */
    found(S->findings, t.start, LEFT_GLOBALS_NAME);
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
