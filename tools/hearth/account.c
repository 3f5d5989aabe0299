#include "account.h"

#include <stdlib.h>

#define HOME_NODE 1
#define PREVIEW 80 /* bytes of a string that are shown */

const char *account_kind_name(AccountKind kind) {
  static const char *const names[] = {"tables", "functions", "upvalues", "permanents", "special objects",
                                      "external tables", "large strings", "prototypes", "shapes", "metadata",
                                      "not reachable", "store"};
  return names[kind];
}

const char *account_one_name(AccountKind kind) {
  static const char *const names[] = {"table", "function", "upvalue", "permanent", "special object", "external table",
                                      "large string", "prototype", "shape", "metadata", "not reachable", "store"};
  return names[kind];
}

static hearth_status no_memory(hearth_error *err) {
  return hearth_fail(err, HEARTH_NOMEM, "%s", hearth_status_text(HEARTH_NOMEM));
}

void account_free(Account *a) {
  AccountList *lists[] = {&a->strings, &a->prototypes};
  for (size_t i = 0; i < 2; i++)
    for (size_t k = 0; k < lists[i]->count; k++) {
      free(lists[i]->items[k].text);
      free(lists[i]->items[k].step);
    }
  buffer_free(&a->nodes);
  buffer_free(&a->steps);
  buffer_free(&a->bytes_of);
  intmap_free(&a->sizes);
  intmap_free(&a->met);
}

/* ------------------------------------------------------------------- sizes */

/* Adds bytes to a number; false: no memory. */
static bool add_bytes(Account *a, uint64_t number, uint64_t bytes) {
  uint32_t index = intmap_get(&a->sizes, number);
  if (index == INTMAP_NONE) {
    index = (uint32_t)(a->bytes_of.size / sizeof bytes);
    buffer_put(&a->bytes_of, &bytes, sizeof bytes);
    return !a->bytes_of.failed && intmap_put(&a->sizes, number, index);
  }
  uint64_t sum;
  unsigned char *at = a->bytes_of.data + index * sizeof sum;
  memcpy(&sum, at, sizeof sum);
  sum += bytes;
  memcpy(at, &sum, sizeof sum);
  return true;
}

static uint64_t bytes_of(const Account *a, uint64_t number) {
  uint64_t bytes = 0;
  uint32_t index = intmap_get(&a->sizes, number);
  if (index != INTMAP_NONE) memcpy(&bytes, a->bytes_of.data + index * sizeof bytes, sizeof bytes);
  return bytes;
}

static int take_entry(void *ud, uint64_t table, const void *key, size_t key_size, const void *value,
                      size_t value_size) {
  (void)value;
  Account *a = ud;
  LayoutKey k = layout_get_key(key, key_size);
  if (k.kind == LAYOUT_METADATA) a->bytes[ACCOUNT_METADATA] += key_size + value_size;
  if (k.kind == LAYOUT_METADATA || k.kind == LAYOUT_NONE) return 0;
  return table == LAYOUT_TABLE && !add_bytes(a, k.number, key_size + value_size);
}

typedef struct External {
  Account *account;
  uint64_t bytes;
} External;

static int take_external(void *ud, uint64_t table, const void *key, size_t key_size, const void *value,
                         size_t value_size) {
  (void)table, (void)key, (void)value;
  External *e = ud;
  e->account->entries++;
  e->bytes += key_size + value_size;
  return 0;
}

static int take_table(void *ud, uint64_t table, const void *key, size_t key_size, const void *value,
                      size_t value_size) {
  (void)key, (void)key_size, (void)value, (void)value_size;
  Buffer *tables = ud;
  if (table != LAYOUT_TABLE) buffer_put(tables, &table, sizeof table);
  return 0;
}

static hearth_status weigh_external(Account *a, uint64_t table, hearth_error *err) {
  int result;
  External e = {a, 0};
  const View *v = a->view;
  hearth_status status = v->backend->scan(v->store, table, NULL, 0, NULL, 0, false, take_external, &e, &result, err);
  if (status == HEARTH_OK && !add_bytes(a, table, e.bytes)) return no_memory(err);
  return status;
}

