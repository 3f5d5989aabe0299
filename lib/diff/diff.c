/* The queue of pairs: each is compared once, and what is one object on one side must be one on the other. */
#include "walk.h"

#define LOCAL_KEY ((uint64_t)1 << 63)

hearth_status diff_walk_no_memory(DiffWalk *w) {
  return hearth_fail(w->err, HEARTH_NOMEM, "%s", hearth_status_text(HEARTH_NOMEM));
}

static void side_init(Side *s, View *v) {
  s->view = v;
  s->locals = 0;
  view_object_init(&s->object, v);
  view_object_init(&s->scratch, v);
  intmap_init(&s->nodes, &v->allocator);
  intmap_init(&s->bases, &v->allocator);
}

static void side_free(Side *s) {
  view_object_free(&s->object);
  view_object_free(&s->scratch);
  intmap_free(&s->nodes);
  intmap_free(&s->bases);
}

hearth_status diff_walk_init(DiffWalk *w, View *a, View *b, Diff *out, const Buffer *prefix, hearth_error *err) {
  memset(w, 0, sizeof *w);
  w->out = out;
  w->err = err;
  side_init(&w->a, a);
  side_init(&w->b, b);
  buffer_init(&w->nodes, &a->allocator);
  buffer_init(&w->steps, &a->allocator);
  buffer_init(&w->prefix, &a->allocator);
  if (prefix != NULL) buffer_put(&w->prefix, prefix->data, prefix->size);
  return w->prefix.failed ? diff_walk_no_memory(w) : HEARTH_OK;
}

void diff_walk_free(DiffWalk *w) {
  side_free(&w->a);
  side_free(&w->b);
  buffer_free(&w->nodes);
  buffer_free(&w->steps);
  buffer_free(&w->prefix);
}

/* ----------------------------------------------------------------- telling */

static hearth_status tell(DiffWalk *w, const Difference *d) {
  if (d->path->failed || (d->other != NULL && d->other->failed)) return diff_walk_no_memory(w);
  w->out->differences++;
  if (!w->ended) w->ended = !w->out->found(w->out->ud, d);
  return HEARTH_OK;
}

hearth_status diff_walk_tell(DiffWalk *w, DiffKind kind, const Entry *step, const DiffSide *a, const DiffSide *b) {
  Buffer path;
  buffer_init(&path, &w->a.view->allocator);
  diff_walk_put_path(w, w->next == 0 ? NO_NODE : w->next - 1, step, &path);
  const Difference d = {.kind = kind, .path = &path, .a = a, .b = b};
  hearth_status status = tell(w, &d);
  buffer_free(&path);
  return status;
}

static hearth_status tell_changed(DiffWalk *w, const Entry *step, const Value *a, const Value *b) {
  const DiffSide of_a = {&w->a.object, *a, NULL, 0}, of_b = {&w->b.object, *b, NULL, 0};
  return diff_walk_tell(w, DIFF_CHANGED, step, &of_a, &of_b);
}

/* At the node at hand stands what was met at `other` before, on one side alone. */
static hearth_status tell_shared(DiffWalk *w, DiffKind kind, uint32_t other) {
  Buffer path, first;
  buffer_init(&path, &w->a.view->allocator);
  buffer_init(&first, &w->a.view->allocator);
  diff_walk_put_path(w, w->next - 1, NULL, &path);
  diff_walk_put_path(w, other, NULL, &first);
  const Difference d = {.kind = kind, .path = &path, .other = &first};
  hearth_status status = tell(w, &d);
  buffer_free(&path);
  buffer_free(&first);
  return status;
}

/* ------------------------------------------------------------------- queue */

/* What an object is known by in the maps; 0: a local one of a special object that was not looked at yet. */
static uint64_t key_of(const Side *s, const Ref *r) {
  if (r->local == VIEW_WHOLE) return r->number;
  uint32_t base = intmap_get(&s->bases, r->number);
  return base == INTMAP_NONE ? 0 : LOCAL_KEY | ((uint64_t)base + r->local);
}

static bool know_locals(Side *s) {
  uint32_t count = view_object_locals(&s->object);
  if (count == 0 || intmap_get(&s->bases, s->object.number) != INTMAP_NONE) return true;
  if (!intmap_put(&s->bases, s->object.number, (uint32_t)s->locals)) return false;
  s->locals += count;
  return true;
}

static Ref ref_of(const ViewObject *from, const Value *v) {
  if (v->kind == VALUE_LOCAL) return (Ref){from->number, (uint32_t)v->as.number};
  return (Ref){v->as.number, VIEW_WHOLE};
}

static bool is_same(const Ref *a, const Ref *b) {
  return a->number == b->number && a->local == b->local;
}

static uint32_t change_of(const DiffWalk *w, const Ref *r) {
  return intmap_get(&w->changes->numbers, r->number);
}

