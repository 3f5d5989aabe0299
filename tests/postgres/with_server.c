/*
** with_server PROGRAM ARGUMENT...: runs a program beside a server of its own. HEARTH_TEST_STORES is the URI of a store
** there, but for its name; SIGUSR1 to this process kills the server, and starts it again.
*/
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server.h"

static pid_t run(char *const arguments[], const sigset_t *before) {
  pid_t child = fork();
  if (child != 0) return child;
  (void)sigprocmask(SIG_SETMASK, before, NULL);
  (void)execvp(arguments[0], arguments);
  perror(arguments[0]);
  _exit(127);
}

int main(int argc, char **argv) {
  char location[700], uri[720];
  Server server;
  sigset_t wanted, before;
  int signal, status = 0;
  if (argc < 2) return 2;
  (void)sigemptyset(&wanted);
  (void)sigaddset(&wanted, SIGCHLD);
  (void)sigaddset(&wanted, SIGUSR1);
  server_begin(&server, NULL);
  server_location(&server, "", "", location, sizeof location);
  (void)snprintf(uri, sizeof uri, "postgresql:%s", location);
  (void)setenv("HEARTH_TEST_STORES", uri, 1);
  (void)sigprocmask(SIG_BLOCK, &wanted, &before);
  const pid_t child = run(argv + 1, &before);
  while (waitpid(child, &status, WNOHANG) == 0) {
    if (sigwait(&wanted, &signal) != 0 || signal != SIGUSR1) continue;
    server_stop(&server, SIGKILL);
    server_start(&server);
  }
  server_end(&server);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
