/*
** What the bytes of a function owe to Lua 5.4 and to no other version of Lua: the head of a chunk, opcodes, tags. They
** are the same from 5.4.4 to 5.4.9. docs/LUA.md says what another version would need beside a file like this one.
*/
#ifndef HEARTH_FORMAT_LUA54_H
#define HEARTH_FORMAT_LUA54_H

#include <stdint.h>

/* The head of a binary chunk (lundump.h). */
#define SIGNATURE "\x1bLua"
#define SIGNATURE_SIZE 4
#define CONVERSION_CHECK "\x19\x93\r\n\x1a\n" /* LUAC_DATA */
#define CONVERSION_CHECK_SIZE 6
#define LUA54_VERSION 0x54                         /* LUAC_VERSION */
#define LUA54_FORMAT 0                             /* LUAC_FORMAT: the official one */
#define INTEGER_CHECK UINT64_C(0x5678)             /* LUAC_INT */
#define FLOAT32_CHECK UINT64_C(0x43B94000)         /* LUAC_NUM, 370.5 */
#define FLOAT64_CHECK UINT64_C(0x4077280000000000)

/* Opcodes and the layout of an instruction: op 7 bits, A 8, k 1, B 8, C 8, or Bx 17 from k on (lopcodes.h). */
#define INSTRUCTION_SIZE 4
#define OP_GETUPVAL 9
#define OP_RETURN 70
#define OP_RETURN1 72
#define OP_CLOSURE 79
#define SHIFT_A 7
#define SHIFT_K 15
#define SHIFT_BX 15
#define SHIFT_B 16

/* Tags of constants (lobject.h). */
enum {
  CONSTANT_NIL = 0x00,
  CONSTANT_FALSE = 0x01,
  CONSTANT_INTEGER = 0x03,
  CONSTANT_SHORT_STRING = 0x04,
  CONSTANT_TRUE = 0x11,
  CONSTANT_FLOAT = 0x13,
  CONSTANT_LONG_STRING = 0x14
};

#define LAST_VARIABLE_KIND 3 /* RDKCTC (lparser.h) */
#define UPVALUE_SIZE 3       /* in stack, index, kind */
#define LEAST_FUNCTION 18    /* bytes: six of the head, one instruction, eight counts */

/*
** Lua searches the absolute line information from entry pc / 128 - 1 on (MAXIWTHABS,
** ldebug.c), trusting that the compiler wrote one at least every 128 instructions.
*/
#define INSTRUCTIONS_PER_ABSOLUTE_LINE 128

#endif