static hearth_status weigh(Account *a, hearth_error *err) {
  int failed = 0, result;
  Buffer tables;
  const View *v = a->view;
  buffer_init(&tables, &v->allocator);
  hearth_status status = v->backend->scan(v->store, LAYOUT_TABLE, NULL, 0, NULL, 0, false, take_entry, a, &failed, err);
  if (status == HEARTH_OK && failed != 0) status = no_memory(err);
  if (status == HEARTH_OK) status = v->backend->tables(v->store, take_table, &tables, &result, err);
  if (status == HEARTH_OK && tables.failed) status = no_memory(err);
  for (size_t i = 0; status == HEARTH_OK && i < tables.size; i += sizeof(uint64_t)) {
    uint64_t table;
    memcpy(&table, tables.data + i, sizeof table);
    status = weigh_external(a, table, err);
  }
  buffer_free(&tables);
  return status;
}

/* ------------------------------------------------------------------ largest */

static char *copy_text(const Buffer *b) {
  char *copy = malloc(b->size + 1);
  if (copy == NULL) return NULL;
  if (b->size > 0) memcpy(copy, b->data, b->size);
  copy[b->size] = '\0';
  return copy;
}

static bool is_large(const AccountList *l, uint64_t size) {
  return l->count < ACCOUNT_LARGEST || size > l->items[l->count - 1].size;
}

/* Puts an item in its place; the smallest makes room. */
static bool insert(AccountList *l, AccountItem item, const Buffer *text, const Buffer *step) {
  if (text->failed || step->failed) return false;
  item.text = copy_text(text);
  item.step = copy_text(step);
  if (item.text == NULL || item.step == NULL) {
    free(item.text);
    free(item.step);
    return false;
  }
  if (l->count == ACCOUNT_LARGEST) {
    l->count--;
    free(l->items[l->count].text);
    free(l->items[l->count].step);
  }
  size_t i = l->count++;
  for (; i > 0 && l->items[i - 1].size < item.size; i--) l->items[i] = l->items[i - 1];
  l->items[i] = item;
  return true;
}

static hearth_status note_string(Account *a, uint32_t node, const Value *v, const Buffer *step, hearth_error *err) {
  Buffer text;
  if (!is_large(&a->strings, v->size)) return HEARTH_OK;
  buffer_init(&text, &a->view->allocator);
  view_put_quoted(&text, v->as.bytes, v->size, PREVIEW);
  bool ok = insert(&a->strings, (AccountItem){.size = v->size, .node = node}, &text, step);
  buffer_free(&text);
  return ok ? HEARTH_OK : no_memory(err);
}

static hearth_status note_constant(Account *a, uint32_t node, ViewObject *o, hearth_error *err) {
  Buffer text, none;
  hearth_status status = HEARTH_OK;
  bool is_string = o->head.kind == OBJECT_STRING;
  AccountList *list = is_string ? &a->strings : &a->prototypes;
  uint64_t size = is_string ? o->head.size : bytes_of(a, o->number);
  if (o->head.kind == OBJECT_SHAPE || !is_large(list, size)) return HEARTH_OK;
  buffer_init(&text, &a->view->allocator);
  buffer_init(&none, &a->view->allocator);
  if (is_string) {
    Buffer bytes;
    buffer_init(&bytes, &a->view->allocator);
    status = view_object_string(o, &bytes, err);
    if (status == HEARTH_OK) view_put_quoted(&text, bytes.data, bytes.size, PREVIEW);
    buffer_free(&bytes);
  } else {
    Prototype p;
    ChunkInfo info;
    status = view_object_prototype(o, &p, err);
    if (status == HEARTH_OK && chunk_supported(&p.header)) {
      chunk_info(&p.header, p.body, p.body_size, &info);
      if (info.source != NULL && info.source_size > 0)
        view_put_quoted(&text, (const unsigned char *)info.source + 1, info.source_size - 1, PREVIEW);
      view_print(&text, " lines %d to %d", info.line, info.last_line);
    }
  }
  bool ok = status != HEARTH_OK ||
            insert(list, (AccountItem){.size = size, .node = node, .number = o->number}, &text, &none);
  buffer_free(&text);
  buffer_free(&none);
  return ok ? status : no_memory(err);
}

/* --------------------------------------------------------------------- tree */

static bool add_node(Account *a, uint64_t number, uint32_t parent, AccountKind kind, const Buffer *step) {
  AccountNode n = {.number = number, .own = number != 0 ? bytes_of(a, number) : 0, .step = a->steps.size,
                   .step_size = (uint32_t)step->size, .parent = parent, .kind = kind};
  buffer_put(&a->steps, step->data, step->size);
  buffer_put(&a->nodes, &n, sizeof n);
  uint32_t index = account_count(a) - 1;
  return !step->failed && !a->steps.failed && !a->nodes.failed && account_count(a) < INTMAP_NONE &&
         (number == 0 || intmap_put(&a->met, number, index));
}

