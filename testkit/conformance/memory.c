/* An allocator that counts and fails. */
#include <stdlib.h>

#include "hearth_testkit.h"

static void *count(void *ud, void *ptr, size_t osize, size_t nsize) {
  hearth_testkit_memory *m = ud;
  if (nsize == 0) {
    m->bytes -= ptr != NULL ? osize : 0;
    free(ptr);
    return NULL;
  }
  long call = m->calls++;
  if (m->fail_at >= 0 && (call == m->fail_at || (m->for_good && call > m->fail_at))) return NULL;
  void *fresh = realloc(ptr, nsize);
  if (fresh != NULL) m->bytes += nsize - (ptr != NULL ? osize : 0);
  return fresh;
}

hearth_allocator hearth_testkit_allocator(hearth_testkit_memory *memory) {
  return (hearth_allocator){count, memory};
}
