/*
** For the suites under Node: Emscripten 3.1.6 answers fstat by the name that the file was opened under, even where
** every other call goes to Node's file system (NODERAWFS). A file that was renamed since has another one.
*/
#include <emscripten.h>
#include <errno.h>
#include <sys/stat.h>

/* 0 or an errno value, negative. */
EM_JS(int, node_fstat, (int fd, struct stat *out), {
  return SYSCALLS.doStat(() => require("fs").fstatSync(SYSCALLS.getStreamFromFD(fd).nfd), "", out);
})

int fstat(int fd, struct stat *out) {
  int failure = node_fstat(fd, out);
  if (failure == 0) return 0;
  errno = -failure;
  return -1;
}
