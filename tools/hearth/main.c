/* hearth: stores from the shell. The commands are a table; each has a file of its own. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "hearth.h"

#define AT_OPTION "  --at SEQ        what was there after this commit, of those that log lists\n"

#define SCRIPT_OPTIONS                                                                             \
  "  -l MODULE       requires the module and registers it, so that its functions and classes are\n" \
  "                  stored by name; may be given again (also --module MODULE)\n"                  \
  "  --readonly      takes no lock; a script that changes something fails\n"                         \
  "  --alias POLICY  the global Memory, the old name of _home: off (default), on, or track, which\n" \
  "                  warns of each place that uses it\n"                                           \
  "  --keep N        where the store is compacted by itself, its last N commits stay (default: 0)\n"

const Command commands[] = {
  {"run", "Runs a Lua script with _home and ext; commits when it returns, rolls back when it raises",
   "SCRIPT [ARGS...]",
   "SCRIPT - is standard input. ARGS are `...` and the table `arg`, as for lua. Options stand before SCRIPT.\n\n"
   SCRIPT_OPTIONS,
   command_run},
  {"eval", "Runs Lua code like run, and prints what it returns", "CODE [ARGS...]",
   "CODE may be an expression. ARGS are `...`. Options stand before CODE, and -- before a CODE\n"
   "that begins with a minus.\n\n" SCRIPT_OPTIONS, command_eval},
  {"repl", "Reads lines of Lua and runs them; commits after each that succeeds, rolls back one that raises", "",
   "What goes on over several lines is read to its end, as in lua. Inside, .help says more.\n\n"
   SCRIPT_OPTIONS, command_repl},
  {"ls", "Lists what the table at a path holds", "[PATH]",
   "PATH is as errors print it: players[3].inventory[\"a b\"]; ^name is an upvalue, ^metatable the metatable.\n\n"
   AT_OPTION,
   command_ls},
  {"get", "Prints the value at a path", "PATH",
   "  --raw           a string's bytes as they are, without quotes and line end\n"
   "  --depth N       tables nested deeper than N are named, not printed (default: 16)\n" AT_OPTION,
   command_get},
  {"dump", "Prints everything in a store, or in a file that holds a blob", "[BLOBFILE]",
   "  --json          as one JSON array, an element a line\n"
   "  --frames        the frames of the file instead of what they add up to\n" AT_OPTION,
   command_dump},
  {"verify", "Reads everything and says what is wrong with it", "",
   "The exit status is 0 when all of it is whole. A store that somebody writes meanwhile may have half a batch at its\n"
   "end.\n\n", command_verify},
  {"salvage", "Copies what is readable in a damaged file to a new one", "[FILE] --to NEWFILE",
   "FILE is the damaged one (default: the store's). It is not changed.\n\n"
   "  --to NEWFILE    where what is found goes; it must not exist\n"
   "  --whole-batches leaves out what is left of batches that are not whole, one half of a transfer, say\n",
   command_salvage},
  {"stat", "Prints the figures of a store", "",
   "  --digest        reads everything, for the digest that copy prints\n"
   "  --html FILE     writes a page about what takes the space instead; FILE must not exist, - is standard output\n"
   AT_OPTION, command_stat},
  {"log", "Lists the commits that are still in the store: number, time, bytes, operations", "",
   "The first one may be what a compaction made of all before it. Stores of the file backend keep commits until they\n"
   "are compacted, of the others none does.\n\n"
   "  --json          as one JSON array, an element a line\n", command_log},
  {"diff", "Prints what differs between two stores, files that hold blobs, or commits, by path", "[A B]",
   "A and B are URIs of stores, files of stores, or files that hold blobs; with --at alone, the store at that commit\n"
   "and now. A line each: + added, - removed, ~ changed, & an object that stands at two paths on one side only.\n"
   "The exit status is 0 where nothing differs, 1 where something does, 2 for all that failed.\n\n"
   "  --at SEQ        A as it was after this commit, of those that log lists\n"
   "  --to SEQ        B as it was after this commit\n"
   "  --json          as one JSON array, an element a line\n", command_diff},
  {"compact", "Gives back the space of what is no longer in use", "",
   "  --keep N        keeps the last N commits readable\n", command_compact},
  {"export", "Writes everything to a new file in canonical form", "FILE", AT_OPTION, command_export},
  {"import", "Reads a file that export wrote into an empty store", "FILE", "", command_import},
  {"copy", "Makes one store what another is, whatever keeps them, and checks both", "[--from URI] --to URI",
   "The destination must be empty. It becomes a store when all of it is written, read again and found equal; until\n"
   "then everything refuses it, and the same command goes on where it was stopped or failed.\n\n"
   "  --from URI      the source (default: the store); it is only read\n"
   "  --to URI        the destination\n"
   "  --replace       a destination that is not empty is replaced, at once: what differs is written as one batch,\n"
   "                  and when that fails it is what it was\n",
   command_copy},
  {"import-legacy", "Reads what the legacy runtime cu stored into an empty store", "DUMP.json",
   "DUMP.json (- is standard input) is what getAll() of its IndexedDB gives, as JSON: a list of records, or a dump\n"
   "of the database with objectStores. What is damaged is left out and reported, and the rest imported: the exit\n"
   "status is 0 then too. Where all of it fails, nothing is stored. Nothing that is imported is run. Half of a\n"
   "surrogate pair (\\ud800) becomes U+FFFD; a number out of a double's range (1e400) is an error.\n\n"
   "  --report        prints all there is to say about it: table, key, what, message; a line each\n"
   "  --home ID       the number of the home table, where the metadata does not tell it\n"
   "  --keys KIND     texts of numbers as keys: integer (default) takes those of integers for integers, number\n"
   "                  those of floats for floats too, text leaves all\n"
   "  --unreachable NAME  keeps tables that nothing refers to, in _home[NAME]\n",
   command_import_legacy},
  {"export-legacy", "Writes records that the legacy runtime cu reads, as JSON", "[FILE]",
   "FILE must not exist (- or none: standard output). The store is loaded into a Lua state for it, and only read. No\n"
   "function of it is called, but for those that rebuild values (__persist) and finalizers.\n\n"
   "  --report        prints what such records cannot hold, on standard error: table, key, what, message; a line each\n"
   "  --runtime V     2.1 (default), or 2.0, which knows no tables in tables\n"
   "  --uint8array    bytes as {\"$uint8array\": [...]} instead of {\"_type\": \"binary\", \"data\": [...]}\n",
   command_export_legacy},
  {"migrate", "Rewrites uses of the global Memory, the old name, to _home in Lua sources", "FILE...",
   "FILE is a source, a folder (every *.lua below it), or - for standard input. Without an option a diff is\n"
   "printed and nothing is changed. What cannot be decided is listed on standard error.\n\n"
   "  --write         rewrites the files; one that is read-only, or has other names (hard links), is an error\n"
   "  --check         prints the places instead. Exit status 1: a use of the global is left, one to rewrite or one\n"
   "                  to be changed by hand: where a local _home hides the new name or the file assigns a global\n"
   "                  _home, _G.Memory, _ENV.Memory, and where a limit of the compiler leaves it undecided.\n"
   "                  What else is listed may be a use, and does not count\n",
   command_migrate},
  {NULL, NULL, NULL, NULL, NULL},
};

static void print_usage(FILE *out) {
  (void)fputs("usage: hearth [--store URI] COMMAND [ARGUMENTS]\n\n"
              "Durable Lua tables: runs programs on a store, and looks into it.\n\n", out);
  for (const Command *c = commands; c->name != NULL; c++)
    (void)fprintf(out, "  %-13s %s\n", c->name, c->summary);
  (void)fputs("\n"
              "  --store URI     the store: file:PATH, memory:, sqlite:PATH, postgresql://HOST/DATABASE#NAME\n"
              "                  (default: $HEARTH_STORE, else " DEFAULT_URI ")\n"
              "  --help          this text; after a command, about it\n"
              "  --version       the version\n\n"
              "Exit status: 0 success, 1 the command or its script failed, 2 wrong usage,\n"
              "3 the store (or the file to read) could not be opened, or its backend has no such thing.\n"
              "diff has its own: 0 equal, 1 not, 2 all else.\n"
              "ls, get, dump, stat, log, diff, verify, salvage and export only read, and run nothing that is stored.\n"
              "export-legacy only reads, and loads the store into Lua; import-legacy runs nothing that it imports.\n",
              out);
}

static const Command *find(const char *name) {
  for (const Command *c = commands; c->name != NULL; c++)
    if (strcmp(c->name, name) == 0) return c;
  return NULL;
}

/* A stream that is closed gives its number to the next file or socket; so it is opened, and fails as a closed one. */
static bool occupy_standard_streams(void) {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
    if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF) continue;
    if (open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd) return false;
  }
  return true;
}