/* Can one of them stand at another path too, in an object that has not changed? */
static bool has_moved(const DiffWalk *w, const Ref *a, const Ref *b) {
  return change_of(w, a) != CHANGE_ONLY_A || change_of(w, b) != CHANGE_ONLY_B;
}

static hearth_status push(DiffWalk *w, const Entry *step, const Ref *a, const Ref *b) {
  uint32_t known = intmap_get(&w->a.nodes, key_of(&w->a, a));
  if (known != INTMAP_NONE && known == intmap_get(&w->b.nodes, key_of(&w->b, b))) return HEARTH_OK;
  Node n = {*a, *b, w->next == 0 ? NO_NODE : w->next - 1, 0, w->steps.size};
  if (!is_same(a, b)) {
    w->different++;
    if (w->changes != NULL) w->moved |= has_moved(w, a, b);
  }
  if (step != NULL) diff_walk_put_step(step, &w->steps);
  n.step_size = (uint32_t)(w->steps.size - n.step);
  buffer_put(&w->nodes, &n, sizeof n);
  if (w->nodes.size / sizeof n >= NO_NODE || w->steps.size - n.step > UINT32_MAX)
    return hearth_fail(w->err, HEARTH_LIMIT, "more references than can be compared");
  return w->nodes.failed || w->steps.failed ? diff_walk_no_memory(w) : HEARTH_OK;
}

static hearth_status open_side(DiffWalk *w, Side *s, const Ref *r) {
  hearth_status status = view_object_open(&s->object, r->number, w->err);
  if (status == HEARTH_OK && !know_locals(s)) return diff_walk_no_memory(w);
  if (status == HEARTH_OK && r->local != VIEW_WHOLE) status = view_object_open_local(&s->object, r->local, w->err);
  if (status == HEARTH_NOTFOUND)
    return hearth_fail(w->err, HEARTH_DAMAGED, "a reference to object %llu, which is not there",
                       (unsigned long long)r->number);
  return status;
}

/* ------------------------------------------------------------------ strings */

static bool is_large_string(const ViewObject *o) {
  return o->place == VIEW_CONSTANT && o->head.kind == OBJECT_STRING;
}

static hearth_status text_of(DiffWalk *w, ViewObject *o, Buffer *text) {
  buffer_init(text, &o->view->allocator);
  return view_object_string(o, text, w->err);
}

static hearth_status large_strings_equal(DiffWalk *w, bool *equal) {
  Buffer a, b;
  *equal = false;
  if (w->a.object.head.size != w->b.object.head.size) return HEARTH_OK;
  hearth_status status = text_of(w, &w->a.object, &a);
  hearth_status other = text_of(w, &w->b.object, &b);
  if (status == HEARTH_OK) status = other;
  if (status == HEARTH_OK) *equal = a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
  buffer_free(&a);
  buffer_free(&b);
  return status;
}

/* One is a string in its place, the other refers to something: a large string, perhaps, that is the same. */
static hearth_status mixed_equal(DiffWalk *w, Side *s, const Value *reference, const Value *string, bool *equal) {
  Buffer text;
  *equal = false;
  if (reference->kind != VALUE_REF || string->kind != VALUE_STRING || s->view->store == NULL) return HEARTH_OK;
  hearth_status status = view_object_open(&s->scratch, reference->as.number, w->err);
  if (status != HEARTH_OK || !is_large_string(&s->scratch) || s->scratch.head.size != string->size) return status;
  status = text_of(w, &s->scratch, &text);
  if (status == HEARTH_OK) *equal = text.size == 0 || memcmp(text.data, string->as.bytes, text.size) == 0;
  buffer_free(&text);
  return status;
}

hearth_status diff_walk_values(DiffWalk *w, const Entry *step, const Value *a, const Value *b) {
  bool equal = false;
  hearth_status status = HEARTH_OK;
  if (value_is_reference(a) && value_is_reference(b)) {
    const Ref of_a = ref_of(&w->a.object, a), of_b = ref_of(&w->b.object, b);
    return push(w, step, &of_a, &of_b);
  }
  if (value_is_reference(a))
    status = mixed_equal(w, &w->a, a, b, &equal);
  else if (value_is_reference(b))
    status = mixed_equal(w, &w->b, b, a, &equal);
  else
    equal = value_equal(a, b);
  return status != HEARTH_OK || equal ? status : tell_changed(w, step, a, b);
}

/* ------------------------------------------------------------------- pairs */

static Value reference_to(const Ref *r) {
  Value v = {.kind = r->local == VIEW_WHOLE ? VALUE_REF : VALUE_LOCAL};
  v.as.number = r->local == VIEW_WHOLE ? r->number : r->local;
  return v;
}

static hearth_status tell_node(DiffWalk *w, const Node *n) {
  const Value a = reference_to(&n->a), b = reference_to(&n->b);
  return tell_changed(w, NULL, &a, &b);
}

