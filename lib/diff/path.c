#include "walk.h"

void diff_walk_put_step(const Entry *step, Buffer *out) {
  switch (step->kind) {
    case ENTRY_KEY: view_put_step(out, &step->key, false); break;
    case ENTRY_METATABLE: view_print(out, "^metatable"); break;
    case ENTRY_CONTENT: break; /* cells, and what stands for special objects, are not named */
    case ENTRY_OF_KEY:
      view_put_step(out, &step->key, false);
      view_print(out, "^key");
      break;
    case ENTRY_UPVALUE:
      if (step->key.kind == VALUE_STRING)
        view_put_upvalue_step(out, step->key.as.bytes, step->key.size, 0);
      else
        view_put_upvalue_step(out, NULL, 0, (unsigned)step->key.as.integer);
  }
}

/* The steps from the first node to this one, written from their end on: there may be very many. */
static void put_steps(const DiffWalk *w, uint32_t node, Buffer *out) {
  size_t size = 0;
  for (uint32_t i = node; i != NO_NODE; i = diff_walk_node(w, i)->parent) size += diff_walk_node(w, i)->step_size;
  unsigned char *room = buffer_reserve(out, size + 1);
  if (room == NULL) return;
  out->size += size;
  for (uint32_t i = node; i != NO_NODE; i = diff_walk_node(w, i)->parent) {
    const Node *n = diff_walk_node(w, i);
    size -= n->step_size;
    if (n->step_size > 0) memcpy(room + size, w->steps.data + n->step, n->step_size);
  }
}

void diff_walk_put_path(const DiffWalk *w, uint32_t node, const Entry *step, Buffer *out) {
  buffer_clear(out);
  buffer_put(out, w->prefix.data, w->prefix.size);
  put_steps(w, node, out);
  if (step != NULL) diff_walk_put_step(step, out);
  if (out->size == 0) {
    view_print(out, w->a.view->store != NULL ? "_home" : "root");
  } else if (out->data[0] == '.') {
    out->size--;
    memmove(out->data, out->data + 1, out->size);
  }
}
