/*
** hearth repl: each line is a transaction. What it prints through print and what it
** returns is shown; a line that raises, or whose changes cannot be committed, is rolled back.
*/
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lauxlib.h>

#include "script.h"

#ifdef HEARTH_HAVE_EDITLINE
#include <editline/readline.h>
#endif

#define PROMPT "> "
#define PROMPT_MORE ">> "

static const char help[] =
    "Each line is Lua. It may be an expression, whose value is printed, and may go on over several lines.\n"
    "_home is the home table. After a line that succeeds the store is committed; a line that raises is rolled back,\n"
    "and so is one whose changes cannot be committed. Locals live for one line, globals until the end.\n"
    "  .help   this text\n"
    "  .exit   ends, as the end of input does\n";

/* A line without its end, to be freed; NULL at the end of input. */
static char *read_line(const char *prompt) {
  char *line = NULL;
  size_t capacity = 0;
#ifdef HEARTH_HAVE_EDITLINE
  if (isatty(STDIN_FILENO) == 1) return readline(prompt);
#endif
  if (isatty(STDIN_FILENO) == 1) {
    (void)fputs(prompt, stdout);
    (void)fflush(stdout);
  }
  ssize_t n = getline(&line, &capacity, stdin);
  if (n < 0) {
    free(line);
    return NULL;
  }
  if (n > 0 && line[n - 1] == '\n') line[n - 1] = '\0';
  return line;
}

static void remember(const char *line) {
#ifdef HEARTH_HAVE_EDITLINE
  if (isatty(STDIN_FILENO) == 1 && *line != '\0') (void)add_history(line);
#else
  (void)line;
#endif
}

/* Does the message on the top say that the text ended too early? lua judges so too. */
static bool is_incomplete(lua_State *L, int loaded) {
  static const char mark[] = "<eof>";
  size_t size;
  if (loaded != LUA_ERRSYNTAX) return false;
  const char *message = lua_tolstring(L, -1, &size);
  return message != NULL && size >= sizeof mark - 1 && strcmp(message + size - (sizeof mark - 1), mark) == 0;
}

/* With the first line at index 1: leaves there the text so far, and pushes the function or the message. */
static int load_lines(lua_State *L) {
  const char *expression = lua_pushfstring(L, "return %s", lua_tostring(L, 1));
  if (luaL_loadbuffer(L, expression, strlen(expression), "=stdin") == LUA_OK) {
    lua_remove(L, -2);
    return LUA_OK;
  }
  lua_pop(L, 2);
  for (;;) {
    size_t size;
    const char *text = lua_tolstring(L, 1, &size);
    int loaded = luaL_loadbuffer(L, text, size, "=stdin");
    if (!is_incomplete(L, loaded)) return loaded;
    char *more = read_line(PROMPT_MORE);
    if (more == NULL) return loaded;
    lua_settop(L, 1);
    lua_pushfstring(L, "\n%s", more);
    free(more);
    lua_concat(L, 2);
  }
}

static int run_line(Script *s) {
  lua_State *L = s->L;
  if (load_lines(L) != LUA_OK) return complain(STATUS_FAILED, "%s", lua_tostring(L, -1));
  remember(lua_tostring(L, 1));
  int status = script_call(L, 0, LUA_MULTRET);
  if (status == STATUS_OK) status = script_print(L, 2);
  if (status == STATUS_OK) status = script_commit(s);
  if (status != STATUS_OK) script_rollback(s);
  return status;
}

/* The last line's outcome is the command's, when lines come from a file or a pipe. */
static int run_lines(Script *s) {
  int status = STATUS_OK;
  char *line;
  while ((line = read_line(PROMPT)) != NULL) {
    size_t space = strspn(line, " \t");
    const char *text = line + space;
    if (strcmp(text, ".exit") == 0) {
      free(line);
      break;
    }
    if (strcmp(text, ".help") == 0) {
      (void)fputs(help, stdout);
    } else if (*text != '\0') {
      lua_settop(s->L, 0);
      lua_pushstring(s->L, *text == '=' ? text + 1 : text);
      if (run_line(s) != STATUS_OK) status = STATUS_FAILED;
    }
    (void)fflush(stdout);
    free(line);
  }
  if (isatty(STDIN_FILENO) != 1) return status;
  (void)putchar('\n');
  return STATUS_OK;
}

int command_repl(Call *call) {
  bool readonly = false;
  const char *keep = NULL;
  const Option options[] = {{"module", NULL, NULL}, {"readonly", &readonly, NULL}, {"alias", NULL, &call->alias},
                            {"keep", NULL, &keep}, {NULL, NULL, NULL}};
  Script s;
  int status;
  if (!call_options(call, options, false, 0, 0, &status)) return status;
  if (!option_keep(keep, &call->keep)) return STATUS_USAGE;
  status = script_open(call, readonly ? HEARTH_OPEN_READONLY : 0, &s);
  if (status != STATUS_OK) return status;
  if (isatty(STDIN_FILENO) == 1)
    (void)printf("hearth %s, %s, %s: .help for help\n", hearth_version(), LUA_RELEASE, call->uri);
  status = run_lines(&s);
  if (status == STATUS_OK) status = finish_output();
  script_tell_memory(&s);
  return script_close(&s, status);
}
