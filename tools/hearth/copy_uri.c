#include "copy_uri.h"

#include <string.h>
#include <strings.h>

/* Takes out what lies from `from` to `to`. */
static void cut(char *from, const char *to) {
  memmove(from, to, strlen(to) + 1);
}

static char *find(const char *from, const char *end, char c) {
  return memchr(from, c, (size_t)(end - from));
}

/* The last '@' before `end`: one that stands in the password should be written %40, and may not be. */
static char *last_at(const char *from, char *end) {
  for (char *p = end; p > from; p--)
    if (p[-1] == '@') return p - 1;
  return NULL;
}

/* "//user:password@..."; `begin` is behind the slashes. */
static void hide_in_authority(char *begin, const char *ends) {
  char *end = begin + strcspn(begin, ends), *query = begin + strcspn(begin, "?#");
  if (*begin == '/') return; /* a path */
  if (query > end) query = end;
  char *at = last_at(begin, query);
  if (at == NULL) at = last_at(begin, end); /* a '?' or '#' in the password, then */
  char *colon = at != NULL ? find(begin, at, ':') : NULL;
  if (colon != NULL) cut(colon, at);
}

static void hide_in_query(char *p, const char *ends) {
  static const char *const names[] = {"password=", "sslpassword="};
  char *end = p + strcspn(p, ends);
  while (p < end) {
    p += strcspn(p, "?&");
    if (p >= end) return;
    p++;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
      size_t n = strlen(names[i]);
      if (strncasecmp(p, names[i], n) != 0) continue;
      char *value = p + n, *behind = value + strcspn(value, "&#");
      if (behind > end) behind = end;
      cut(value, behind);
      end -= behind - value;
    }
  }
}

void hide_passwords(char *text, const char *ends) {
  for (char *p = text; (p = strstr(p, "//")) != NULL;) {
    hide_in_authority(p += 2, ends);
    hide_in_query(p, ends);
  }
}
