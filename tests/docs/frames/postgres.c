#include <hearth.h>

static int open_store(lua_State *L) {
  hearth_store *store;
  hearth_error err;
/* @sample@ */
  return hearth_close(L, store);
}

int main(void) {
  return open_store(NULL);
}
