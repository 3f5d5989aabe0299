/* Callers that were compiled with older headers, and callers that want no error. */
#include "fixture.h"

static void a_stat_may_be_smaller(Fixture *f) {
  static const size_t sizes[] = {offsetof(hearth_backend_stat, durable), offsetof(hearth_backend_stat, entries),
                                 offsetof(hearth_backend_stat, live_bytes), offsetof(hearth_backend_stat, synced)};
  ANSWERS(f, HEARTH_OK, SUBMIT(f, put(1, "a", "x")));
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    unsigned char bytes[sizeof(hearth_backend_stat)];
    hearth_backend_stat stat;
    memset(&stat, 0x7f, sizeof stat);
    stat.size = sizes[i];
    ANSWERS(f, HEARTH_OK, kit_judged(f, f->backend->stat(f->store, &stat, kit_fresh(f))));
    EQUALS(f, 1, stat.sequence);
    EQUALS(f, sizes[i], stat.size);
    memcpy(bytes, &stat, sizeof bytes);
    for (size_t at = sizes[i]; at < sizeof bytes; at++)
      MUST(f, bytes[at] == 0x7f, "stat wrote byte %zu of a struct of %zu", at, sizes[i]);
  }
}

static void *no_memory(void *ud, void *ptr, size_t osize, size_t nsize) {
  (void)ptr;
  (void)osize;
  if (nsize > 0) NOTE((Fixture *)ud, "open used an allocator that its caller's config does not have");
  return NULL;
}

static void a_config_may_be_smaller(Fixture *f) {
  if (f->subject->environment != NULL || f->subject->backend_ud != NULL) return; /* they stand behind */
  ANSWERS(f, HEARTH_OK, SUBMIT(f, put(1, "a", "x")));
  kit_close_store(f);
  hearth_backend_config config = kit_config(f, 0);
  config.size = offsetof(hearth_backend_config, allocator);
  config.allocator = (hearth_allocator){no_memory, f};
  hearth_status status = kit_judged(f, f->backend->open(&config, &f->store, kit_fresh(f)));
  kit_judge(f);
  ANSWERS(f, HEARTH_OK, status);
  Text t;
  READS(f, f->subject->persistent ? "1/a=x " : "", kit_everything(f, &t));
  kit_close_store(f);
}

static void errors_may_be_null(Fixture *f) {
  const hearth_backend *b = f->backend;
  hearth_backend_store *other;
  hearth_backend_stat stat = {.size = sizeof stat};
  Text t = {.count = 0};
  int result;
  hearth_op op = put(1, "a", "x"), check = absent(1, "a"), wrong = put(HEARTH_MAX_TABLE + 1, "a", "x");
  ANSWERS(f, HEARTH_OK, kit_submit(f, &op, 1, 0));
  MUST(f, b->submit(f->store, &check, 1, 0, HEARTH_VISIBLE, NULL, NULL) == HEARTH_CONFLICT, "submit without an error");
  MUST(f, b->submit(f->store, &wrong, 1, 0, HEARTH_VISIBLE, NULL, NULL) == HEARTH_INVALID, "submit without an error");
  MUST(f, b->submit(f->store, NULL, 0, HEARTH_BATCH_ABANDON, HEARTH_VISIBLE, NULL, NULL) == HEARTH_OK, "abandon");
  MUST(f, b->get(f->store, 1, "a", 1, kit_write_down, &t, NULL) == HEARTH_OK, "get without an error");
  MUST(f, b->get(f->store, 1, "b", 1, kit_write_down, &t, NULL) == HEARTH_NOTFOUND, "get without an error");
  MUST(f, b->scan(f->store, 1, NULL, 0, NULL, 0, false, kit_write_down, &t, &result, NULL) == HEARTH_OK, "scan");
  MUST(f, b->tables(f->store, kit_write_down, &t, &result, NULL) == HEARTH_OK, "tables without an error");
  MUST(f, b->stat(f->store, &stat, NULL) == HEARTH_OK, "stat without an error");
  MUST(f, b->barrier(f->store, (hearth_durability)9, NULL) == HEARTH_INVALID, "barrier without an error");
  MUST(f, b->poll(f->store, NULL) == HEARTH_OK, "poll without an error");
  if (f->subject->persistent) {
    hearth_backend_config config = kit_config(f, 0);
    MUST(f, b->open(&config, &other, NULL) == HEARTH_BUSY, "open without an error");
  }
  MUST(f, b->close(f->store, NULL) == HEARTH_OK, "close without an error");
  f->store = NULL;
}

static void the_table_of_functions_is_whole(Fixture *f) {
  const hearth_backend *b = f->backend;
  MUST(f, b->size >= offsetof(hearth_backend, tables) + sizeof b->tables, "size says %zu bytes", b->size);
  EQUALS(f, HEARTH_BACKEND_ABI, b->abi);
  MUST(f, b->name != NULL && b->name[0] != '\0', "it has no name");
  for (const char *c = b->name; *c != '\0'; c++)
    MUST(f, (*c >= 'a' && *c <= 'z') || (c > b->name && ((*c >= '0' && *c <= '9') || strchr("+-.", *c) != NULL)),
         "its name \"%s\" is no scheme of a URI", b->name);
  MUST(f, b->max_durability >= HEARTH_VISIBLE && b->max_durability <= HEARTH_DURABLE, "max_durability is %d",
       (int)b->max_durability);
  MUST(f, b->open != NULL && b->close != NULL && b->get != NULL && b->scan != NULL && b->submit != NULL &&
              b->barrier != NULL && b->poll != NULL && b->compact != NULL && b->refresh != NULL && b->stat != NULL &&
              b->tables != NULL, "a function is missing");
}

const Case kit_older_cases[] = {
    {"a_stat_may_be_smaller", "stat writes no field that the caller's struct has no room for.",
     a_stat_may_be_smaller, 0},
    {"a_config_may_be_smaller", "open looks at no field that the caller's struct does not have.",
     a_config_may_be_smaller, 0},
    {"errors_may_be_null", "err may be NULL.", errors_may_be_null, 0},
    {"the_table_of_functions_is_whole", "A backend has a size, an abi, a URI's scheme as its name, and every function.",
     the_table_of_functions_is_whole, 0},
    {NULL, NULL, NULL, 0},
};
