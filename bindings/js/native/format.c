/*
** printf, for what Lua and Hearth ask of it. The C library's own takes 4 KB (with gzip), most of it long arithmetic
** for the digits of floats, which JavaScript's engine has. Without %n, a width from an argument, wide
** characters and long double.
*/
#include "format.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define MOST_DIGITS 99 /* Lua reads two digits of a precision, and Hearth's own have fewer */
#define ROOM (310 + 1 + MOST_DIGITS) /* of the longest number: 309 digits stand before the point of the largest */

/*
** Decimal digits of a number that is finite and not negative, rounded as C rounds: exactly, ties to even. So many of
** them from the first that is not zero on; when `fixed`, all down to so many behind the point, one before it at
** least. Returns how many digits stand before the point: negative when zeros follow it that are not among them.
*/
__attribute__((import_module("hearth"), import_name("digits"))) extern int js_digits(double value, int count, int fixed,
                                                                                     char *digits);

typedef struct Conversion {
  bool left, plus, space, alternate, zeros;
  int width, precision; /* precision -1: none is told */
  bool wide;            /* an integer of 64 bits */
  char letter;          /* small */
  bool capital;
} Conversion;

/* --------------------------------------------------------------- the field */

static void repeat(Sink *to, char c, int count) {
  for (; count > 0; count--) sink_put(to, &c, 1);
}

/* `prefix` is a sign or 0x, behind which zeros may stand. */
static void put_field(Sink *to, const Conversion *c, const char *prefix, const char *body, size_t size) {
  size_t prefixed = strlen(prefix);
  int fill = c->width - (int)(prefixed + size);
  if (!c->left && !c->zeros) repeat(to, ' ', fill);
  sink_put(to, prefix, prefixed);
  if (!c->left && c->zeros) repeat(to, '0', fill);
  sink_put(to, body, size);
  if (c->left) repeat(to, ' ', fill);
}

static const char *sign_of(const Conversion *c, bool negative) {
  return negative ? "-" : c->plus ? "+" : c->space ? " " : "";
}

/* ---------------------------------------------------------------- integers */

/* The digits end at `end`; where they begin. A precision of 0 shows no digit of 0. */
static char *integer_digits(char *end, uint64_t n, unsigned base, int precision, bool capital) {
  char *begin = end;
  for (; n != 0; n /= base) *--begin = (capital ? "0123456789ABCDEF" : "0123456789abcdef")[n % base];
  while (end - begin < precision) *--begin = '0';
  return begin;
}

static void put_integer(Sink *to, Conversion *c, uint64_t n, const char *prefix) {
  char room[ROOM], *end = room + sizeof room;
  if (c->precision >= 0) c->zeros = false;
  if (c->precision > MOST_DIGITS) c->precision = MOST_DIGITS;
  unsigned base = c->letter == 'x' ? 16 : c->letter == 'o' ? 8 : 10;
  char *begin = integer_digits(end, n, base, c->precision < 0 ? 1 : c->precision, c->capital);
  if (c->alternate && base == 8 && (begin == end || *begin != '0')) *--begin = '0';
  if (c->alternate && base == 16 && n != 0) prefix = c->capital ? "0X" : "0x";
  put_field(to, c, prefix, begin, (size_t)(end - begin));
}

/* ------------------------------------------------------------------ floats */

/* `point` digits stand before the point, and `places` behind it. */
static char *put_fixed(char *out, const char *digits, int point, int places, bool show_point) {
  if (point <= 0) *out++ = '0';
  for (int i = 0; i < point; i++) *out++ = *digits++;
  if (places > 0 || show_point) *out++ = '.';
  for (; places > 0; places--) *out++ = point++ < 0 ? '0' : *digits++;
  return out;
}

static char *put_exponent(char *out, char mark, int exponent, int least) {
  char room[8], *end = room + sizeof room;
  *out++ = mark;
  *out++ = exponent < 0 ? '-' : '+';
  char *begin = integer_digits(end, (uint64_t)(exponent < 0 ? -exponent : exponent), 10, least, false);
  memcpy(out, begin, (size_t)(end - begin));
  return out + (end - begin);
}

/* One digit before the point, and an exponent. */
static char *put_scientific(char *out, const Conversion *c, const char *digits, int point, int count) {
  out = put_fixed(out, digits, 1, count - 1, c->alternate);
  return put_exponent(out, c->capital ? 'E' : 'e', point - 1, 2);
}

static char *put_decimal(char *out, const Conversion *c, double value) {
  char digits[ROOM];
  int precision = c->precision < 0 ? 6 : c->precision;
  if (c->letter == 'f') return put_fixed(out, digits, js_digits(value, precision, 1, digits), precision, c->alternate);
  if (c->letter == 'e')
    return put_scientific(out, c, digits, js_digits(value, precision + 1, 0, digits), precision + 1);
  int count = precision == 0 ? 1 : precision, least = -3;
  int point = js_digits(value, count, 0, digits);
  bool fixed = point >= least && point <= count;
  if (!c->alternate) /* zeros at the end are not shown behind the point */
    while (count > 1 && digits[count - 1] == '0' && !(fixed && count <= point)) count--;
  return fixed ? put_fixed(out, digits, point, count - point, c->alternate)
               : put_scientific(out, c, digits, point, count);
}