static hearth_status meet(Account *a, uint32_t from, uint64_t number, const Buffer *step, hearth_error *err) {
  if (intmap_get(&a->met, number) != INTMAP_NONE) return HEARTH_OK;
  return add_node(a, number, from, ACCOUNT_ROOT, step) ? HEARTH_OK : no_memory(err);
}

static hearth_status put_step(Buffer *step, ViewObject *o, const ViewField *f, hearth_error *err) {
  Buffer name;
  hearth_status status = HEARTH_OK;
  buffer_clear(step);
  switch (f->kind) {
    case VIEW_ENTRY: view_put_step(step, &f->key, false); break;
    case VIEW_METATABLE: view_print(step, "^metatable"); break;
    case VIEW_UPVALUE:
      buffer_init(&name, &o->view->allocator);
      status = view_upvalue_name(o, (unsigned)f->number, &name, err);
      view_put_upvalue_step(step, name.data, name.size, (unsigned)f->number);
      buffer_free(&name);
      break;
    default: break;
  }
  return status;
}

static hearth_status visit_field(Account *a, uint32_t node, ViewObject *o, const ViewField *f, Buffer *step,
                                 hearth_error *err) {
  hearth_status status = put_step(step, o, f, err);
  if (status == HEARTH_OK && f->blob == NULL && f->value.kind == VALUE_STRING)
    status = note_string(a, node, &f->value, step, err);
  if (status == HEARTH_OK && f->blob == NULL && f->value.kind == VALUE_REF)
    status = meet(a, node, f->value.as.number, step, err);
  if (f->kind != VIEW_ENTRY || status != HEARTH_OK) return status;
  view_print(step, "^key");
  if (f->key.kind == VALUE_REF) return meet(a, node, f->key.as.number, step, err);
  return f->key.kind == VALUE_STRING ? note_string(a, node, &f->key, step, err) : HEARTH_OK;
}

static hearth_status visit_fields(Account *a, uint32_t node, ViewObject *o, Buffer *step, hearth_error *err) {
  ViewFields f;
  ViewField field;
  hearth_status status = HEARTH_OK;
  if (o->place == VIEW_OBJECT && o->head.kind == OBJECT_TABLE && (o->head.flags & HEAD_SHAPE)) {
    buffer_clear(step);
    view_print(step, "^shape");
    status = meet(a, node, o->head.shape, step, err);
  }
  if (o->place == VIEW_OBJECT && o->head.kind == OBJECT_CLOSURE) {
    buffer_clear(step);
    view_print(step, "^prototype");
    status = meet(a, node, o->head.prototype, step, err);
  }
  view_fields_begin(&f, o, err);
  while (status == HEARTH_OK && view_fields_next(&f, &field)) status = visit_field(a, node, o, &field, step, err);
  if (status == HEARTH_OK) status = f.status;
  view_fields_free(&f);
  return status;
}

static AccountKind kind_of(const ViewObject *o) {
  static const AccountKind kinds[] = {
    [OBJECT_TABLE] = ACCOUNT_TABLE, [OBJECT_PAGED] = ACCOUNT_TABLE, [OBJECT_CLOSURE] = ACCOUNT_FUNCTION,
    [OBJECT_CELL] = ACCOUNT_CELL, [OBJECT_PERMANENT] = ACCOUNT_PERMANENT, [OBJECT_SPECIAL] = ACCOUNT_SPECIAL,
    [OBJECT_STRING] = ACCOUNT_STRING, [OBJECT_PROTOTYPE] = ACCOUNT_PROTOTYPE, [OBJECT_SHAPE] = ACCOUNT_SHAPE};
  return o->place == VIEW_EXTERNAL ? ACCOUNT_EXTERNAL : kinds[o->head.kind];
}

