/* hearth migrate: shows, writes or checks for what is left of the old name in Lua sources. */
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "command.h"
#include "migrate.h"

typedef struct Migration {
  lua_State *L; /* compiles only */
  bool write, check;
  size_t files, changed, rewritten, left, listed; /* uses that are left, and all places that are listed */
} Migration;

static int compare_findings(const void *a, const void *b) {
  const Finding *x = a, *y = b;
  if (x->at != y->at) return x->at < y->at ? -1 : 1;
  return (int)x->reason - (int)y->reason;
}

static int show(const Migration *M, const char *path, const Source *source, const FindingList *findings, bool changed) {
  int status = STATUS_OK;
  Buffer after;
  buffer_init(&after, &hearth_libc_allocator);
  rewrite(source, findings, &after);
  if (M->check)
    findings_print(stdout, source, findings, true);
  else if (M->write && strcmp(path, "-") == 0)
    (void)fwrite(after.data, 1, after.size, stdout);
  else if (M->write && changed)
    status = file_replace(path, source, &after);
  else if (changed)
    diff_print(stdout, source, &after);
  buffer_free(&after);
  (void)fflush(stdout); /* before what is listed on standard error */
  return status;
}

/* Where a global _home is something else already, Memory would become the same variable: nothing is rewritten there. */
static void hold_back(FindingList *findings) {
  bool other_home = false;
  for (size_t i = 0; i < findings->count; i++) other_home |= findings->items[i].reason == HOME_ASSIGNED;
  for (size_t i = 0; other_home && i < findings->count; i++)
    if (findings->items[i].reason == REWRITTEN) findings->items[i].reason = LEFT_OTHER_HOME;
}

/* Looks at a source that was read. */
static int migrate_source(Migration *M, const char *path, const Source *source, FindingList *findings,
                          Buffer *message) {
  NameList names = {NULL, 0, 0, false};
  size_t rewritten = 0, uses = 0;
  names_find(source, &names);
  bool ok = scope_decide(M->L, source, &names, findings, message);
  if (ok) suspects_find(source, &names, findings);
  free(names.items);
  if (!ok) return complain(STATUS_FAILED, "%s:%s", source->name, (const char *)message->data);
  hold_back(findings);
  if (findings->count > 0) qsort(findings->items, findings->count, sizeof *findings->items, compare_findings);
  for (size_t i = 0; i < findings->count; i++) {
    if (findings->items[i].reason == REWRITTEN) rewritten++;
    if (reasons[findings->items[i].reason].is_use) uses++;
  }
  int status = show(M, path, source, findings, rewritten > 0);
  findings_print(stderr, source, findings, false);
  if (status != STATUS_OK) return status;
  M->changed += rewritten > 0;
  M->rewritten += rewritten;
  M->left += uses - rewritten;
  M->listed += findings->count - rewritten;
  return STATUS_OK;
}

static int migrate_file(Migration *M, const char *path) {
  Source source;
  Buffer text, message;
  FindingList findings = {NULL, 0, 0};
  const char *name = strcmp(path, "-") == 0 ? "stdin" : path;
  buffer_init(&text, &hearth_libc_allocator);
  buffer_init(&message, &hearth_libc_allocator);
  int status = file_read(path, &text);
  if (status == STATUS_OK) {
    M->files++;
    source_open(&source, name, text.data != NULL ? (const char *)text.data : "", text.size);
    size_t code = source.body + (source.body < text.size && source.text[source.body] == '\n'); /* behind a first line */
    if ((code < text.size && source.text[code] == LUA_SIGNATURE[0]) ||
        (source.body < text.size && source.text[source.body] == LUA_SIGNATURE[0]))
      status = complain(STATUS_FAILED, "%s: a compiled chunk: migrate the source that it was made of", name);
    else
      status = migrate_source(M, path, &source, &findings, &message);
  }
  free(findings.items);
  buffer_free(&message);
  buffer_free(&text);
  return status;
}

static void summarise(const Migration *M) {
  const char *done = M->write ? "rewritten" : "to rewrite";
  (void)fprintf(stderr, "hearth: %zu file%s: %zu use%s of the global Memory %s in %zu file%s", M->files,
                M->files == 1 ? "" : "s", M->rewritten, M->rewritten == 1 ? "" : "s", done, M->changed,
                M->changed == 1 ? "" : "s");
  if (M->listed > 0) (void)fprintf(stderr, "; %zu place%s to look at", M->listed, M->listed == 1 ? "" : "s");
  if (M->left > 0)
    (void)fprintf(stderr, ", %zu of them %s that only you can change", M->left, M->left == 1 ? "a use" : "uses");
  (void)fputc('\n', stderr);
}

int command_migrate(Call *call) {
  Migration M = {.L = NULL};
  const Option options[] = {{"write", &M.write, NULL}, {"check", &M.check, NULL}, {NULL, NULL, NULL}};
  PathList paths = {NULL, 0, 0};
  int status = STATUS_OK;
  if (!call_options(call, options, false, 1, -1, &status)) return status;
  if (M.write && M.check) return complain(STATUS_USAGE, "migrate: --write or --check, not both");
  M.L = luaL_newstate();
  if (M.L == NULL) return complain(STATUS_FAILED, "%s", hearth_status_text(HEARTH_NOMEM));
  for (int i = 0; i < call->argc; i++) {
    int one = paths_add(&paths, call->argv[i]);
    if (one > status) status = one;
  }
  for (size_t i = 0; i < paths.count; i++) {
    int one = migrate_file(&M, paths.items[i]);
    if (one > status) status = one;
  }
  paths_free(&paths);
  lua_close(M.L);
  summarise(&M);
  if (status == STATUS_OK && M.check && M.rewritten + M.left > 0) status = STATUS_FAILED;
  int printed = finish_output();
  return status != STATUS_OK ? status : printed;
}