#define FRACTION_BITS 52

/* Hexadecimal, the first digit always 1 but for 0, or 2 when rounding made it so. */
static char *put_hexadecimal(char *out, const Conversion *c, double value) {
  int exponent = 0, places = FRACTION_BITS / 4;
  uint64_t bits = (uint64_t)ldexp(frexp(value, &exponent), FRACTION_BITS + 1);
  if (bits != 0) exponent--;
  if (c->precision >= 0 && c->precision < places) {
    int cut = 4 * (places - c->precision);
    uint64_t unit = UINT64_C(1) << cut, rest = bits & (unit - 1);
    bits >>= cut;
    bits += rest > unit / 2 || (rest == unit / 2 && (bits & 1) != 0);
    places = c->precision;
  }
  for (; c->precision < 0 && places > 0 && (bits & 15) == 0; places--) bits >>= 4;
  char digits[ROOM], *end = digits + sizeof digits;
  int zeros = c->precision > places ? c->precision - places : 0;
  memset(end -= zeros, '0', (size_t)zeros);
  char *begin = integer_digits(end, bits, 16, places + 1, c->capital);
  out = put_fixed(out, begin, 1, places + zeros, c->alternate);
  return put_exponent(out, c->capital ? 'P' : 'p', exponent, 1);
}

static void put_float(Sink *to, Conversion *c, double value) {
  char body[ROOM + 8], *end = body;
  const char *prefix = sign_of(c, signbit(value) != 0);
  char signed_hexadecimal[4];
  if (c->precision > MOST_DIGITS) c->precision = MOST_DIGITS;
  if (isnan(value) || isinf(value)) {
    c->zeros = false;
    put_field(to, c, prefix, isnan(value) ? (c->capital ? "NAN" : "nan") : c->capital ? "INF" : "inf", 3);
    return;
  }
  value = fabs(value);
  if (c->letter == 'a') {
    strcpy(signed_hexadecimal, prefix);
    prefix = strcat(signed_hexadecimal, c->capital ? "0X" : "0x");
    end = put_hexadecimal(body, c, value);
  } else {
    end = put_decimal(body, c, value);
  }
  put_field(to, c, prefix, body, (size_t)(end - body));
}

/* -------------------------------------------------------------- the format */

static void put_text(Sink *to, Conversion *c, const char *text) {
  size_t most = c->precision < 0 ? SIZE_MAX : (size_t)c->precision;
  c->zeros = false;
  put_field(to, c, "", text, strnlen(text, most));
}

static const char *read_flags(const char *format, Conversion *c) {
  for (;; format++) {
    switch (*format) {
      case '-': c->left = true; break;
      case '+': c->plus = true; break;
      case ' ': c->space = true; break;
      case '#': c->alternate = true; break;
      case '0': c->zeros = true; break;
      default: return format;
    }
  }
}

static const char *read_number(const char *format, int *number) {
  for (*number = 0; *format >= '0' && *format <= '9'; format++) *number = *number * 10 + (*format - '0');
  return format;
}

/* The conversion is behind '%'. */
static const char *put_conversion(Sink *to, const char *format, va_list *args) {
  Conversion c = {.precision = -1};
  format = read_number(read_flags(format, &c), &c.width);
  if (*format == '.' && format[1] == '*') {
    c.precision = va_arg(*args, int);
    format += 2;
  } else if (*format == '.') {
    format = read_number(format + 1, &c.precision);
  }
  for (; *format == 'l' || *format == 'z'; format++) c.wide = *format == 'l' && format[-1] == 'l';
  c.capital = *format >= 'A' && *format <= 'Z';
  c.letter = (char)(*format | 32);
  switch (c.letter) {
    case 'd':
    case 'i': {
      int64_t n = c.wide ? va_arg(*args, int64_t) : va_arg(*args, int);
      put_integer(to, &c, n < 0 ? 0 - (uint64_t)n : (uint64_t)n, sign_of(&c, n < 0));
      break;
    }
    case 'u':
    case 'o':
    case 'x': put_integer(to, &c, c.wide ? va_arg(*args, uint64_t) : va_arg(*args, unsigned), ""); break;
    case 'p':
      c.letter = 'x';
      c.alternate = true;
      c.precision = 2 * (int)sizeof(void *);
      put_integer(to, &c, (uintptr_t)va_arg(*args, void *), "");
      break;
    case 'c': {
      char byte = (char)va_arg(*args, int);
      c.zeros = false;
      put_field(to, &c, "", &byte, 1);
      break;
    }
    case 's': put_text(to, &c, va_arg(*args, const char *)); break;
    case 'a':
    case 'e':
    case 'f':
    case 'g': put_float(to, &c, va_arg(*args, double)); break;
    default: sink_put(to, format, 1); break; /* %% */
  }
  return format + 1;
}

void sink_format(Sink *to, const char *format, va_list *args) {
  for (;;) {
    const char *plain = format;
    while (*format != '\0' && *format != '%') format++;
    sink_put(to, plain, (size_t)(format - plain));
    if (*format == '\0') return;
    format = put_conversion(to, format + 1, args);
  }
}
