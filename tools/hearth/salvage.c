/* hearth salvage: what can be read of a damaged file, in a new one. */
#include "salvage.h"

#include <inttypes.h>
#include <string.h>

#include "command.h"
#include "progress.h"

/* What could be read of nothing is a file that could not be opened. */
static int status_of(hearth_status code) {
  switch (code) {
    case HEARTH_NOTFOUND:
    case HEARTH_NOTSTORE:
    case HEARTH_VERSION: return STATUS_NO_STORE;
    default: return STATUS_FAILED;
  }
}

int command_salvage(Call *call) {
  const char *to = NULL;
  bool whole_batches = false;
  const Option options[] = {{"to", NULL, &to}, {"whole-batches", &whole_batches, NULL}, {NULL, NULL, NULL}};
  hearth_error err;
  SalvageReport r;
  int status;
  if (!call_options(call, options, false, 0, 1, &status)) return status;
  if (to == NULL) return complain(STATUS_USAGE, "salvage: --to NEWFILE is missing (try: hearth salvage --help)");
  if (!option_new_file(call, to)) return STATUS_USAGE;
  if (call->argc == 0 && strncmp(call->uri, "file:", 5) != 0)
    return complain(STATUS_USAGE, "salvage: %s is no store in a file (file:PATH)", call->uri);
  const char *from = call->argc > 0 ? call->argv[0] : call->uri + 5;
  if (strncmp(from, "file:", 5) == 0) from += 5;
  progress_watch("salvage");
  hearth_status outcome = file_salvage(NULL, NULL, from, to, whole_batches, print_warning, NULL, &r, &err);
  progress_watch_end();
  if (outcome != HEARTH_OK)
    return complain(status_of(err.code), "%s", err.message); /* it names the file, which may be either */
  (void)printf("%s: %" PRIu64 " entries, %" PRIu64 " of them out of damaged bytes; %" PRIu64 " bytes lost, %" PRIu64
               " bytes of a torn tail left out\n",
               to, r.entries, r.rescued, r.lost_bytes, r.tail_bytes);
  if (r.broken > 0)
    (void)printf("%s: batches that are not whole, or not provably: %" PRIu64 "; %s\n", to, r.broken,
                 whole_batches ? "nothing of them was taken"
                               : "what is left of them was taken (--whole-batches leaves it out)");
  return finish_output();
}
