/* hearth diff: what changed between two stores, blobs or commits, by path. The exit status is that of diff(1). */
#include "diff.h"

#include <string.h>

#include "diff_print.h"
#include "format.h"
#include "hearth.h"
#include "look.h"
#include "progress.h"

enum { DIFF_EQUAL = 0, DIFF_DIFFERENT = 1, DIFF_TROUBLE = 2 };

typedef struct Operand {
  Call call;
  Look look;
  bool blob;
  char uri[4352]; /* of a file that is a store */
} Operand;

static bool is_uri(const char *text) {
  const char *location;
  return hearth_backend_for_uri(text, command_backends, &location, NULL) != NULL;
}

static bool is_store_file(const char *path) {
  unsigned char magic[LOG_MAGIC_SIZE];
  FILE *file = fopen(path, "rb");
  if (file == NULL) return false;
  bool is = fread(magic, 1, sizeof magic, file) == sizeof magic && memcmp(magic, LOG_MAGIC, LOG_MAGIC_SIZE) == 0;
  (void)fclose(file);
  return is;
}

/* A URI, a file that is a store, or a file that holds a blob. False: complained. */
static bool choose(Operand *o, const Call *call, const char *text, uint64_t at) {
  o->call = *call;
  o->call.at = at;
  if (text == NULL || is_uri(text)) {
    if (text != NULL) o->call.uri = text;
    return true;
  }
  o->blob = !is_store_file(text);
  o->call.uri = text;
  if (o->blob && at != 0) {
    (void)complain(STATUS_USAGE, "diff: %s: a blob has no commits", text);
    return false;
  }
  if (!o->blob && snprintf(o->uri, sizeof o->uri, "file:%s", text) >= (int)sizeof o->uri) {
    (void)complain(STATUS_USAGE, "diff: the name of a file is too long");
    return false;
  }
  if (!o->blob) o->call.uri = o->uri;
  return true;
}

static int open_operand(Operand *o) {
  return o->blob ? look_at_blob(o->call.uri, &o->look) : look_at_store(&o->call, &o->look);
}

typedef struct Run {
  DiffPrinter printer;
  Progress progress;
} Run;

static bool on_difference(void *ud, const Difference *d) {
  Run *r = ud;
  progress_end(&r->progress); /* its line makes room */
  return print_difference(&r->printer, d);
}

static void on_step(void *ud, uint64_t done) {
  Run *r = ud;
  progress_step(&r->progress, done);
}

static int compare(Operand *a, Operand *b, bool json) {
  hearth_error err;
  Run r = {.printer = {.json = json, .err = &err}};
  Diff diff = {.found = on_difference, .step = on_step, .ud = &r};
  progress_begin(&r.progress, "diff", "objects");
  if (json) (void)putchar('[');
  hearth_status status = diff_views(&a->look.view, &b->look.view, &diff, &err);
  if (status == HEARTH_OK) status = r.printer.status;
  if (json && status == HEARTH_OK) (void)fputs("\n]\n", stdout); /* JSON that is cut short must not look whole */
  progress_end(&r.progress);
  if (status != HEARTH_OK) {
    (void)complain(DIFF_TROUBLE, "%s and %s: %s", a->look.location, b->look.location, err.message);
    return DIFF_TROUBLE;
  }
  if (finish_output() != STATUS_OK) return DIFF_TROUBLE;
  return diff.differences > 0 ? DIFF_DIFFERENT : DIFF_EQUAL;
}

static int compare_operands(Operand *a, Operand *b, bool json) {
  if (open_operand(a) != STATUS_OK) return DIFF_TROUBLE;
  int status = open_operand(b) == STATUS_OK ? STATUS_OK : DIFF_TROUBLE;
  if (status == STATUS_OK) {
    status = compare(a, b, json);
    if (look_end(&b->look, STATUS_OK) != STATUS_OK) status = DIFF_TROUBLE;
  }
  return look_end(&a->look, STATUS_OK) != STATUS_OK ? DIFF_TROUBLE : status;
}

int command_diff(Call *call) {
  static Operand a, b; /* large */
  bool json = false;
  const char *at = NULL, *to = NULL;
  const Option options[] = {{"json", &json, NULL}, {"at", NULL, &at}, {"to", NULL, &to}, {NULL, NULL, NULL}};
  uint64_t at_a = 0, at_b = 0;
  int status;
  if (!call_options(call, options, false, 0, 2, &status)) return status;
  if (!option_at("at", at, &at_a) || !option_at("to", to, &at_b)) return STATUS_USAGE;
  if (json && !diff_json_available())
    return complain(DIFF_TROUBLE, "diff: this program was built without Jansson, so without --json");
  if (call->argc == 1) return complain(STATUS_USAGE, "diff: two are compared, or with --at two commits of the store");
  if (call->argc == 0 && at_a == 0) return complain(STATUS_USAGE, "diff: --at SEQ, or two to compare, is missing");
  if (!choose(&a, call, call->argv[0], at_a)) return STATUS_USAGE;
  if (!choose(&b, call, call->argc > 1 ? call->argv[1] : NULL, at_b)) return STATUS_USAGE;
  return compare_operands(&a, &b, json);
}
