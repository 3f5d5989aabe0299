/*
** The C library's functions that JavaScript's engine has too: its Math, and its reading of decimal numbers. They
** are a sixth of hearth.wasm otherwise.
*/
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* The module is JavaScript's Math itself. */
#define MATH(name) __attribute__((import_module("hearth_math"), import_name(#name))) extern double js_##name(double x)
MATH(sin);
MATH(cos);
MATH(tan);
MATH(asin);
MATH(acos);
MATH(sinh);
MATH(cosh);
MATH(tanh);
MATH(exp);
MATH(log);
MATH(log2);
MATH(log10);
__attribute__((import_module("hearth_math"), import_name("atan2"))) extern double js_atan2(double y, double x);
__attribute__((import_module("hearth_math"), import_name("pow"))) extern double js_pow(double x, double y);

/* JavaScript's operator %, which is exact. */
__attribute__((import_module("hearth"), import_name("fmod"))) extern double js_fmod(double x, double y);

/* The number that a decimal text is nearest to. */
__attribute__((import_module("hearth"), import_name("number"))) extern double js_number(const char *text, size_t size);

double sin(double x) { return js_sin(x); }
double cos(double x) { return js_cos(x); }
double tan(double x) { return js_tan(x); }
double asin(double x) { return js_asin(x); }
double acos(double x) { return js_acos(x); }
double sinh(double x) { return js_sinh(x); }
double cosh(double x) { return js_cosh(x); }
double tanh(double x) { return js_tanh(x); }
double exp(double x) { return js_exp(x); }
double log(double x) { return js_log(x); }
double log2(double x) { return js_log2(x); }
double log10(double x) { return js_log10(x); }
double atan2(double y, double x) { return js_atan2(y, x); }
double pow(double x, double y) { return js_pow(x, y); }
double fmod(double x, double y) { return js_fmod(x, y); }

/* ----------------------------------------------------------------- numbers */

static int digit_of(char c, int base) {
  if (c >= '0' && c <= '9') return c - '0';
  if (base == 16 && (c | 32) >= 'a' && (c | 32) <= 'f') return (c | 32) - 'a' + 10;
  return -1;
}

/* Behind the digits at *at, of which at most one is followed by a point: how many there are. */
static int skip_digits(const char **at, int base) {
  int count = 0;
  bool point = false;
  for (;; (*at)++) {
    if (digit_of(**at, base) >= 0) count++;
    else if (**at == '.' && !point) point = true;
    else return count;
  }
}

/* An exponent after `mark` (a letter, small), if a whole one is there: its value, as far as any matters. */
static int read_exponent(const char **at, char mark) {
  if ((**at | 32) != mark) return 0;
  const char *s = *at + 1;
  bool minus = *s == '-';
  if (*s == '-' || *s == '+') s++;
  if (digit_of(*s, 10) < 0) return 0;
  int value = 0;
  for (; digit_of(*s, 10) >= 0; s++)
    if (value < 100000) value = value * 10 + digit_of(*s, 10);
  *at = s;
  return minus ? -value : value;
}

/* Digits from `s` to `end`: 64 bits of them and whether what is below is not zero; *exponent counts the bits. */
static double read_hexadecimal(const char *s, const char *end, int *exponent) {
  uint64_t value = 0;
  bool point = false;
  for (; s < end; s++) {
    if (*s == '.') {
      point = true;
      continue;
    }
    int digit = digit_of(*s, 16);
    if (value >> 60 == 0) {
      value = value << 4 | (unsigned)digit;
      if (point) *exponent -= 4;
    } else {
      value |= digit != 0; /* rounding looks no closer */
      if (!point) *exponent += 4;
    }
  }
  return (double)value;
}

/* Without infinities and NaN, which Lua does not read. */
double strtod(const char *restrict text, char **restrict end) {
  const char *s = text;
  while (*s == ' ' || (*s >= '\t' && *s <= '\r')) s++;
  bool minus = *s == '-';
  if (*s == '-' || *s == '+') s++;
  bool hexadecimal = s[0] == '0' && (s[1] | 32) == 'x';
  const char *digits = hexadecimal ? s + 2 : s, *at = digits;
  int count = skip_digits(&at, hexadecimal ? 16 : 10);
  const char *behind = at;
  double value = 0;
  if (count == 0) {
    at = hexadecimal ? s + 1 : text; /* "0x" is 0 with something behind it */
  } else if (hexadecimal) {
    int exponent = read_exponent(&at, 'p');
    value = read_hexadecimal(digits, behind, &exponent);
    value = ldexp(value, exponent);
  } else {
    (void)read_exponent(&at, 'e');
    value = js_number(s, (size_t)(at - s));
  }
  if (end != NULL) *end = (char *)(uintptr_t)at;
  return minus ? -value : value;
}
