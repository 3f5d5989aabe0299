/* What the commands share: options, errors, opening a store. */
#ifndef HEARTH_TOOL_COMMAND_H
#define HEARTH_TOOL_COMMAND_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "error.h"
#include "hearth_backend.h"

enum {
  STATUS_OK = 0,
  STATUS_FAILED = 1,  /* the script or the command failed */
  STATUS_USAGE = 2,   /* wrong usage */
  STATUS_NO_STORE = 3 /* the store, or the file to read, could not be opened, or its backend has no such thing */
};

#define DEFAULT_URI "file:home.hearth"

/* One option of a command. */
typedef struct Option {
  const char *name;   /* without "--"; NULL ends a list */
  bool *set;          /* for one without a value, else NULL */
  const char **value; /* for one with a value; both NULL: it may be given again and again, for call->modules */
} Option;

#define MOST_MODULES 32
#define TIME_TEXT 64

typedef struct Call {
  const char *command;
  const char *uri;     /* of the store */
  int argc;            /* arguments that are no options; argv[argc] is NULL */
  char **argv;
  const char *modules[MOST_MODULES]; /* to be registered before the store is opened */
  int module_count;
  const char *alias; /* the policy of the old name, or NULL */
  uint64_t at;       /* the batch after which the store is looked at; 0: as it is */
  unsigned keep;     /* commits that a compaction by itself keeps */
} Call;

typedef struct Command {
  const char *name, *summary, *arguments;
  const char *help; /* further lines, each with its line end */
  int (*run)(Call *call);
} Command;

/* The table of commands; ends with a NULL name. */
extern const Command commands[];

/*
** Takes the command's options out of call->argv, anywhere in it, or with `leading` before the first other argument
** only; checks that `least` to `most` others remain (-1: any number). False: the error was
** printed, or help, and *status is what to exit with.
*/
bool call_options(Call *call, const Option *options, bool leading, int least, int most, int *status);

/* Prints one line, "hearth: ...", on standard error; control characters become '?'. Answers `status`. */
int complain(int status, const char *format, ...) HEARTH_PRINTF(2, 3);

/* The same with what went wrong in the store or the file at `location`, which the line names. */
int complain_about(int status, const char *location, const hearth_error *err);

/* A hearth_warn that prints on standard error. */
void print_warning(void *ud, const char *message);

/* 0 when everything that was printed reached standard output, else complains. */
int finish_output(void);

/* May a file of that name be made? "-" would be taken for standard output. False: complained. */
bool option_new_file(const Call *call, const char *path);

/* Decimal number of an option's value; false: complained. */
bool option_number(const char *name, const char *text, unsigned long long most, unsigned long long *out);

/* The number of a commit, from 1, and how many of them; NULL: not given, nothing is changed. False: complained. */
bool option_at(const char *name, const char *text, uint64_t *at);
bool option_keep(const char *text, unsigned *keep);

/* "2026-11-23 16:40:00.123 UTC", or "never" for 0. */
void time_text(char out[TIME_TEXT], uint64_t milliseconds);

/* ------------------------------------------------------------------ store */

/* The backends that were built beside the library's own; the last is followed by NULL. */
extern const hearth_backend *const command_backends[];

typedef struct Storage {
  const hearth_backend *backend;
  hearth_backend_store *store;
  char location[4352]; /* as it may be shown: without passwords */
} Storage;

/* Opens the store of the call with HEARTH_OPEN_... flags; complains and answers a status to exit with, or 0. */
int storage_open(const Call *call, unsigned flags, Storage *out);

/* Closes; complains when that fails. Answers 0 or STATUS_FAILED. */
int storage_close(Storage *s);

/* ---------------------------------------------------------------- commands */

int command_run(Call *call);
int command_eval(Call *call);
int command_repl(Call *call);
int command_ls(Call *call);
int command_get(Call *call);
int command_dump(Call *call);
int command_verify(Call *call);
int command_salvage(Call *call);
int command_stat(Call *call);
int command_log(Call *call);
int command_diff(Call *call);
int command_copy(Call *call);
int command_compact(Call *call);
int command_export(Call *call);
int command_import(Call *call);
int command_import_legacy(Call *call);
int command_export_legacy(Call *call);
int command_migrate(Call *call);

#endif
