/* What migrate shows: a unified diff, and lists of places. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "migrate.h"

#define CONTEXT 3           /* unchanged lines around changed ones */
#define LONGEST_LINE 200    /* bytes of a source line in a list */

const ReasonInfo reasons[REASONS] = {
  [REWRITTEN] = {"the global Memory", true},
  [ASSIGNED] = {"the global itself is assigned: a store keeps the entries of its _home, not another table", false},
  [LEFT_HIDDEN] = {"the global Memory, but a local _home hides the new name here: rename the local", true},
  [LEFT_OTHER_HOME] = {"the global Memory, but this file assigns a global _home: rename that one", true},
  [LEFT_LOCAL_ENV] = {"a local _ENV is in scope: Memory may be a field of another table", false},
  [LEFT_ASSIGNED_ENV] = {"_ENV is assigned in this file: Memory may be a field of another table", false},
  [LEFT_LIMIT] = {"a limit of Lua's compiler is too near here to ask it what Memory is", true},
  [LEFT_STRING] = {"a string with the word Memory", false},
  [LEFT_FIELD] = {"a field Memory of the table of globals: the global Memory, to be changed by hand", true},
  [LEFT_PERHAPS_FIELD] = {"a field Memory of a local _G, which may be the table of globals", false},
  [LEFT_COMPUTED] = {"a computed field of the table of globals", false},
  [LEFT_GLOBALS] = {"the table of globals as a value", false},
  [LEFT_GLOBALS_NAME] = {"_G or _ENV as a string or a field: perhaps the table of globals", false},
  [LEFT_CODE] = {"code that is loaded when the program runs", false},
  [HOME_ASSIGNED] = {"a global _home is assigned: Memory would be the same variable with the new name", false},
};

void found(FindingList *findings, size_t at, Reason reason) {
  findings->items = grown(findings->items, findings->count, &findings->capacity, sizeof *findings->items);
  findings->items[findings->count++] = (Finding){at, reason};
}

void rewrite(const Source *source, const FindingList *findings, Buffer *out) {
  size_t at = 0;
  if (!buffer_reserve_exactly(out, source->size)) out_of_memory(); /* the new name is the shorter one */
  for (size_t i = 0; i < findings->count; i++) {
    const Finding *f = &findings->items[i];
    if (f->reason != REWRITTEN) continue;
    buffer_put(out, source->text + at, f->at - at);
    buffer_put(out, NEW_NAME, strlen(NEW_NAME));
    at = f->at + strlen(OLD_NAME);
  }
  buffer_put(out, source->text + at, source->size - at);
  if (out->failed) out_of_memory();
}

/* ------------------------------------------------------------------ places */

/* Follows the places of a source from its beginning on. */
typedef struct Place {
  size_t at, line, line_start;
} Place;

/* Lines end as Lua has them: CR, LF, or both in either order as one. */
static void go_to(Place *p, const Source *s, size_t at) {
  while (p->at < at) {
    char c = s->text[p->at++];
    if (c != '\n' && c != '\r') continue;
    if (p->at < at && s->text[p->at] != c && (s->text[p->at] == '\n' || s->text[p->at] == '\r')) p->at++;
    p->line++;
    p->line_start = p->at;
  }
}

/* The line without what would disturb a terminal. */
static void print_line(FILE *out, const Source *s, size_t start) {
  size_t i = start;
  for (; i < s->size && s->text[i] != '\n' && s->text[i] != '\r' && i - start < LONGEST_LINE; i++)
    (void)fputc(s->text[i] == '\t' ? ' ' : iscntrl((unsigned char)s->text[i]) ? '?' : s->text[i], out);
  (void)fputs(i - start == LONGEST_LINE ? "...\n" : "\n", out);
}

void findings_print(FILE *out, const Source *s, const FindingList *findings, bool rewritten) {
  Place p = {.line = 1};
  size_t lines[REASONS] = {0}; /* where each reason was given last */
  for (size_t i = 0; i < findings->count; i++) {
    Reason reason = findings->items[i].reason;
    go_to(&p, s, findings->items[i].at);
    if ((reason == REWRITTEN) != rewritten || lines[reason] == p.line) continue;
    lines[reason] = p.line;
    (void)fprintf(out, "%s:%zu:%zu: %s\n    ", s->name, p.line, p.at - p.line_start + 1, reasons[reason].text);
    print_line(out, s, p.line_start);
  }
}

