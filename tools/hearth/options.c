/* Options and errors of every command. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "copy_uri.h"

int complain(int status, const char *format, ...) {
  hearth_error line;
  va_list args;
  va_start(args, format);
  hearth_vfail(&line, HEARTH_INVALID, HEARTH_NO_POSITION, format, args);
  va_end(args);
  (void)fflush(stdout);
  (void)fprintf(stderr, "hearth: %s\n", line.message);
  return status;
}

int complain_about(int status, const char *location, const hearth_error *err) {
  char shown[4352], message[sizeof err->message];
  (void)snprintf(shown, sizeof shown, "%s", location);
  (void)snprintf(message, sizeof message, "%s", err->message[0] != '\0' ? err->message : hearth_status_text(err->code));
  hide_passwords(shown, "");
  hide_passwords(message, " '\"");
  size_t n = strlen(shown);
  const char *place = strchr(shown, ':'); /* messages have a URI's place without its scheme */
  place = place != NULL && place[1] != '\0' ? place + 1 : shown;
  if (strstr(message, place) != NULL || n == 0) return complain(status, "%s", message);
  return complain(status, "%s%s %s", shown, shown[n - 1] == ':' ? "" : ":", message); /* memory: has a colon */
}

void print_warning(void *ud, const char *message) {
  (void)ud;
  (void)complain(STATUS_OK, "warning: %s", message);
}

int finish_output(void) {
  if (fflush(stdout) == 0 && !ferror(stdout)) return STATUS_OK;
  if (errno == EPIPE) return STATUS_FAILED; /* who reads, head say, has seen enough */
  return complain(STATUS_FAILED, "standard output: cannot write: %s", strerror(errno));
}

static bool read_number(const char *text, unsigned long long most, unsigned long long *out) {
  char *end;
  errno = 0;
  *out = strtoull(text, &end, 10);
  return text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0 && *out <= most;
}

bool option_number(const char *name, const char *text, unsigned long long most, unsigned long long *out) {
  if (read_number(text, most, out)) return true;
  complain(STATUS_USAGE, "--%s: '%s' is no number from 0 to %llu", name, text, most);
  return false;
}

static const Command *find_command(const char *name) {
  const Command *c = commands;
  while (c->name != NULL && strcmp(c->name, name) != 0) c++;
  return c->name != NULL ? c : NULL;
}

static void print_help(const Command *c) {
  (void)printf("usage: hearth [--store URI] %s%s%s\n\n%s.\n\n%s"
               "  --store URI     the store: file:PATH, memory:, sqlite:PATH, postgresql://HOST/DATABASE#NAME\n"
               "                  (default: $HEARTH_STORE, else " DEFAULT_URI ")\n"
               "  --help          this text\n",
               c->name, c->arguments[0] != '\0' ? " " : "", c->arguments, c->summary, c->help);
}

static bool usage_error(int *status, const Call *call, const char *what, const char *which) {
  *status = complain(STATUS_USAGE, "%s: %s%s (try: hearth %s --help)", call->command, what, which, call->command);
  return false;
}

/* Takes one option; *i is its index and becomes that of its last argument. */
static bool take_option(Call *call, const Option *options, int *i, int *status) {
  const char *name = strcmp(call->argv[*i], "-l") == 0 ? "module" : call->argv[*i] + 2;
  const char *equals = strchr(name, '=');
  size_t size = equals != NULL ? (size_t)(equals - name) : strlen(name);
  const Option store = {"store", NULL, &call->uri};
  const Option *o = size == 5 && strncmp(name, "store", 5) == 0 ? &store : options;
  while (o != &store && o->name != NULL && (strncmp(o->name, name, size) != 0 || o->name[size] != '\0')) o++;
  if (o->name == NULL) return usage_error(status, call, "unknown option ", call->argv[*i]);
  if (o->set != NULL) {
    if (equals != NULL) return usage_error(status, call, "this option has no value: ", call->argv[*i]);
    *o->set = true;
    return true;
  }
  if (equals == NULL && call->argv[*i + 1] == NULL)
    return usage_error(status, call, "a value is missing after ", call->argv[*i]);
  const char *value = equals != NULL ? equals + 1 : call->argv[++*i];
  if (o->value != NULL) {
    *o->value = value;
  } else if (call->module_count < MOST_MODULES) {
    call->modules[call->module_count++] = value;
  } else {
    return usage_error(status, call, "too many modules: ", value);
  }
  return true;
}

bool call_options(Call *call, const Option *options, bool leading, int least, int most, int *status) {
  int kept = 0;
  bool over = false;
  for (int i = 0; i < call->argc; i++) {
    char *argument = call->argv[i];
    if (!over && (strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0)) {
      print_help(find_command(call->command));
      *status = finish_output();
      return false;
    }
    if (!over && strcmp(argument, "--") == 0) {
      over = true;
    } else if (!over && (strncmp(argument, "--", 2) == 0 || strcmp(argument, "-l") == 0)) {
      if (!take_option(call, options, &i, status)) return false;
    } else if (!over && argument[0] == '-' && argument[1] != '\0') {
      return usage_error(status, call, "unknown option ", argument);
    } else {
      call->argv[kept++] = argument;
      over = over || leading;
    }
  }
  call->argc = kept;
  call->argv[kept] = NULL;
  if (kept < least) return usage_error(status, call, "an argument is missing", "");
  if (most < 0 || kept <= most) return true;
  hide_passwords(call->argv[most], ""); /* it may be the URI that belongs behind --store */
  return usage_error(status, call, "no place for the argument ", call->argv[most]);
}

bool option_new_file(const Call *call, const char *path) {
  if (strcmp(path, "-") != 0) return true;
  complain(STATUS_USAGE, "%s: what is made is a file, not standard output (./- is a file of that name)", call->command);
  return false;
}

bool option_at(const char *name, const char *text, uint64_t *at) {
  unsigned long long n = 0;
  if (text == NULL) return true;
  if (!read_number(text, INT64_MAX, &n) || n == 0) {
    complain(STATUS_USAGE, "--%s: '%s' is no commit's number: they count from 1 (hearth log lists them)", name, text);
    return false;
  }
  *at = n;
  return true;
}

bool option_keep(const char *text, unsigned *keep) {
  unsigned long long n = 0;
  if (text == NULL) return true;
  if (!option_number("keep", text, 1000000, &n)) return false;
  *keep = (unsigned)n;
  return true;
}
