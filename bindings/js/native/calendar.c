/*
** The C library's calendar: days and seconds counted in C, and how far local time is from UTC asked of JavaScript.
** There is one locale, C.
*/
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define HEARTH(name) __attribute__((import_module("hearth"), import_name(name))) extern

/* Milliseconds: 0: since 1970, 1: since some moment in the past, never backwards. */
HEARTH("clock") double js_clock(int kind);

/* How many seconds local time is ahead of UTC at a moment, in milliseconds since 1970. */
HEARTH("timezone") double js_timezone(double moment);

/* ------------------------------------------------------------------- clock */

/* The C library declares it to itself alone. */
int __clock_gettime(clockid_t id, struct timespec *out);

int __clock_gettime(clockid_t id, struct timespec *out) {
  double now = js_clock(id == CLOCK_REALTIME ? 0 : 1) / 1000;
  out->tv_sec = (time_t)now;
  out->tv_nsec = (long)((now - (double)out->tv_sec) * 1e9);
  return 0;
}

int timespec_get(struct timespec *out, int base) {
  return base == TIME_UTC && __clock_gettime(CLOCK_REALTIME, out) == 0 ? base : 0;
}

/* ------------------------------------------------------------- days, years */

#define DAY (24 * 60 * 60)
#define ERA 146097         /* days of 400 years */
#define FROM_YEAR_0 719468 /* days from the first of March of the year 0 to 1970 */

static long long divide(long long a, long long b) {
  return a / b - (a % b < 0);
}

/* In years that begin with March, where a leap day is the last: days from their beginning to that of a month. */
static long long days_before(long long month) {
  return (153 * month + 2) / 5;
}

/* Seconds from 1970, whatever the numbers are. */
static long long seconds_of(const struct tm *t) {
  long long months = 12 * (t->tm_year + 1900LL) + t->tm_mon - 2, year = divide(months, 12);
  long long days = 365 * year + divide(year, 4) - divide(year, 100) + divide(year, 400) +
                   days_before(months - 12 * year) - FROM_YEAR_0 + t->tm_mday - 1;
  return days * DAY + t->tm_hour * 3600LL + t->tm_min * 60LL + t->tm_sec;
}

static void date_of(long long seconds, struct tm *out) {
  memset(out, 0, sizeof *out);
  long long days = divide(seconds, DAY), era = divide(days + FROM_YEAR_0, ERA);
  int second = (int)(seconds - days * DAY), day = (int)(days + FROM_YEAR_0 - era * ERA);
  int year = (day - day / 1460 + day / 36524 - day / (ERA - 1)) / 365;
  day -= 365 * year + year / 4 - year / 100;
  int month = (5 * day + 2) / 153;
  out->tm_sec = second % 60;
  out->tm_min = second / 60 % 60;
  out->tm_hour = second / 3600;
  out->tm_mday = day - (int)days_before(month) + 1;
  out->tm_mon = (month + 2) % 12;
  out->tm_year = (int)(era * 400) + year + (month >= 10) - 1900;
  out->tm_wday = (int)(days + 4 - 7 * divide(days + 4, 7));
  struct tm first = {.tm_year = out->tm_year, .tm_mday = 1};
  out->tm_yday = (int)(days - seconds_of(&first) / DAY);
}

static struct tm shown; /* what gmtime and localtime return */

struct tm *gmtime(const time_t *moment) {
  date_of(*moment, &shown);
  return &shown;
}

static time_t ahead(time_t moment) {
  return (time_t)js_timezone((double)moment * 1000);
}

struct tm *localtime(const time_t *moment) {
  time_t shift = ahead(*moment);
  date_of((long long)*moment + shift, &shown);
  shown.tm_gmtoff = (long)shift;
  return &shown;
}

/*
** Emscripten's time_t has 32 bits: a moment that it cannot hold is none, and Lua says so. The shift of a local time
** is that of the moment it denotes: found by trying one shift to know the other.
*/
time_t mktime(struct tm *local) {
  long long seconds = seconds_of(local);
  if (seconds < INT32_MIN + DAY || seconds > INT32_MAX - DAY) {
    errno = EOVERFLOW;
    return -1;
  }
  time_t moment = (time_t)seconds - ahead((time_t)seconds);
  moment = (time_t)seconds - ahead(moment);
  *local = *localtime(&moment);
  return moment;
}

