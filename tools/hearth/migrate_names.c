/* Where the names stand whose meaning the compiler is asked for. */
#include <stdlib.h>
#include <string.h>

#include "migrate.h"

const char *const name_texts[NAMES] = {OLD_NAME, NEW_NAME, "_ENV", "_G", "load", "loadstring", "loadfile", "dofile"};

/* What is open around a token: brackets, and blocks by their first word. */
typedef struct Nesting {
  char *open; /* '{', '(', '[', or 'b' for a block */
  size_t count, capacity;
} Nesting;

static void nest(Nesting *nesting, const Source *s, Token t) {
  static const char *const blocks[] = {"function", "do", "if", "repeat"}; /* while and for have a do */
  static const char *const ends[] = {"end", "until", "}", ")", "]"};
  char c = s->text[t.start];
  bool opens = t.kind == TOKEN_OTHER && (c == '{' || c == '(' || c == '[');
  for (size_t i = 0; t.kind == TOKEN_NAME && i < sizeof blocks / sizeof *blocks; i++)
    if (token_is(s, t, blocks[i])) {
      opens = true;
      c = 'b';
    }
  if (opens) {
    nesting->open = grown(nesting->open, nesting->count, &nesting->capacity, 1);
    nesting->open[nesting->count++] = c;
    return;
  }
  for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
    if (token_is(s, t, ends[i]) && nesting->count > 0) nesting->count--;
}

static int which_name(const Source *s, Token t) {
  int which = 0;
  if (t.kind != TOKEN_NAME) return NAMES;
  while (which < NAMES && !token_is(s, t, name_texts[which])) which++;
  return which;
}

/* A field after a dot or a colon, or a label: no variable and no declaration, whatever the rest of the program is. */
static bool is_no_variable(const Source *s, Token before, Token after) {
  return token_is(s, before, ".") || token_is(s, before, ":") || token_is(s, before, "goto") ||
         (token_is(s, before, "::") && token_is(s, after, "::"));
}

static void add_name(NameList *names, const Source *s, const Nesting *nesting, int which, const Token around[3]) {
  Token before = around[0], t = around[1], after = around[2];
  bool in_braces = nesting->count > 0 && nesting->open[nesting->count - 1] == '{';
  bool statement = token_is(s, before, "function");
  bool field = token_is(s, before, "{") || token_is(s, before, ",") || token_is(s, before, ";");
  names->items = grown(names->items, names->count, &names->capacity, sizeof *names->items);
  names->items[names->count++] = (Name){
    .start = t.start,
    .end = t.end,
    .keyword = statement ? before.start : NO_KEYWORD,
    .in_constructor = in_braces && field && token_is(s, after, "="),
    .may_assign = token_is(s, after, ","),
    .assigned = token_is(s, after, "=") || (statement && token_is(s, after, "(")),
    .after_comma = token_is(s, before, ","),
    .which = (unsigned char)which,
  };
}

void names_find(const Source *s, NameList *names) {
  Lexer X = {.source = s, .at = s->body};
  Nesting nesting = {NULL, 0, 0};
  Token around[3] = {{.kind = TOKEN_END}, {.kind = TOKEN_END}, lexer_next(&X)};
  while (around[2].kind != TOKEN_END) {
    around[0] = around[1];
    around[1] = around[2];
    around[2] = lexer_next(&X);
    nest(&nesting, s, around[1]);
    int which = which_name(s, around[1]);
    if (which < NAMES && !is_no_variable(s, around[0], around[2])) add_name(names, s, &nesting, which, around);
  }
  free(nesting.open);
}

static int compare_start(const void *start, const void *name) {
  size_t a = *(const size_t *)start, b = ((const Name *)name)->start;
  return (a > b) - (a < b);
}

const Name *name_at(const NameList *names, size_t start) {
  return names->count == 0 ? NULL : bsearch(&start, names->items, names->count, sizeof *names->items, compare_start);
}

bool name_is_global(const NameList *names, const Name *name) {
  return name->role == ROLE_VARIABLE && name->free[name->which] && name->free[NAME_ENV] && !names->environment_assigned;
}

/* Only a value that ends at once, or goes on with `or`. */
bool assigns_home_itself(const Source *s, const NameList *names, size_t at) {
  Lexer X = {.source = s, .at = at};
  if (!token_is(s, lexer_next(&X), "=")) return false;
  Token value = lexer_next(&X), after = lexer_next(&X);
  const Name *name = name_at(names, value.start);
  bool home = name != NULL && (name->which == NAME_HOME || name->which == NAME_MEMORY) && name_is_global(names, name);
  return home && (after.kind == TOKEN_END || (after.kind == TOKEN_NAME && !token_is(s, after, "and")) ||
                  token_is(s, after, ";") || token_is(s, after, "::"));
}
