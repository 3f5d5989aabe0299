/*
** What `hearth dump` makes of bytes, as text and as JSON, without Lua: of a blob, of a store's file (with its
** frames), of a store's entries (entries.h), as the first bytes say. The JSON of what could be read is JSON.
** lib/view's verify and paths read the same. The command's own sources are linked; its options, messages and
** opening are here.
*/
#include "dump.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <jansson.h>

#include "blob_mutator.h"
#include "command.h"
#include "hearth_testkit_disk.h"
#include "entries.h"
#include "log_mutator.h"
#include "look.h"
#include "progress.h"
#include "verify.h"

#define PLACE "/world.hearth"

static const uint8_t *input;
static size_t input_size;
static const hearth_backend *backend;
static hearth_backend_store *store; /* NULL: the input is a blob */
static bool as_json, as_frames;
static FuzzMemory memory; /* of what reads: views, and the backend of a file */
static hearth_allocator allocator = {fuzz_alloc, &memory};

/* ------------------------------------------------- what the command has of its own */

bool call_options(Call *call, const Option *options, bool leading, int least, int most, int *status) {
  (void)call, (void)leading, (void)least, (void)most, (void)status;
  for (; options->name != NULL; options++)
    if (options->set != NULL) *options->set = strcmp(options->name, "json") == 0 ? as_json : as_frames;
  return true;
}

bool option_at(const char *name, const char *text, uint64_t *at) {
  (void)name, (void)at;
  return text == NULL;
}

int complain(int status, const char *format, ...) {
  FUZZ_CHECK(status != STATUS_OK && format[0] != '\0');
  return status;
}

int complain_about(int status, const char *location, const hearth_error *err) {
  FUZZ_CHECK(status != STATUS_OK && location != NULL && err->code != HEARTH_OK && err->message[0] != '\0');
  return status;
}

int finish_output(void) {
  return fflush(stdout) == 0 ? STATUS_OK : STATUS_FAILED;
}

void progress_begin(Progress *p, const char *what, const char *unit) {
  (void)p, (void)what, (void)unit;
}

void progress_step(Progress *p, uint64_t done) {
  (void)p, (void)done;
}

void progress_end(Progress *p) {
  (void)p;
}

int look_at_store(const Call *call, Look *look) {
  hearth_error e;
  memset(look, 0, sizeof *look);
  look->location = call->uri;
  look->storage.backend = backend;
  look->storage.store = store;
  if (view_open_store(&look->view, backend, store, &allocator, &e) == HEARTH_OK) return STATUS_OK;
  view_close(&look->view);
  return complain_about(STATUS_NO_STORE, look->location, &e);
}

int look_at_blob(const char *path, Look *look) {
  hearth_error e;
  memset(look, 0, sizeof *look);
  look->location = path;
  if (view_open_blob(&look->view, input, input_size, &allocator, &e) == HEARTH_OK) return STATUS_OK;
  view_close(&look->view);
  return complain_about(STATUS_NO_STORE, path, &e);
}

int look_end(Look *look, int status) {
  view_close(&look->view);
  return status;
}

/* ------------------------------------------------------------------- dump */

/* Standard output goes to memory meanwhile. JSON that ended well is parsed. */
static void dump(bool json, bool frames, const char *uri) {
  char *text = NULL, blob[] = "blob", *arguments[] = {blob, NULL};
  size_t size = 0;
  Call call = {.command = "dump", .uri = uri, .argv = arguments, .argc = store == NULL && !frames};
  FILE *kept = stdout;
  as_json = json;
  as_frames = frames;
  stdout = open_memstream(&text, &size);
  FUZZ_CHECK(stdout != NULL);
  int status = command_dump(&call);
  FUZZ_CHECK(fclose(stdout) == 0);
  stdout = kept;
  if (json && status == STATUS_OK) {
    json_error_t e;
    json_t *j = json_loadb(text, size, JSON_ALLOW_NUL, &e);
    if (j == NULL) fuzz_fail("the JSON is none, byte %d: %s", e.position, e.text);
    json_decref(j);
  }
  free(text);
}