/* Lays the objects over each other. *fresh: they were not compared yet, and at least one was never met. */
static hearth_status lay(DiffWalk *w, const Node *n, bool *fresh) {
  const uint64_t a = key_of(&w->a, &n->a), b = key_of(&w->b, &n->b);
  const uint32_t of_a = intmap_get(&w->a.nodes, a), of_b = intmap_get(&w->b.nodes, b), here = w->next - 1;
  hearth_status status = HEARTH_OK;
  *fresh = of_a == INTMAP_NONE || of_b == INTMAP_NONE;
  if (of_a == of_b && !*fresh) return HEARTH_OK;
  if (of_a != INTMAP_NONE) status = tell_shared(w, DIFF_SHARED_A, of_a);
  if (status == HEARTH_OK && of_b != INTMAP_NONE) status = tell_shared(w, DIFF_SHARED_B, of_b);
  if (of_a == INTMAP_NONE && !intmap_put(&w->a.nodes, a, here)) return diff_walk_no_memory(w);
  if (of_b == INTMAP_NONE && !intmap_put(&w->b.nodes, b, here)) return diff_walk_no_memory(w);
  return status;
}

/* Have both the same number and bytes? */
static bool is_unchanged(DiffWalk *w, const Node *n) {
  if (w->changes == NULL || !is_same(&n->a, &n->b)) return false;
  uint32_t how = change_of(w, &n->a);
  if (how == CHANGE_BOTH) {
    w->changes->left--;
    (void)intmap_put(&w->changes->numbers, n->a.number, CHANGE_SEEN); /* it is there: no memory is needed */
  }
  return how == INTMAP_NONE;
}

static hearth_status compare_strings(DiffWalk *w, const Node *n) {
  bool equal = false;
  hearth_status status = HEARTH_OK;
  if (is_large_string(&w->a.object) && is_large_string(&w->b.object)) status = large_strings_equal(w, &equal);
  return status != HEARTH_OK || equal ? status : tell_node(w, n);
}

static hearth_status compare(DiffWalk *w, const Node *n) {
  bool unchanged = is_unchanged(w, n), fresh = false;
  if (unchanged && w->changes->left == 0 && w->different == 0 && !w->moved) { /* nothing behind it differs */
    w->out->skipped++;
    return HEARTH_OK;
  }
  hearth_status status = open_side(w, &w->a, &n->a);
  if (status == HEARTH_OK && unchanged && n->a.local == VIEW_WHOLE && is_large_string(&w->a.object)) return HEARTH_OK;
  if (status == HEARTH_OK) status = open_side(w, &w->b, &n->b);
  if (status != HEARTH_OK) return status;
  if (is_large_string(&w->a.object) || is_large_string(&w->b.object)) return compare_strings(w, n);
  if (!diff_walk_same_kind(w)) return tell_node(w, n);
  status = lay(w, n, &fresh);
  if (status != HEARTH_OK || !fresh) return status;
  w->out->pairs += !unchanged;
  w->out->skipped += unchanged;
  return unchanged ? diff_walk_references(w) : diff_walk_fields(w);
}

hearth_status diff_walk_all(DiffWalk *w, const Value *a, const Value *b) {
  hearth_status status = diff_walk_values(w, NULL, a, b);
  while (status == HEARTH_OK && !w->ended && w->next < w->nodes.size / sizeof(Node)) {
    const Node n = *diff_walk_node(w, w->next); /* the buffer may move */
    w->next++;
    if (!is_same(&n.a, &n.b)) w->different--;
    status = compare(w, &n);
    w->out->step(w->out->ud, w->out->pairs + w->out->skipped);
  }
  return status;
}

/* --------------------------------------------------------------- beginning */

static hearth_status first_value(View *v, Value *out, hearth_error *err) {
  if (v->store == NULL) {
    view_root(v, out);
    return HEARTH_OK;
  }
  *out = (Value){.kind = VALUE_REF};
  return view_home(v, &out->as.number, err);
}

static hearth_status diff_with(View *a, View *b, Changes *changes, Diff *diff, hearth_error *err) {
  DiffWalk w;
  Value of_a, of_b;
  hearth_status status = diff_walk_init(&w, a, b, diff, NULL, err);
  w.changes = changes != NULL && !changes->constants ? changes : NULL;
  if (status == HEARTH_OK) status = first_value(a, &of_a, err);
  if (status == HEARTH_OK) status = first_value(b, &of_b, err);
  if (status == HEARTH_OK) status = diff_walk_all(&w, &of_a, &of_b);
  diff_walk_free(&w);
  return status;
}

hearth_status diff_views(View *a, View *b, Diff *diff, hearth_error *err) {
  hearth_error own;
  Changes changes;
  if (err == NULL) err = &own;
  bool stores = a->store != NULL && b->store != NULL;
  changes_init(&changes, a);
  hearth_status status = stores ? changes_find(&changes, a, b, err) : HEARTH_OK;
  if (status == HEARTH_OK) status = diff_with(a, b, stores ? &changes : NULL, diff, err);
  changes_free(&changes);
  return status == HEARTH_OK ? hearth_ok(err) : status;
}