int main(int argc, char **argv) {
  if (!occupy_standard_streams()) return STATUS_FAILED; /* there is nowhere to say it */
  const char *environment = getenv("HEARTH_STORE");
  Call call = {.uri = environment != NULL && *environment != '\0' ? environment : DEFAULT_URI};
  int i = 1;
  (void)signal(SIGPIPE, SIG_IGN); /* a reader that goes away is a failed write, and a store is closed in order */
  for (; i < argc && argv[i][0] == '-'; i++) {
    if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
      print_usage(stdout);
      return finish_output();
    }
    if (strcmp(argv[i], "--version") == 0) {
      (void)printf("hearth %s\n", hearth_version());
      return finish_output();
    }
    if (strncmp(argv[i], "--store=", 8) == 0)
      call.uri = argv[i] + 8;
    else if (strcmp(argv[i], "--store") == 0 && i + 1 < argc)
      call.uri = argv[++i];
    else if (strcmp(argv[i], "--store") == 0)
      return complain(STATUS_USAGE, "a value is missing after --store (try: hearth --help)");
    else
      return complain(STATUS_USAGE, "unknown option %s (try: hearth --help)", argv[i]);
  }
  if (i == argc) {
    print_usage(stderr);
    return STATUS_USAGE;
  }
  const Command *c = find(argv[i]);
  if (c == NULL) return complain(STATUS_USAGE, "unknown command '%s' (try: hearth --help)", argv[i]);
  call.command = c->name;
  call.argc = argc - i - 1;
  call.argv = argv + i + 1;
  return c->run(&call);
}