/* ---------------------------------------------------------- other readers */

static void on_problem(void *ud, const char *message) {
  FUZZ_CHECK(strchr(message, '\n') == NULL);
  (*(uint64_t *)ud)++;
}

static void on_step(void *ud, uint64_t done) {
  (void)ud, (void)done;
}

static void read_otherwise(void) {
  static const char *const paths[] = {"", "[1]", "[1].x", "external.a", "external[1]",
                                      "external.t[2][1]", "self.self.map.k7", "[2]^metatable.__index",
                                      "[1][1]^1", "[5][1]^_ENV.print", "list[40]", "long"};
  hearth_error e;
  View v;
  hearth_status status = store != NULL ? view_open_store(&v, backend, store, &allocator, &e)
                                       : view_open_blob(&v, input, input_size, &allocator, &e);
  for (size_t i = 0; status == HEARTH_OK && i < sizeof paths / sizeof *paths; i++) {
    ViewTarget t;
    view_target_init(&t, &v);
    (void)view_resolve(&t, paths[i], &e);
    view_target_free(&t);
  }
  if (status == HEARTH_OK && store != NULL) {
    uint64_t problems = 0;
    ViewVerify verify = {.problem = on_problem, .step = on_step, .ud = &problems};
    (void)view_verify(&v, &verify, &e);
    FUZZ_CHECK(problems == verify.problems);
  }
  view_close(&v);
}

static void read_all(void) {
  dump(false, false, "the input");
  dump(true, false, "the input");
  read_otherwise();
}

/* ------------------------------------------------------------------ files */

/* The frames are read from a file of the system: one without a name. */
static void dump_frames_of_input(void) {
  char uri[64];
  int file = memfd_create("fuzz", 0);
  FUZZ_CHECK(file >= 0 && write(file, input, input_size) == (ssize_t)input_size);
  (void)snprintf(uri, sizeof uri, "file:/proc/self/fd/%d", file);
  dump(false, true, uri);
  dump(true, true, uri);
  FUZZ_CHECK(close(file) == 0);
}

static void read_file(void) {
  hearth_error e;
  hearth_disk *disk = hearth_disk_new();
  hearth_disk_put(disk, PLACE, input, input_size);
  hearth_backend_config config = {.size = sizeof config, .location = PLACE, .flags = HEARTH_OPEN_READONLY,
                                  .allocator = allocator,
                                  .environment = hearth_disk_environment(disk)};
  dump_frames_of_input();
  backend = &hearth_file_backend;
  if (hearth_file_backend.open(&config, &store, &e) == HEARTH_OK) {
    read_all();
    (void)hearth_file_backend.close(store, &e);
  }
  hearth_disk_free(disk);
}

static void read_entries(void) {
  backend = &hearth_memory_backend;
  store = entries_open(input, input_size);
  read_all();
  (void)hearth_memory_backend.close(store, NULL);
}

static bool begins(const char *with, size_t length) {
  return input_size >= length && memcmp(input, with, length) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  input = data;
  input_size = size;
  store = NULL;
  memory.largest = fuzz_largest(size);
  if (begins("\xCEHth", 4)) read_all();
  else if (begins("\x89HLOG", 5)) read_file();
  else read_entries();
  FUZZ_CHECK(memory.used == 0);
  return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed) {
  size_t mutated = 0;
  input = data;
  input_size = size;
  if (begins("\xCEHth", 4)) mutated = seed % 4 != 0 ? blob_mutate(data, size, max_size, seed) : 0;
  else if (begins("\x89HLOG", 5)) return log_mutate(data, size, max_size, seed);
  else if (seed % 4 != 0) mutated = entries_mutate(data, size, max_size, seed);
  return mutated > 0 ? mutated : LLVMFuzzerMutate(data, size, max_size);
}