/* ------------------------------------------------------------------- texts */

static const char *const weekdays[] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};
static const char *const months[] = {"January", "February", "March",     "April",   "May",      "June",
                                     "July",    "August",   "September", "October", "November", "December"};

/* What stands for several conversions, or NULL. */
static const char *several(char c) {
  switch (c) {
    case 'c': return "%a %b %e %T %Y";
    case 'D':
    case 'x': return "%m/%d/%y";
    case 'F': return "%Y-%m-%d";
    case 'r': return "%I:%M:%S %p";
    case 'R': return "%H:%M";
    case 'T':
    case 'X': return "%H:%M:%S";
    default: return NULL;
  }
}

/* Its text, or NULL where a number stands. JavaScript has no name of a time zone that is the same everywhere. */
static const char *text_of(char c, const struct tm *t) {
  switch (c) {
    case 'a':
    case 'A': return weekdays[t->tm_wday];
    case 'b':
    case 'h':
    case 'B': return months[t->tm_mon];
    case 'p': return t->tm_hour < 12 ? "AM" : "PM";
    case 'n': return "\n";
    case 't': return "\t";
    case '%': return "%";
    case 'Z': return "";
    default: return NULL;
  }
}

/* ISO 8601: a week is of the year that its Thursday is in. */
static struct tm thursday_of(const struct tm *t) {
  struct tm thursday;
  date_of(seconds_of(t) + DAY * (3 - (t->tm_wday + 6) % 7), &thursday);
  return thursday;
}

/* The number, and how it is written. */
static int number_of(char c, const struct tm *t, const char **format) {
  int year = t->tm_year + 1900;
  *format = "%02d";
  switch (c) {
    case 'C': return year / 100;
    case 'd': return t->tm_mday;
    case 'e': *format = "%2d"; return t->tm_mday;
    case 'g': return (thursday_of(t).tm_year + 1900) % 100;
    case 'G': *format = "%d"; return thursday_of(t).tm_year + 1900;
    case 'H': return t->tm_hour;
    case 'I': return (t->tm_hour + 11) % 12 + 1;
    case 'j': *format = "%03d"; return t->tm_yday + 1;
    case 'm': return t->tm_mon + 1;
    case 'M': return t->tm_min;
    case 'S': return t->tm_sec;
    case 'u': *format = "%d"; return (t->tm_wday + 6) % 7 + 1;
    case 'U': return (t->tm_yday + 7 - t->tm_wday) / 7;
    case 'V': return thursday_of(t).tm_yday / 7 + 1;
    case 'w': *format = "%d"; return t->tm_wday;
    case 'W': return (t->tm_yday + 7 - (t->tm_wday + 6) % 7) / 7;
    case 'y': return year % 100;
    case 'z': *format = "%+05d"; return (int)(t->tm_gmtoff / 3600 * 100 + t->tm_gmtoff % 3600 / 60);
    default: *format = "%d"; return year; /* Y: Lua lets no other letter through */
  }
}

static size_t convert(char *out, size_t size, char c, const struct tm *t) {
  const char *more = several(c), *text = text_of(c, t), *format;
  if (more != NULL) return strftime(out, size, more, t);
  if (text != NULL) return (size_t)snprintf(out, size, c == 'a' || c == 'b' || c == 'h' ? "%.3s" : "%s", text);
  int number = number_of(c, t, &format);
  return (size_t)snprintf(out, size, format, number);
}

size_t strftime(char *restrict out, size_t size, const char *restrict format, const struct tm *restrict t) {
  size_t n = 0;
  for (; *format != '\0'; format++) {
    size_t room = n < size ? size - n : 0;
    if (*format != '%') {
      n += (size_t)snprintf(out + n, room, "%c", *format);
      continue;
    }
    format++;
    if (*format == 'E' || *format == 'O') format++; /* the locale has no other eras and digits */
    n += convert(out + n, room, *format, t);
  }
  return n < size ? n : 0;
}
