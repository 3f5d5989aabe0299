#include "client.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void client_begin(Client *c, int fd) {
  *c = (Client){.fd = fd};
}

void client_end(Client *c) {
  (void)close(c->fd);
  c->fd = -1;
}

short client_events(const Client *c) {
  if (c->out_size > 0) return POLLOUT;
  return c->line_size > 0 ? 0 : POLLIN; /* that it hung up is told even so */
}

static bool would_wait(void) {
  return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

static void write_some(Client *c) {
  ssize_t n = send(c->fd, c->out + c->out_sent, c->out_size - c->out_sent, MSG_NOSIGNAL);
  if (n < 0 && !would_wait()) {
    client_end(c);
    return;
  }
  if (n > 0) c->out_sent += (size_t)n;
  if (c->out_sent < c->out_size) return;
  c->out_size = c->out_sent = 0;
  if (c->leaving) client_end(c);
}

static void read_some(Client *c) {
  ssize_t n = recv(c->fd, c->in + c->in_size, sizeof c->in - c->in_size, 0);
  if (n == 0 || (n < 0 && !would_wait())) {
    client_end(c);
    return;
  }
  if (n > 0) c->in_size += (size_t)n;
}

void client_move(Client *c, short events) {
  if (events & POLLOUT) write_some(c);
  else if (events & POLLIN) read_some(c);
  else if (events & (POLLHUP | POLLERR | POLLNVAL)) client_end(c);
}

static void say(Client *c, const char *line) {
  c->out_size = (size_t)snprintf(c->out, sizeof c->out, "%s\n", line);
}

static void forget_line(Client *c) {
  c->in_size -= c->line_size;
  memmove(c->in, c->in + c->line_size, c->in_size);
  c->line_size = 0;
  c->tried = false;
}

void client_answer(Client *c, const char *answer) {
  say(c, answer);
  forget_line(c);
}

/* A name, up to the blank after it, which becomes its end; *at moves behind it. NULL: it is none. */
static const char *take_name(char **at) {
  char *name = *at;
  size_t size = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-");
  if (size == 0 || size >= NAME_SIZE || name[size] != ' ') return NULL;
  name[size] = 0;
  *at = name + size + 1;
  return name;
}

/* USER ID TEXT */
static bool parse(Client *c) {
  char *at = c->in;
  c->in[c->line_size - 1] = 0;
  if (strlen(c->in) != c->line_size - 1) return false;
  c->request.user = take_name(&at);
  if (c->request.user == NULL) return false;
  c->request.id = take_name(&at);
  c->request.text = at;
  return c->request.id != NULL;
}

bool client_next(Client *c) {
  if (c->fd < 0 || c->line_size > 0 || c->out_size > 0) return false;
  const char *end = memchr(c->in, '\n', c->in_size);
  if (end == NULL) {
    if (c->in_size < sizeof c->in) return false;
    say(c, "- error the line is too long");
    c->leaving = true; /* where the next one begins nobody knows */
    return false;
  }
  c->line_size = (size_t)(end - c->in) + 1;
  if (parse(c)) return true;
  client_answer(c, "- error a request is USER ID TEXT; names have 1 to 64 of A-Z a-z 0-9 _ -");
  return false;
}