/* -------------------------------------------------------------------- diff */

typedef struct Line {
  const char *start;
  size_t size; /* with its line end */
} Line;

/* The next line of [*at, end). */
static bool next_line(const char **at, const char *end, Line *line) {
  if (*at == end) return false;
  const char *stop = memchr(*at, '\n', (size_t)(end - *at));
  stop = stop != NULL ? stop + 1 : end;
  *line = (Line){*at, (size_t)(stop - *at)};
  *at = stop;
  return true;
}

typedef struct LineList {
  Line *items;
  size_t count, capacity;
} LineList;

static LineList split(const char *text, size_t size) {
  LineList list = {NULL, 0, 0};
  const char *at = text, *end = text + size;
  Line line;
  while (size > 0 && next_line(&at, end, &line)) {
    list.items = grown(list.items, list.count, &list.capacity, sizeof *list.items);
    list.items[list.count++] = line;
  }
  return list;
}

static bool same(const Line *a, const Line *b) {
  return a->size == b->size && /* NOLINT(*NullDereference): lines that were counted */
         memcmp(a->start, b->start, a->size) == 0;
}

static void print_diff_line(FILE *out, char mark, const Line *line) {
  (void)fputc(mark, out);
  (void)fwrite(line->start, 1, line->size, out);
  if (line->start[line->size - 1] != '\n') (void)fputs("\n\\ No newline at end of file\n", out);
}

/* Names with control characters, quotes or backslashes as git and patch quote them; a tab ends one with spaces. */
static void print_name(FILE *out, const char *mark, const char *name) {
  bool quoted = false;
  for (const char *c = name; *c != '\0'; c++) quoted |= iscntrl((unsigned char)*c) || *c == '"' || *c == '\\';
  (void)fputs(mark, out);
  if (!quoted) {
    (void)fprintf(out, "%s%s\n", name, strchr(name, ' ') != NULL ? "\t" : "");
    return;
  }
  (void)fputc('"', out);
  for (const char *c = name; *c != '\0'; c++) {
    if (iscntrl((unsigned char)*c))
      (void)fprintf(out, "\\%03o", (unsigned)(unsigned char)*c);
    else
      (void)fprintf(out, *c == '"' || *c == '\\' ? "\\%c" : "%c", *c);
  }
  (void)fputs("\"\n", out);
}

/* Lines [first, last) of a hunk: runs of changed lines, first as they were and then as they are. */
static void print_hunk(FILE *out, const LineList *a, const LineList *b, size_t first, size_t last) {
  char range[48];
  (void)snprintf(range, sizeof range, last - first == 1 ? "%zu" : "%zu,%zu", first + 1, last - first);
  (void)fprintf(out, "@@ -%s +%s @@\n", range, range);
  for (size_t i = first; i < last;) {
    size_t end = i;
    while (end < last && !same(&a->items[end], &b->items[end])) end++;
    for (size_t k = i; k < end; k++) print_diff_line(out, '-', &a->items[k]);
    for (size_t k = i; k < end; k++) print_diff_line(out, '+', &b->items[k]);
    if (end == i) print_diff_line(out, ' ', &a->items[end++]);
    i = end;
  }
}

void diff_print(FILE *out, const Source *before, const Buffer *after) {
  LineList a = split(before->text, before->size), b = split((const char *)after->data, after->size);
  size_t first = 0, last = 0; /* of the hunk that was begun; equal: none */
  print_name(out, "--- ", before->name);
  print_name(out, "+++ ", before->name);
  for (size_t i = 0; i < a.count; i++) {
    if (same(&a.items[i], &b.items[i])) continue;
    if (last > first && i > last + CONTEXT) {
      print_hunk(out, &a, &b, first, last);
      first = last;
    }
    if (last == first) first = i > CONTEXT ? i - CONTEXT : 0;
    last = a.count - i > CONTEXT ? i + 1 + CONTEXT : a.count;
  }
  if (last > first) print_hunk(out, &a, &b, first, last);
  free(a.items);
  free(b.items);
}
