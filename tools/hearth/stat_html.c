/* hearth stat --html: gathers what the page shows, and writes it. */
#include "stat_html.h"

#include <errno.h>
#include <string.h>

#include "page.h"
#include "progress.h"

static int take_batch(void *ud, const hearth_batch *batch) {
  Buffer *batches = ud;
  buffer_put(batches, batch, sizeof *batch);
  return batches->failed;
}

static hearth_status gather(PageFacts *f, Look *look, hearth_error *err) {
  const Storage *s = &look->storage;
  int failed = 0;
  hearth_status status = s->backend->stat(s->store, &f->stat, err);
  if (status == HEARTH_OK && hearth_backend_keeps_batches(s->backend))
    status = s->backend->history(s->store, take_batch, &f->batches, &failed, err);
  if (status == HEARTH_OK && failed != 0)
    status = hearth_fail(err, HEARTH_NOMEM, "%s", hearth_status_text(HEARTH_NOMEM));
  return status == HEARTH_OK ? account_make(&f->account, &look->view, err) : status;
}

/* A file that is there stays: it may be the store. */
static int write_page(const Buffer *page, const char *path) {
  if (strcmp(path, "-") == 0) {
    (void)fwrite(page->data, 1, page->size, stdout);
    return finish_output();
  }
  FILE *file = fopen(path, "wbx");
  if (file == NULL) return complain(STATUS_FAILED, "%s: cannot make it: %s", path, strerror(errno));
  bool written = fwrite(page->data, 1, page->size, file) == page->size;
  int code = errno;
  if (fclose(file) != 0) {
    code = written ? errno : code;
    written = false;
  }
  if (written) return STATUS_OK;
  (void)remove(path);
  return complain(STATUS_FAILED, "%s: cannot write: %s", path, strerror(code));
}

int stat_html(Look *look, const char *path) {
  hearth_error err;
  Buffer page;
  PageFacts f = {.look = look, .stat = {.size = sizeof f.stat}};
  buffer_init(&page, &hearth_libc_allocator);
  buffer_init(&f.batches, &hearth_libc_allocator);
  memset(&f.account, 0, sizeof f.account);
  progress_watch("stat");
  hearth_status status = gather(&f, look, &err);
  if (status == HEARTH_OK && !page_make(&page, &f))
    status = hearth_fail(&err, HEARTH_NOMEM, "%s", hearth_status_text(HEARTH_NOMEM));
  progress_watch_end();
  int result = status == HEARTH_OK ? write_page(&page, path) : complain_about(STATUS_FAILED, look->location, &err);
  account_free(&f.account);
  buffer_free(&f.batches);
  buffer_free(&page);
  return result;
}