static hearth_status visit(Account *a, uint32_t node, ViewObject *o, Buffer *step, hearth_error *err) {
  uint64_t number = account_node(a, node)->number;
  hearth_status status = view_object_open(o, number, err);
  if (status == HEARTH_NOTFOUND)
    return hearth_fail(err, HEARTH_DAMAGED, "a reference to object %llu, which is not there",
                       (unsigned long long)number);
  if (status != HEARTH_OK) return status;
  AccountKind kind = kind_of(o);
  AccountNode *n = account_node(a, node);
  n->kind = kind;
  n->first = account_count(a);
  a->counts[kind]++;
  a->bytes[kind] += n->own;
  if (o->place == VIEW_CONSTANT) return note_constant(a, node, o, err);
  status = visit_fields(a, node, o, step, err);
  uint32_t locals = view_object_locals(o);
  for (uint32_t i = 0; status == HEARTH_OK && i < locals; i++) {
    status = view_object_open_local(o, i, err);
    if (status == HEARTH_OK) status = visit_fields(a, node, o, step, err);
  }
  account_node(a, node)->count = account_count(a) - account_node(a, node)->first;
  return status;
}

static bool add_named(Account *a, uint64_t number, AccountKind kind, const char *name, Buffer *step) {
  buffer_clear(step);
  view_print(step, "%s", name);
  return add_node(a, number, 0, kind, step);
}

/* The store, and below it the home table, the metadata, and what is not reachable. */
static hearth_status begin(Account *a, Buffer *step, hearth_error *err) {
  uint64_t home = 0;
  hearth_status status = view_home(a->view, &home, err);
  if (status != HEARTH_OK) return status;
  if (!add_named(a, 0, ACCOUNT_ROOT, "", step) || !add_named(a, home, ACCOUNT_TABLE, "_home", step) ||
      !add_named(a, 0, ACCOUNT_METADATA, "metadata", step) || !add_named(a, 0, ACCOUNT_LOST, "not reachable", step))
    return no_memory(err);
  account_node(a, 0)->first = HOME_NODE;
  account_node(a, 0)->count = 3;
  account_node(a, HOME_NODE + 1)->own = a->bytes[ACCOUNT_METADATA];
  a->counts[ACCOUNT_METADATA] = 1;
  return HEARTH_OK;
}

/* External tables that only refer to each other go with the next compaction. */
static void find_lost(Account *a) {
  for (size_t i = 0; i < a->sizes.capacity; i++) {
    uint64_t number = a->sizes.entries[i].key;
    if (number == 0 || intmap_get(&a->met, number) != INTMAP_NONE) continue;
    a->counts[ACCOUNT_LOST]++;
    a->bytes[ACCOUNT_LOST] += bytes_of(a, number);
  }
  account_node(a, HOME_NODE + 2)->own = a->bytes[ACCOUNT_LOST];
}

hearth_status account_make(Account *a, View *v, hearth_error *err) {
  ViewObject o;
  Buffer step;
  memset(a, 0, sizeof *a);
  a->view = v;
  buffer_init(&a->nodes, &v->allocator);
  buffer_init(&a->steps, &v->allocator);
  buffer_init(&a->bytes_of, &v->allocator);
  intmap_init(&a->sizes, &v->allocator);
  intmap_init(&a->met, &v->allocator);
  buffer_init(&step, &v->allocator);
  view_object_init(&o, v);
  hearth_status status = weigh(a, err);
  if (status == HEARTH_OK) status = begin(a, &step, err);
  for (uint32_t i = HOME_NODE; status == HEARTH_OK && i < account_count(a); i++)
    if (account_node(a, i)->number != 0) status = visit(a, i, &o, &step, err);
  view_object_free(&o);
  buffer_free(&step);
  if (status != HEARTH_OK) return status;
  find_lost(a);
  for (uint32_t i = account_count(a); i-- > 0;) { /* children stand behind their parents */
    AccountNode *n = account_node(a, i);
    n->total += n->own;
    if (i > 0) account_node(a, n->parent)->total += n->total;
  }
  return HEARTH_OK;
}

void account_put_path(const Account *a, uint32_t node, const char *step, Buffer *out) {
  size_t size = 0;
  for (uint32_t i = node; i != 0; i = account_node(a, i)->parent) size += account_node(a, i)->step_size;
  unsigned char *room = buffer_reserve(out, size + 1);
  if (room == NULL) return;
  out->size += size;
  for (uint32_t i = node; i != 0; i = account_node(a, i)->parent) {
    const AccountNode *n = account_node(a, i);
    size -= n->step_size;
    if (n->step_size > 0) memcpy(room + size, a->steps.data + n->step, n->step_size);
  }
  if (step != NULL) buffer_put(out, step, strlen(step));
}
