/*
** hearth migrate: the global Memory becomes _home in Lua sources.
**
** Which text is a name, the lexer says; what a name means, Lua's own compiler says: migrate_scope.c asks it by
** compiling variants of the source and looking at their stripped dumps. Nothing is ever run.
*/
#ifndef HEARTH_TOOL_MIGRATE_H
#define HEARTH_TOOL_MIGRATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <lua.h>

#include "buffer.h"
#include "error.h"

#define OLD_NAME "Memory"
#define NEW_NAME "_home"

typedef struct Source {
  const char *name; /* as the user gave it */
  const char *text;
  size_t size;
  size_t body; /* where Lua begins: behind a byte order mark and a first line that begins with '#' */
} Source;

/* Finds the body. */
void source_open(Source *source, const char *name, const char *text, size_t size);

/* Room for one more item in an array of `count`; ends the process when memory is exhausted: nothing is half done. */
void *grown(void *array, size_t count, size_t *capacity, size_t item);
_Noreturn void out_of_memory(void);

/* -------------------------------------------------------------- the lexer */

typedef enum TokenKind { TOKEN_END, TOKEN_NAME, TOKEN_STRING, TOKEN_NUMBER, TOKEN_OTHER } TokenKind;

/* Bytes [start, end) of the source. */
typedef struct Token {
  TokenKind kind;
  size_t start, end;
} Token;

/* A plain value: a copy of it reads ahead. */
typedef struct Lexer {
  const Source *source;
  size_t at;
} Lexer;

/* The next token, without comments. The source compiles: malformed tokens are not told from others. */
Token lexer_next(Lexer *lexer);

bool token_is(const Source *source, Token token, const char *text);

/* Does the string literal, after its escapes, contain Memory as a word; is it the text? */
bool string_has_name(const Source *source, Token literal);
bool string_is(const Source *source, Token literal, const char *text);

/* -------------------------------------------------------------- the names */

/* The names whose meaning is asked for: those that decide what is rewritten, and those that are only listed. */
enum { NAME_MEMORY, NAME_HOME, NAME_ENV, DECIDING_NAMES, NAME_GLOBALS = DECIDING_NAMES, NAME_LOADER, NAMES = 8 };

extern const char *const name_texts[NAMES]; /* from NAME_LOADER on: load and its like */

typedef enum Role {
  ROLE_UNKNOWN,     /* the compiler could not be asked: a limit of it is near */
  ROLE_DECLARATION, /* a local, a parameter, a variable of for */
  ROLE_KEY,         /* {Memory = 1} */
  ROLE_VARIABLE
} Role;

typedef struct Name {
  size_t start, end;
  size_t keyword;      /* of a statement `function NAME...` the place of that keyword, else NO_KEYWORD */
  bool in_constructor; /* stands where the lexer expects the key of a field */
  bool may_assign;     /* a comma follows: `Memory, x = 1, 2`, perhaps */
  bool assigned;       /* if it is a variable: `Memory =`, `function Memory(` */
  bool after_comma;
  unsigned char which; /* NAME_... */
  Role role;
  bool free[NAMES];    /* of a variable, at this place: are its own name, _ENV, and for Memory _home no locals? */
} Name;

#define NO_KEYWORD ((size_t)-1)

typedef struct NameList {
  Name *items;
  size_t count, capacity;
  bool environment_assigned; /* the chunk's own _ENV, anywhere */
} NameList;

/* The name that begins there; NULL: none does. */
const Name *name_at(const NameList *names, size_t start);

/* Is it the chunk's own variable of this name, a field of what its _ENV was first? Where unknown: no. */
bool name_is_global(const NameList *names, const Name *name);

/* Is what is assigned behind `at` the home table already, as in `_home = _home or {}` and `_home = Memory`? */
bool assigns_home_itself(const Source *source, const NameList *names, size_t at);

/* All of the names that are neither fields after '.' or ':' nor labels, in order; roles are not known yet. */
void names_find(const Source *source, NameList *names);

/* --------------------------------------------------------------- variants */

/* Text that stands for bytes [start, end) of the source in a variant of it. */
typedef struct Edit {
  size_t start, end;
  char text[160];
} Edit;

typedef struct EditList {
  Edit *items; /* in the order of the source */
  size_t count, capacity;
} EditList;

void edit(EditList *edits, size_t start, size_t end, const char *format, ...) HEARTH_PRINTF(4, 5);

/*
** Compiles the source with its edits, without running it, into a stripped dump, which replaces what `dump` holds.
** False: it does not compile, and the message, "LINE: what", stands at the top of L's stack.
*/
bool compile(lua_State *L, const Source *source, const EditList *edits, Buffer *dump);

/* --------------------------------------------------------------- findings */

typedef enum Reason {
  REWRITTEN, /* what is rewritten; all others are only listed */
  ASSIGNED,
  LEFT_HIDDEN,
  LEFT_OTHER_HOME,
  LEFT_LOCAL_ENV,
  LEFT_ASSIGNED_ENV,
  LEFT_LIMIT,
  LEFT_STRING,
  LEFT_FIELD,
  LEFT_PERHAPS_FIELD,
  LEFT_COMPUTED,
  LEFT_GLOBALS,
  LEFT_GLOBALS_NAME,
  LEFT_CODE,
  HOME_ASSIGNED,
  REASONS
} Reason;

typedef struct ReasonInfo {
  const char *text;
  bool is_use; /* of the global, as far as can be told: --check fails */
} ReasonInfo;

extern const ReasonInfo reasons[REASONS];

typedef struct Finding {
  size_t at; /* in the source */
  Reason reason;
} Finding;

typedef struct FindingList {
  Finding *items;
  size_t count, capacity;
} FindingList;

void found(FindingList *findings, size_t at, Reason reason);

/*
** Decides each use of Memory and gives the names their roles. False: the source does not compile, or the result cannot
** be proven right, and `message` (LINE: what) says so.
*/
bool scope_decide(lua_State *L, const Source *source, NameList *names, FindingList *findings, Buffer *message);

/* Finds what only a running program could decide: strings, fields of the globals table, code that is loaded. */
void suspects_find(const Source *source, const NameList *names, FindingList *findings);

/* ----------------------------------------------------------------- output */

/* The source with what was found to be rewritten rewritten. */
void rewrite(const Source *source, const FindingList *findings, Buffer *out);

/* Prints a unified diff of the two, which have the same number of lines. */
void diff_print(FILE *out, const Source *before, const Buffer *after);

/* Prints the places of the findings, in their order and each reason once a line: what is rewritten, or all else. */
void findings_print(FILE *out, const Source *source, const FindingList *findings, bool rewritten);

/* ------------------------------------------------------------------ files */

typedef struct PathList {
  char **items;
  size_t count, capacity;
} PathList;

/*
** Adds the path, or of a folder every *.lua below it, sorted; no links and nothing hidden in there. Complains, and
** answers a status to exit with, or 0.
*/
int paths_add(PathList *paths, const char *path);
void paths_free(PathList *paths);

/* Reads a file, or with "-" standard input, to the end. Complains: STATUS_NO_STORE. */
int file_read(const char *path, Buffer *out);

/* Puts the bytes in place of the file, or of what the link refers to, all or nothing. Complains: STATUS_FAILED. */
int file_replace(const char *path, const Source *before, const Buffer *after);

#endif
